"""Why a condition of an EIPClaim is as it is, and which reasons only a person mends."""

from enum import Enum
from typing import Final


class Reason(Enum):
    """Why a condition is as it is."""

    ALLOCATED = "Allocated"
    ADOPTED = "Adopted"
    CHOSEN = "Chosen"
    BINDING = "Binding"
    BOUND = "Bound"
    BIND_FAILED = "BindFailed"
    """The EIP could not be bound; the message says why, and the agent tries again."""
    BIND_REFUSED = "BindRefused"
    """The same, and no repeat will help until somebody acts."""
    UNBOUND = "Unbound"
    WAITING = "Waiting"
    """The EIP is there, and its agent has not begun to bind it."""
    NODE_GONE = "NodeGone"
    EIP_LOST = "EIPLost"
    """The EIP that was recorded does not exist any more."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    BANDWIDTH_PACKAGE_FULL = "BandwidthPackageFull"
    TAGS_REFUSED = "TagsRefused"
    PERMISSION_DENIED = "PermissionDenied"
    NO_MONEY = "NoMoney"
    INVALID_ATTRIBUTES = "InvalidAttributes"
    AMBIGUOUS_EIP = "AmbiguousEIP"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    CLOCK_WRONG = "ClockWrong"
    """The cloud refuses what is signed with the time of our clock."""
    CLOUD_ERROR = "CloudError"
    EIP_FIRST = "EIPFirst"
    NAT_GATEWAY_FIRST = "NATGatewayFirst"
    NO_SUCH_ENTRY = "NoSuchEntry"
    EIP_NOT_FOUND = "EIPNotFound"
    EIP_BLOCKED = "EIPBlocked"
    EIP_IN_ARREARS = "EIPInArrears"
    EIP_UNLOCKED = "EIPUnlocked"
    EIP_NOT_ALLOWED = "EIPNotAllowed"
    EIP_RELEASED_WHEN_UNBOUND = "EIPReleasedWhenUnbound"
    """The cloud would release it at the end of the first Pod."""
    EIP_OF_OTHER_CLUSTER = "EIPOfOtherCluster"
    EIP_OF_OTHER_CLAIM = "EIPOfOtherClaim"
    """It was created for a claim and goes with that one."""
    EIP_BOUND_ELSEWHERE = "EIPBoundElsewhere"
    """It serves something that is no Pod with a claim: a CVM, a NAT gateway, a load balancer."""
    EIP_IN_USE = "EIPInUse"
    """Another claim has it, and may leave it."""
    NOT_SCHEDULED = "NotScheduled"
    """The Pod has no Node yet, so none is ordered."""
    NODE_NOT_SERVED = "NodeNotServed"
    """No agent of ours has ever served the Pod's Node."""
    AGENT_GONE = "AgentGone"
    """One has served it, and is not there any more."""
    EIP_NOT_SHOWN = "EIPNotShown"
    """The cloud says that it was delivered, and does not show it."""
    NO_FREE_EIP = "NoFreeEIP"
    """None of several can be had now."""
    POOL_EXHAUSTED = "PoolExhausted"
    """Its EIPs are taken; the claim waits in the pool's line."""
    POOL_NOT_FOUND = "PoolNotFound"
    POOL_REFUSED = "PoolRefused"
    """The pool is not for this namespace, cannot be used, or is being deleted."""
    EIP_OF_POOL = "EIPOfPool"
    """It was created for an EIPPool that the claim does not name."""
    CHANGING = "Changing"
    CHANGED = "Changed"
    CHANGE_REFUSED = "ChangeRefused"
    """The EIP stays as it is, and not as the claim's spec says."""


FAILURES: Final = frozenset(
    {
        Reason.QUOTA_EXCEEDED,
        Reason.BANDWIDTH_PACKAGE_FULL,
        Reason.TAGS_REFUSED,
        Reason.PERMISSION_DENIED,
        Reason.NO_MONEY,
        Reason.CREDENTIALS_REFUSED,
        Reason.CLOCK_WRONG,
        Reason.BIND_REFUSED,
        Reason.INVALID_ATTRIBUTES,
        Reason.AMBIGUOUS_EIP,
        Reason.EIP_NOT_SHOWN,
        Reason.NO_SUCH_ENTRY,
        Reason.EIP_NOT_FOUND,
        Reason.EIP_BLOCKED,
        Reason.EIP_IN_ARREARS,
        Reason.EIP_NOT_ALLOWED,
        Reason.EIP_RELEASED_WHEN_UNBOUND,
        Reason.EIP_OF_OTHER_CLUSTER,
        Reason.EIP_OF_OTHER_CLAIM,
        Reason.EIP_BOUND_ELSEWHERE,
        Reason.EIP_OF_POOL,
        Reason.POOL_NOT_FOUND,
        Reason.POOL_REFUSED,
    }
)
"""What only a person mends; a claim in such a state is Failed, though it is tried again now and then."""
