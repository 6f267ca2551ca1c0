"""Claims whose EIP is no more: somebody has released it in the console, or the account lost it.

The agent of the claim's node has seen its bind fail by then and has said so on the Pod. Here the claim itself
is mended: its record is dropped, so that another EIP is ordered or, of a user's list, chosen. Only what two
passes in a row have asked for by its id counts as gone.
Thread safety: for one thread at a time.
"""

import logging
from collections.abc import Iterable
from typing import Protocol

from ipamd.controller.ports import Ports
from ipamd.core import claim_status, claims, model, orphans
from ipamd.core.claims import Claim, Reason
from ipamd.core.deadline import Deadline
from ipamd.kube import errors

log = logging.getLogger(__name__)


class CloudReader(Protocol):
    """What looks at EIPs by id: `TencentCloud`."""

    def describe_eips(self, *, eip_ids: list[str], deadline: Deadline | None = None) -> list[model.Eip]:
        """Return those of the EIPs that exist."""


class ClaimLosses:
    """Invariant: `_missing` are the claims (UID and EIP) whose EIP the last pass did not find."""

    def __init__(self, cloud: CloudReader, ports: Ports) -> None:
        self._cloud = cloud
        self._ports = ports
        self._missing: set[tuple[str, str]] = set()

    def mend(self, known: Iterable[Claim], eips: Iterable[model.Eip]) -> int:
        """Compare all claims with the cloud; return how many were found to have lost their EIP.

        `eips` is the cluster's listing. Errors: CloudError; KubeError; NotLeaderError.
        """
        suspects = orphans.unlisted(known, eips)
        ids = sorted({claim.address.eip_id for claim in suspects if claim.address})
        present = {eip.eip_id for eip in self._cloud.describe_eips(eip_ids=ids)} if ids else set()
        lost = {
            (claim.uid, claim.address.eip_id): claim
            for claim in suspects
            if claim.address and claim.address.eip_id not in present
        }
        again = [claim for key, claim in lost.items() if key in self._missing]
        self._missing = set(lost)
        return sum(self._drop(claim) for claim in again)

    def _drop(self, claim: Claim) -> bool:
        """Write into the claim that its EIP is gone; return whether that was news."""
        if claim.address is None:
            return False
        eip_id, public_ip = claim.address.eip_id, claim.address.public_ip
        doing = "another one is ordered" if claim.address.owned else "it was the user's, and none is ordered"
        message = f"{eip_id} ({public_ip}) does not exist any more; {doing}"
        if claims.condition(claim.conditions, claims.PROVISIONED).get("message") == message:
            return False
        self._ports.fence.deadline()
        try:
            changed = self._ports.writer.write_status(
                claim, claim_status.eip_lost(claim, message, self._ports.clock())
            )
        except (errors.ConflictError, errors.NotFoundError) as e:
            log.info("claim %s has changed meanwhile: %s", claim, e)
            return False
        log.warning("claim %s: %s", claim, message)
        self._ports.teller.both(changed, "Warning", Reason.EIP_LOST.value, message)
        return True
