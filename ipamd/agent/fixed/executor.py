"""Has done what `ipamd.core.vpc_ip.attach_plan` decides: each kind of action by the one who can do it.

Thread safety: one call for a claim at a time; calls for different claims run in parallel.
"""

from collections.abc import Container
from dataclasses import dataclass

from ipamd.agent.fixed.assign import FixedAssignment
from ipamd.agent.fixed.attach import OwnEniAttachment
from ipamd.agent.fixed.give_back import FixedReturn
from ipamd.agent.fixed.places import EniPlaces
from ipamd.agent.pool.pool import Pool
from ipamd.core.errors import IpamError
from ipamd.core.vpc_ip import attach_actions
from ipamd.core.vpc_ip.attach_actions import (
    AssignFixed,
    AttachEni,
    DetachEni,
    LetGo,
    MakeEniRoom,
    MakeRoom,
    PublishAssigned,
    ReclaimFixed,
    TellMisplaced,
    UnassignFixed,
    WithdrawBinding,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedExecutor:
    """Executes planned actions. Errors: CloudError, KernelError, KubeError, StoreError, IpamError."""

    assignment: FixedAssignment
    attachment: OwnEniAttachment
    giving_back: FixedReturn
    pool: Pool
    places: EniPlaces

    def keep_only(self, claim_uids: Container[str]) -> None:
        """Forget what was noted of other claims."""
        self.giving_back.keep_only(claim_uids)

    def execute(self, action: attach_actions.Action) -> None:
        """Do it."""
        match action:
            case AssignFixed() | AttachEni() | MakeRoom() | MakeEniRoom() | TellMisplaced():
                self._bring(action)
            case PublishAssigned():
                self.assignment.announce(action)
            case ReclaimFixed():
                self.assignment.reclaim(action)
            case LetGo():
                self.giving_back.let_go(action)
            case UnassignFixed():
                self.giving_back.unassign(action)
            case DetachEni():
                self.giving_back.detach(action)
            case WithdrawBinding():
                self.giving_back.withdraw(action.claim)

    def _bring(self, action: attach_actions.Bring) -> None:
        """Have an address here, or say why it cannot be."""
        match action:
            case AssignFixed():
                self.assignment.assign(action)
            case AttachEni():
                self.attachment.attach(action)
            case MakeRoom():
                self._see_room(action)
            case MakeEniRoom():
                self._see_eni_room()
            case TellMisplaced():
                raise action.why

    def _see_room(self, action: MakeRoom) -> None:
        """Raise why there will be no room, as the pool says, which has been told."""
        why = self.pool.no_room(action.subnet_id)
        if why:
            raise IpamError(
                f"there is no room for its address in {action.subnet_id}: {why}",
                advice="let the Pod run on a node with room there; the webhook sees to the subnet",
            )

    def _see_eni_room(self) -> None:
        why = self.places.no_room()
        if why:
            raise IpamError(
                f"there is no place for its ENI at the node: {why}",
                advice="let Pods request tke.cloud.tencent.com/direct-eni, which the scheduler counts",
            )
