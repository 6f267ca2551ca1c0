"""Claims whose EIP is no more: somebody has released it in the console, or the account lost it.

The agent of the claim's node has seen its bind fail by then and has said so on the Pod. Here the claim itself
is mended: its record is dropped, so that another EIP is ordered or, of a user's list, chosen. Only what two
passes in a row have asked for by its id counts as gone.
Thread safety: for one thread at a time.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

from ipamd.controller.claims.ports import Ports
from ipamd.controller.events import Tell
from ipamd.controller.sweep.locks import ClaimLocks
from ipamd.core import model
from ipamd.core.claim import eipclaim, status
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.reason import Reason
from ipamd.core.eip import orphans
from ipamd.core.timing.deadline import Deadline
from ipamd.kube import errors

log = logging.getLogger(__name__)


class LossesCloud(Protocol):
    """What looks at EIPs by id: `TencentCloud`."""

    def describe_eips(self, *, eip_ids: list[str], deadline: Deadline | None = None) -> list[model.Eip]:
        """Return those of the EIPs that exist."""


class ClaimLosses:
    """Invariant: `_missing` are the claims (UID and EIP) whose EIP the last pass did not find.

    `_hidden` are those while it is not believed that they are gone: they count on when they are deleted.
    `blind` says why nothing is mended, empty when it is; `locked` how many EIPs of claims the cloud has
    locked, by reason. Both may be read from any thread.
    """

    def __init__(self, cloud: LossesCloud, ports: Ports, tell: Tell) -> None:
        """Take whom to ask, and who tells what concerns the cluster."""
        self._tell = tell
        self.blind = ""
        self._cloud = cloud
        self._ports = ports
        self._locks = ClaimLocks(ports)
        self.locked: Mapping[str, int] = {}
        self._missing: set[tuple[str, str]] = set()
        self._hidden: frozenset[tuple[str, str]] = frozenset()

    def mend(self, known: Iterable[Claim], eips: Iterable[model.Eip]) -> int:
        """Compare all claims with the cloud; return how many were found to have lost their EIP.

        `eips` is the cluster's listing. Raises: CloudError; KubeError; NotLeaderError.
        """
        known, eips = tuple(known), tuple(eips)
        suspects = orphans.unlisted(known, eips, also=self._hidden)
        ids = sorted({claim.address.eip_id for claim in suspects if claim.address})
        shown = self._cloud.describe_eips(eip_ids=ids) if ids else []
        present = {eip.eip_id for eip in shown}
        self.locked = self._locks.look(known, (*eips, *shown))
        lost = {
            (claim.uid, claim.address.eip_id): claim
            for claim in suspects
            if claim.address and claim.address.eip_id not in present
        }
        blind = self._is_blind(len(lost), known)
        self._hidden = frozenset(lost) if blind else frozenset()
        if blind:
            return 0
        again = [claim for key, claim in lost.items() if key in self._missing and not claim.deleting]
        self._missing = set(lost)
        return sum(self._drop(claim) for claim in again)

    def _is_blind(self, lost: int, known: tuple[Claim, ...]) -> bool:
        if not orphans.lost_at_once(lost, known, also=self._hidden):
            self.blind = ""
            return False
        self.blind = (
            f"the cloud shows {lost} EIPs of EIPClaims no more, asked for by their ids: no claim is given "
            "another EIP, and no deleted claim goes, until it does; check --region, the account of the "
            "credentials and whether a CAM policy hides EIPs; of an EIP that is really gone delete the Pod "
            "and, if there are many, take the finalizer off its claim"
        )
        log.warning("%s", self.blind)
        self._tell("Warning", "EIPsNotShown", self.blind)
        return True

    def _drop(self, claim: Claim) -> bool:
        """Write into the claim that its EIP is gone; return whether that was news."""
        if claim.address is None:
            return False
        eip_id, public_ip = claim.address.eip_id, claim.address.public_ip
        doing = "another one is ordered" if claim.address.owned else "it was the user's, and none is ordered"
        message = f"{eip_id} ({public_ip}) does not exist any more; {doing}"
        if eipclaim.condition(claim.conditions, eipclaim.PROVISIONED).get("message") == message:
            return False
        self._ports.fence.deadline()
        try:
            changed = self._ports.writer.write_status(
                claim, status.eip_lost(claim, message, self._ports.clock())
            )
        except (errors.ConflictError, errors.NotFoundError) as e:
            log.info("claim %s has changed meanwhile: %s", claim, e)
            return False
        log.warning("claim %s: %s", claim, message)
        self._ports.teller.both(changed, "Warning", Reason.EIP_LOST.value, message)
        return True
