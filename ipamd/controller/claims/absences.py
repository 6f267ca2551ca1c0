"""For how long this process has seen something to be missing, by a clock that nobody sets.

The Pods of claims, and that nodes are ready.

Thread safety: any thread may call any method.
"""

import threading
from collections.abc import Callable

from ipamd.kube.watch import Key


class Absences:
    """Invariant: an entry is of what was missing at every look since the entry's time."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._steady = steady
        self._lock = threading.Lock()
        self._since: dict[Key, tuple[str, float]] = {}

    def looked(self, key: Key, mark: str, *, absent: bool) -> float:
        """Note whether it was missing; return for how long it has been so at every look.

        `mark` tells one absence from another under the same key: a claim's UID, the date of an outage.
        """
        with self._lock:
            known = self._since.get(key)
            if not absent:
                self._since.pop(key, None)
                return 0.0
            now = self._steady()
            if known is None or known[0] != mark:
                self._since[key] = mark, now
                return 0.0
            return now - known[1]
