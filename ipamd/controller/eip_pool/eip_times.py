"""Since when EIPs of pools have been as they are, as this process has seen it at every look.

Thread safety: any thread may call any method.
"""

import threading
from collections.abc import Callable, Iterable


class EipTimes:
    """Invariant: an EIP is in it if it was so (free, or not shown) at the last look at its pool."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """Take a clock that nobody sets."""
        self._steady = steady
        self._lock = threading.Lock()
        self._since: dict[str, dict[str, float]] = {}

    def looked(self, pool: str, eip_ids: Iterable[str]) -> dict[str, float]:
        """Note which EIPs of a pool are so; return for how many seconds each has been."""
        now = self._steady()
        with self._lock:
            before = self._since.get(pool, {})
            since = self._since[pool] = {eip_id: before.get(eip_id, now) for eip_id in eip_ids}
        return {eip_id: now - at for eip_id, at in since.items()}

    def forget(self, pool: str) -> None:
        """Drop what is known of a pool that is gone."""
        with self._lock:
            self._since.pop(pool, None)
