"""For how long this process has seen the Pods of claims to be absent, by a clock that nobody sets.

Thread safety: any thread may call any method.
"""

import threading
from collections.abc import Callable

from ipamd.kube.watch import Key


class Absences:
    """Invariant: an entry is of a claim that was without its Pod at every look since the entry's time."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._steady = steady
        self._lock = threading.Lock()
        self._since: dict[Key, tuple[str, float]] = {}

    def looked(self, key: Key, claim_uid: str, *, absent: bool) -> float:
        """Note whether the claim was without its Pod; return for how long it has been so at every look."""
        with self._lock:
            uid, since = self._since.get(key, ("", 0.0))
            if not absent:
                self._since.pop(key, None)
                return 0.0
            now = self._steady()
            if uid != claim_uid:
                self._since[key] = claim_uid, now
                return 0.0
            return now - since
