"""What is to be done about the fixed addresses of a node: the actions that `attach_plan` decides on. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ipamd.core import model
from ipamd.core.errors import IpamError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignFixed:
    """Have the cloud assign the claim's address to the ENI, or find out that it is there."""

    claim: VpcIpClaim
    pod: model.PodRef
    ip: str
    eni_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeRoom:
    """Have room on an ENI of this subnet for the claim's address."""

    claim: VpcIpClaim
    subnet_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellMisplaced:
    """Tell claim and Pod that the address cannot be at this node as it is; no cloud call."""

    claim: VpcIpClaim
    why: IpamError


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachEni:
    """Have the cloud attach the claim's ENI to this node's instance, or find out that it is there."""

    claim: VpcIpClaim
    pod: model.PodRef
    ip: str
    eni_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeEniRoom:
    """Have the instance room for the claim's ENI."""

    claim: VpcIpClaim


@dataclass(frozen=True, slots=True, kw_only=True)
class ReclaimFixed:
    """Hold an address that is on the node, and that nobody has, for the claim's Pod; no cloud call."""

    claim: VpcIpClaim
    pod: model.PodRef
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishAssigned:
    """Write into the claim what is already so in the cloud; no cloud call."""

    claim: VpcIpClaim
    pod: model.PodRef
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """Give up an address that is held."""

    address: Address
    why: str
    certain: bool
    """Whether it is known that nobody wants it here; otherwise the claim is looked at live first."""
    with_eip: bool = True
    """Whether an EIP that stays at the address's own ENI goes along with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnassignFixed:
    """Take an address that was let go off its ENI."""

    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachEni:
    """Detach the ENI whose address was let go."""

    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawBinding:
    """Take this node's binding out of the claim: its address is at none of our ENIs."""

    claim: VpcIpClaim


Action = (
    AssignFixed
    | MakeRoom
    | AttachEni
    | MakeEniRoom
    | TellMisplaced
    | ReclaimFixed
    | PublishAssigned
    | LetGo
    | UnassignFixed
    | DetachEni
    | WithdrawBinding
)
Bring = AssignFixed | MakeRoom | AttachEni | MakeEniRoom | TellMisplaced
"""What is done so that an address comes to the node; what fails of it is told to claim and Pod."""
OfAddress = LetGo | UnassignFixed | DetachEni
"""What is about an address of the node, whatever is known of its claim."""


def demand(actions: Iterable[Action], ledger: Ledger) -> Counter[str]:
    """Return for how many addresses that are to come there has to be room, by subnet."""
    return Counter(
        action.claim.address.subnet_id
        for action in actions
        if isinstance(action, AssignFixed | MakeRoom)
        and action.claim.address is not None
        and action.claim.address.ip not in ledger.addresses
    )


def claim_uid_of(action: Action) -> str:
    """Return which claim an action is about, by its UID."""
    return action.address.fixed if isinstance(action, OfAddress) else action.claim.uid


def needs_no_claim(action: Action) -> bool:
    """Whether an action is right whatever the claims say."""
    return isinstance(action, UnassignFixed | DetachEni)
