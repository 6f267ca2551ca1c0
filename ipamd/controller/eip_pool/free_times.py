"""Since when the EIPs of pools have been free, as this process has seen it at every look.

Thread safety: any thread may call any method.
"""

import threading
from collections.abc import Callable, Iterable


class FreeTimes:
    """Invariant: an EIP is in it if it was free at the last look at its pool."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """Take a clock that nobody sets."""
        self._steady = steady
        self._lock = threading.Lock()
        self._since: dict[str, dict[str, float]] = {}

    def looked(self, pool: str, free: Iterable[str]) -> dict[str, float]:
        """Note which EIPs of a pool are free; return for how many seconds each has been."""
        now = self._steady()
        with self._lock:
            before = self._since.get(pool, {})
            since = self._since[pool] = {eip_id: before.get(eip_id, now) for eip_id in free}
        return {eip_id: now - at for eip_id, at in since.items()}

    def forget(self, pool: str) -> None:
        """Drop what is known of a pool that is gone."""
        with self._lock:
            self._since.pop(pool, None)
