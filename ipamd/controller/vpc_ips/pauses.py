"""For how long something is as it is, and when something may be tried again, by a clock that nobody sets.

Only shortcuts and delays: all of it is lost with the process, which then waits anew.
Thread safety: any thread may call any method.
"""

import threading
from collections.abc import Callable

from ipamd.controller.claims.absences import Absences

_RESERVE_AGAIN = 600.0
"""Seconds between two questions for the reservation of an address that the VPC does not keep: people grant
rights, quotas are raised."""


class Pauses:
    """Invariant: `may_reserve` is true for a claim once in `_RESERVE_AGAIN` seconds, not at first."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._steady = steady
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}
        self.absences = Absences(steady)
        """For how long claims have been without their Pods."""
        self.obstacles = Absences(steady)
        """For how long Pods can have no address where they are."""

    def may_reserve(self, claim_uid: str) -> bool:
        """Whether the VPC may be asked again to reserve the claim's address."""
        now = self._steady()
        with self._lock:
            asked = self._asked.setdefault(claim_uid, now)
            if now - asked < _RESERVE_AGAIN:
                return False
            self._asked[claim_uid] = now
            return True

    def reserve_soon(self, claim_uid: str) -> None:
        """Let the VPC be asked at the next look: a reservation was lost."""
        with self._lock:
            self._asked[claim_uid] = self._steady() - _RESERVE_AGAIN

    def forget_others(self, claim_uids: set[str]) -> None:
        """Drop what is known of claims that are gone."""
        with self._lock:
            self._asked = {uid: at for uid, at in self._asked.items() if uid in claim_uids}
