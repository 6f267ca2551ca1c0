"""What the cloud has promised to this process and may not show yet: orders and releases that were accepted.

Only a shortcut. All of it is lost with the process, and then found again by tags, or waited for by the times
that stand in the claim; so nothing here may be needed for safety.
"""

import threading
import time
from collections.abc import Callable

RELEASE_AGAIN = 10.0
"""Seconds after which an EIP that was released and is still listed is released once more."""


class Promises:
    """Orders and releases by claim UID.

    Thread safety: any thread may call any method.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._ordered: dict[str, str] = {}
        self._released: dict[str, dict[str, float]] = {}

    def order_accepted(self, claim_uid: str, eip_id: str) -> None:
        """Note that an EIP of this id was promised."""
        with self._lock:
            self._ordered[claim_uid] = eip_id

    def release_accepted(self, claim_uid: str, eip_id: str) -> None:
        """Note that the EIP is on its way out."""
        with self._lock:
            self._released.setdefault(claim_uid, {})[eip_id] = self._monotonic()

    def ordered(self, claim_uid: str) -> str:
        """Return the id of the EIP that was promised, empty for none."""
        with self._lock:
            return self._ordered.get(claim_uid, "")

    def released(self, claim_uid: str, listed: frozenset[str]) -> frozenset[str]:
        """Return whose release was accepted; one that is still `listed` after a while is forgotten."""
        with self._lock:
            released = self._released.get(claim_uid, {})
            old = self._monotonic() - RELEASE_AGAIN
            for eip_id in [i for i, at in released.items() if i in listed and at < old]:
                del released[eip_id]
            return frozenset(released)

    def forget(self, claim_uid: str) -> None:
        """Drop everything about a claim that is gone."""
        with self._lock:
            self._ordered.pop(claim_uid, None)
            self._released.pop(claim_uid, None)
