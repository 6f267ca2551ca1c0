"""What the controller may do next about one VpcIPClaim, as values; as `core.claim.actions` for EIPClaims.

Actions that look (`LookAt...`) change nothing. Those that are the same for both kinds of claims stand there.
"""

from dataclasses import dataclass

from ipamd.core.annotations.vpc_ip import VpcIpRequest
from ipamd.core.claim.actions import (
    AddFinalizer,
    ClearBinding,
    DeleteClaim,
    DropFinalizer,
    Idle,
    LookAtNode,
    LookAtOwners,
    LookAtPod,
    Postpone,
    RecordPod,
    RedateOrder,
    SetNodeLabel,
    SetOwnerReference,
    Wait,
)
from ipamd.core.kubernetes.owners import OwnerRef
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder, FixedAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtBook:
    """List the VpcIPs that belong to the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtReservations:
    """List the reservations that were made for the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtEnis:
    """List the ENIs that were made for the claim alone, and the one that it records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtSubnets:
    """Find out in which subnets the claim may have its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookForAddress:
    """Find a free address in the subnet that neither the book nor the VPC gives to somebody."""

    subnet_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtUse:
    """Find out who has the address now."""

    ip: str
    subnet_id: str
    eni_id: str = ""
    """Where to look; empty to ask the VPC who has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVpcIpClaim:
    """Create the claim of a Pod."""

    pod: PodView
    request: VpcIpRequest
    owner: OwnerRef | None = None
    """With whom the claim is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusePod:
    """Tell the Pod's owner why it gets no claim."""

    pod: PodView
    reason: VpcIpReason
    message: str
    passes: bool = False
    """Whether it may become right without another Pod: it is told once, and looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Record the order, then have the VPC reserve what it says."""

    order: AddressOrder
    begun: bool
    """Whether the order stands in the claim already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeOwnEni:
    """Record the order, then have the cloud make an ENI for the claim alone, attached to nothing."""

    order: AddressOrder
    begun: bool
    """Whether the order stands in the claim already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteLine:
    """Write the address into the book, which only one claim can do."""

    address: FixedAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class DropLine:
    """Take a line of the claim out of the book."""

    line: VpcIp


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncLine:
    """Bring the line's status and label in step with the claim."""

    line: VpcIp


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAddress:
    """Write down the address that is the claim's from now on."""

    address: FixedAddress
    reason: VpcIpReason
    """Of the condition Reserved."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseAddress:
    """Take an address from the claim that somebody else uses."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkUnreserved:
    """Say in the claim that the VPC does not keep its address, and why."""

    reason: VpcIpReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetEni:
    """Say in the claim that its ENI does not exist any more, so that another gets its address."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkGivenUp:
    """Say in the claim that only the book keeps its address now, and let the agent assign it once more."""

    reason: VpcIpReason
    """Of the condition Reserved."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkWithoutAddress:
    """Say in the claim's condition, and by Events, why it has no address; look again later."""

    reason: VpcIpReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkReleasing:
    """Say in the claim, which is deleted, what it waits for; tell those who may not expect that it waits."""

    pod_runs: bool
    """Whether its Pod does, which keeps the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnassignAddress:
    """Take the address off an ENI in the place of an agent whose node is gone."""

    eni_id: str
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseReservation:
    """Give the reservation up: it was made for this claim, and no ENI has its address."""

    reservation_id: str
    vpc_id: str = ""
    """Empty for that of the claim's subnet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachOwnEni:
    """Take the claim's ENI off a CVM in the place of an agent whose node is gone."""

    eni_id: str
    instance_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOwnEni:
    """Delete an ENI: it was made for this claim, is attached to nothing, and has no EIP."""

    eni_id: str


VpcIpAction = (
    Idle
    | Wait
    | LookAtPod
    | LookAtNode
    | LookAtOwners
    | LookAtBook
    | LookAtReservations
    | LookAtEnis
    | LookAtSubnets
    | LookForAddress
    | LookAtUse
    | CreateVpcIpClaim
    | RefusePod
    | AddFinalizer
    | SetNodeLabel
    | SetOwnerReference
    | RecordPod
    | Reserve
    | MakeOwnEni
    | WriteLine
    | DropLine
    | SyncLine
    | KeepAddress
    | RefuseAddress
    | MarkUnreserved
    | ForgetEni
    | MarkGivenUp
    | MarkWithoutAddress
    | MarkReleasing
    | Postpone
    | DeleteClaim
    | UnassignAddress
    | ClearBinding
    | ReleaseReservation
    | DetachOwnEni
    | DeleteOwnEni
    | RedateOrder
    | DropFinalizer
)
