"""Why a condition of a VpcIPClaim is as it is, and which reasons only a person mends."""

from enum import Enum
from typing import Final


class VpcIpReason(Enum):
    """Why a condition is as it is."""

    RESERVED = "Reserved"
    """The VPC itself keeps the address for us."""
    NOT_SUPPORTED = "ReservationNotSupported"
    """The VPC keeps no addresses here: nobody but this cluster knows that it is taken."""
    RESERVATION_REFUSED = "ReservationRefused"
    """The same, because the cloud has refused for another reason, which the message has."""
    NOT_ASSIGNABLE = "ReservedNotAssignable"
    """The VPC would keep the address also from our own Pods: the cloud assigns no reserved one."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    PERMISSION_DENIED = "PermissionDenied"
    CLOUD_ERROR = "CloudError"
    CHOSEN = "Chosen"
    """The claim has its address."""
    RESERVATION_LOST = "ReservationLost"
    """Somebody has deleted it; the address is reserved again."""
    AMBIGUOUS = "AmbiguousReservation"
    """Several reservations carry the tag of the claim."""
    AMBIGUOUS_ENI = "AmbiguousENI"
    """Several ENIs carry the tag of the claim, or one that is not its own."""
    ENI_REFUSED = "ENIRefused"
    """The cloud makes no ENI for the claim."""
    ENI_LOST = "ENILost"
    """Somebody has deleted the claim's ENI; another one gets the address."""
    NETWORK_DIFFERS = "NetworkDiffers"
    """The Pod asks for an address on another network than its claim is of."""
    INVALID_SPEC = "InvalidSpec"
    NO_SUBNET = "NoSubnet"
    """No subnet of the node fits what the claim names."""
    SUBNET_FULL = "SubnetFull"
    ADDRESS_TAKEN = "AddressTaken"
    """The nominated address is another claim's, or somebody else's in the VPC."""
    ADDRESS_IN_USE = "AddressInUse"
    """The cloud refuses to assign the claim's address, because somebody uses it."""
    WRONG_SUBNET = "WrongSubnet"
    """The Pod is on a node that cannot have an ENI in the subnet of the address."""
    ASSIGNING = "Assigning"
    ASSIGNED = "Assigned"
    ASSIGN_FAILED = "AssignFailed"
    """The message says why; the agent tries again."""
    UNASSIGNED = "Unassigned"
    NODE_GONE = "NodeGone"
    WAITING = "Waiting"
    """The address is there, and the agent of the Pod's node has not begun to assign it."""
    NOT_SCHEDULED = "NotScheduled"
    NODE_NOT_SERVED = "NodeNotServed"
    AGENT_GONE = "AgentGone"


ADDRESS_FAILURES: Final = frozenset(
    {
        VpcIpReason.AMBIGUOUS,
        VpcIpReason.AMBIGUOUS_ENI,
        VpcIpReason.INVALID_SPEC,
        VpcIpReason.NO_SUBNET,
        VpcIpReason.SUBNET_FULL,
        VpcIpReason.ADDRESS_TAKEN,
        VpcIpReason.ADDRESS_IN_USE,
        VpcIpReason.WRONG_SUBNET,
    }
)
"""What only a person mends; a claim in such a state is Failed, though it is tried again now and then."""
