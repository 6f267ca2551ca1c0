"""What the controller may do next about one claim, as values.

`claim_rules.decide` returns one of them, `ipamd.controller.claims.executor` carries it out and asks again
with what was learned. So every step to the outside is a value that a test can look at, and a crash between
two steps is just another start. Actions that look (`LookAt...`) change nothing; `Idle` and `Wait` end the
round.
"""

from dataclasses import dataclass

from ipamd.core import model
from ipamd.core.annotations.eip import EipRequest
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.claim.eip_change import ChangeStep
from ipamd.core.claim.eipclaim import ClaimAddress, ClaimPod
from ipamd.core.claim.placement import Obstacle
from ipamd.core.claim.reason import Reason
from ipamd.core.kubernetes.owners import OwnerRef
from ipamd.core.kubernetes.pods import PodView


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Nothing to do until something changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do now; look again after `seconds`."""

    reason: str
    seconds: float
    warning: str = ""
    """Reason of the Event that tells people, if one of them may be needed; the looks become fewer then."""
    until_sweep: bool = False
    """Whether a pass of the sweep that is believed ends the wait before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtPod:
    """Get the Pod live from the API server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtNode:
    """Find out, live, whether the node is gone: its Node object, and its CVM if the node is not ready."""

    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtCloud:
    """List the EIPs that carry the claim's tags, and the one that is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtOwners:
    """Find out, live, which workload the Pod belongs to, and whether that is being deleted."""

    pod: PodView


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create the claim of a Pod."""

    pod: PodView
    request: EipRequest
    owner: OwnerRef | None = None
    """With whom the claim is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectPod:
    """Tell the Pod's owner that its annotations cannot be served; no claim is made."""

    pod: PodView
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFinalizer:
    """Put our finalizer on the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNodeLabel:
    """Set the claim's node label, by which an agent finds it; empty removes the label."""

    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOwnerReference:
    """Let the claim be deleted with this owner."""

    owner: OwnerRef


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPod:
    """Record the Pod that the claim serves, or when it was found to be gone."""

    pod: ClaimPod


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocate:
    """Record the attempt, then order an EIP with the attempt's ClientToken and the claim's tags."""

    attempt: int
    begun: bool
    """Whether the attempt stands in the claim already."""
    order: model.EipOrder
    pod: ClaimPod | None = None
    """What is recorded with the attempt: the Pod that the claim serves; None if that is in the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """Give the claim one of these EIPs, while nobody else chooses: of a list, a selector or a pool."""

    address_ids: tuple[str, ...] = ()
    selector: EipSelector | None = None
    pool: str = ""

    @property
    def source(self) -> str:
        """Where the EIP comes from, if that is not a list of ids: in words, the same for equal choices."""
        return f"EIPPool {self.pool}" if self.pool else str(self.selector or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAddress:
    """Write down the EIP that is the claim's from now on."""

    address: ClaimAddress
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkNotProvisioned:
    """Say in the claim's condition, and by Events, why it gets no EIP; look again later."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Postpone:
    """Say in the claim's condition, and once on the Pod, what is waited for before an EIP is got."""

    obstacle: Obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryAttributes:
    """Write what the Pod's annotation says into the spec, and that it was carried over."""

    order: model.EipOrder | None
    """None leaves the spec as it is."""
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEip:
    """Record the step, then have the cloud take it."""

    eip_id: str
    step: ChangeStep


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishChange:
    """Record that the EIP is as the spec says."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseChange:
    """Say why the EIP stays as it is, until the spec is edited or the change confirmed."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteClaim:
    """Delete this very claim (by UID); the finalizer holds it until its EIP is released."""

    reason: str
    event: str = ""
    """The word for the Event that tells of it; empty when it goes with its Pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateEip:
    """Unbind the EIP in the place of an agent whose node is gone, or where no node could."""

    eip_id: str
    leaves_eni: str = ""
    """The kept ENI, attached to nothing, that it is not to stay at; empty for a node that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearBinding:
    """Remove `status.binding`, which the cloud shows to be no more, in the place of a gone node's agent."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Release these unbound EIPs, all created for this claim."""

    eip_ids: tuple[str, ...]
    tagged: frozenset[str] = frozenset()
    """Those that carry the claim's UID: they are found by it until they are gone."""
    looked: bool = True
    """Whether this round has looked at the cloud; else its refusal is no failure, but a reason to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedateOrder:
    """Write that what was asked for last was asked for now: by its date that is still to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropFinalizer:
    """Let the deleted claim go."""


Action = (
    Idle
    | Wait
    | LookAtPod
    | LookAtNode
    | LookAtCloud
    | LookAtOwners
    | Create
    | RejectPod
    | AddFinalizer
    | SetNodeLabel
    | SetOwnerReference
    | RecordPod
    | Allocate
    | Choose
    | RecordAddress
    | MarkNotProvisioned
    | Postpone
    | CarryAttributes
    | ChangeEip
    | FinishChange
    | RefuseChange
    | DeleteClaim
    | DisassociateEip
    | ClearBinding
    | Release
    | RedateOrder
    | DropFinalizer
)
