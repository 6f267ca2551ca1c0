"""Claims whose EIP the cloud has locked: isolated for arrears, or blocked for an attack or abuse.

Nothing can be done about it here but to say so, and to say when it is over.
Thread safety: for one thread at a time.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from ipamd.controller.claims.ports import Ports
from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import USABLE, Claim, condition
from ipamd.core.claim.reason import Reason
from ipamd.core.model import Eip
from ipamd.kube import errors

log = logging.getLogger(__name__)


class ClaimLocks:
    """Keeps the condition Usable of claims true; claims whose EIP was never locked have none."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def look(self, claims: Iterable[Claim], eips: Iterable[Eip]) -> Counter[str]:
        """Compare the claims with their EIPs; return how many are locked, by reason.

        A claim whose EIP is not among these stays as it is. Raises: KubeError; NotLeaderError.
        """
        by_id = {eip.eip_id: eip for eip in eips}
        locked: Counter[str] = Counter()
        for claim in claims:
            eip = by_id.get(claim.address.eip_id) if claim.address and not claim.deleting else None
            if eip is None:
                continue
            reason, message = status.lock_of(eip)
            if reason:
                locked[reason.value] += 1
            self._settle(claim, reason, message)
        return locked

    def _settle(self, claim: Claim, reason: Reason | None, message: str) -> None:
        patch = status.locked(claim, reason, message, self._ports.clock())
        if patch is None:
            return
        self._ports.fence.deadline()
        try:
            written = self._ports.writer.write_status(claim, patch)
        except (errors.ConflictError, errors.NotFoundError) as e:
            log.debug("claim %s has changed meanwhile: %s", claim, e)
            return
        said = condition(written.conditions, USABLE)
        self._ports.teller.both(
            written, "Warning" if reason else "Normal", str(said["reason"]), str(said["message"])
        )
