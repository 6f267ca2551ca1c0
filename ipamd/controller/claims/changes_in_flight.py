"""Steps of changes that the cloud has accepted from this process, by claim: whose tasks can be asked for.

Only a shortcut. It is lost with the process; a step then shows at the EIP, or is given again after a while.
"""

import threading

from ipamd.core.model import AcceptedOrder


class ChangesInFlight:
    """Thread safety: any thread may call any method."""

    def __init__(self) -> None:
        """Know nothing."""
        self._lock = threading.Lock()
        self._accepted: dict[str, AcceptedOrder] = {}

    def accepted(self, claim_uid: str, eip_id: str, task_id: str) -> None:
        """Note the task of the claim's present step; most steps have none."""
        with self._lock:
            if task_id:
                self._accepted[claim_uid] = AcceptedOrder(eip_id=eip_id, task_id=task_id)
            else:
                self._accepted.pop(claim_uid, None)

    def of(self, claim_uid: str) -> AcceptedOrder | None:
        """Return what was accepted for the claim."""
        with self._lock:
            return self._accepted.get(claim_uid)

    def forget(self, claim_uid: str) -> None:
        """Drop what is known of the claim's step: it is over, or another begins."""
        with self._lock:
            self._accepted.pop(claim_uid, None)
