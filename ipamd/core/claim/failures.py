"""What a failed order or bind of an EIP means for its claim: the condition's reason, and the next attempt.

One table.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError
from ipamd.core.kubernetes.node_condition import NodeReason


class FailureMeaning(NamedTuple):
    """The answer to one kind of failure."""

    reason: Reason
    pause: float
    """Seconds before the claim's next attempt, at least; the back-off may be longer, a change comes sooner.

    The cloud itself is not asked before `FailurePolicy.retry_after` (`ipamd/cloud/inhibition.py`).
    """
    refused: bool
    """Whether no order of the attempt can have been carried out.

    True only where the cloud judged the order itself: with the attempt's ClientToken a repeat of an order
    that was carried out gets its EIP and no refusal. After any other failure an earlier sending may have
    succeeded.
    """


_K = CloudErrorKind
_TABLE: Mapping[CloudErrorKind, FailureMeaning] = {
    _K.QUOTA: FailureMeaning(Reason.QUOTA_EXCEEDED, 30.0, refused=True),
    _K.TAGS: FailureMeaning(Reason.TAGS_REFUSED, 30.0, refused=True),
    _K.PERMISSION: FailureMeaning(Reason.PERMISSION_DENIED, 30.0, refused=True),
    _K.MONEY: FailureMeaning(Reason.NO_MONEY, 60.0, refused=True),
    _K.INVALID: FailureMeaning(Reason.INVALID_ATTRIBUTES, 60.0, refused=True),
    # These judge who asks, not the order: an earlier sending of it may have been carried out.
    _K.CREDENTIALS: FailureMeaning(Reason.CREDENTIALS_REFUSED, 30.0, refused=False),
}
_TRANSIENT = FailureMeaning(Reason.CLOUD_ERROR, 0.0, refused=False)


def meaning(kind: CloudErrorKind) -> FailureMeaning:
    """Return what a failure of this kind means for the claim whose EIP was ordered."""
    return _TABLE.get(kind, _TRANSIENT)


_CODES: Mapping[str, FailureMeaning] = {
    "AuthFailure.SignatureExpire": FailureMeaning(Reason.CLOCK_WRONG, 30.0, refused=False),
    "LimitExceeded.BandwidthPackageResourceQuota": FailureMeaning(
        Reason.BANDWIDTH_PACKAGE_FULL, 30.0, refused=True
    ),
}
"""What means something else than its kind."""


def meaning_of(error: CloudError) -> FailureMeaning:
    """Return what this failure means for the claim whose EIP was ordered."""
    return _CODES.get(error.code) or meaning(error.kind)


def is_answer(error: CloudError) -> bool:
    """Whether the cloud has said with it that no EIP comes of the order that it was given now."""
    return (
        meaning_of(error).refused
        or error.kind is CloudErrorKind.BUSY
        or error.code == _OTHER_ORDER  # the other one's EIP may come, and is waited for
    )


def spends_token(error: CloudError) -> bool:
    """Whether the cloud says that no EIP comes of any order with this token, so that another may be used.

    A token that stands for an order with other parameters (tags that were not known to be refused, the name
    that another release gave) says the opposite: that order may have been carried out.
    """
    return error.kind is CloudErrorKind.NEW_TOKEN and error.code != _OTHER_ORDER


_SAYS_SO = ("repeated", "again", "wait")
"""In the advice of errors that already say that they pass."""


def told(error: IpamError) -> str:
    """Return a failed order, bind or look as Events and conditions tell it: with when it is tried again."""
    text = str(error)
    if any(word in error.advice for word in _SAYS_SO):
        return text
    pause = (
        max(error.kind.policy.retry_after, meaning_of(error).pause) if isinstance(error, CloudError) else 0
    )
    return f"{text}; it is tried again {f'every {pause:.0f} s' if pause else 'by itself'}"


_NODE_KINDS: Mapping[CloudErrorKind, NodeReason] = {
    _K.SUBNET_FULL: NodeReason.SUBNET_FULL,
    _K.QUOTA: NodeReason.CVM_LIMIT,
    _K.PERMISSION: NodeReason.CAM_DENIED,
    _K.MONEY: NodeReason.ARREARS,
    _K.CREDENTIALS: NodeReason.CREDENTIALS_REFUSED,
}


def node_reason(error: IpamError) -> NodeReason:
    """Return the reason of the condition TkeEniReady of a node that gets no address because of the error."""
    if not isinstance(error, CloudError):
        return NodeReason.NO_ADDRESSES
    if meaning_of(error).reason is Reason.CLOCK_WRONG:
        return NodeReason.CLOCK_WRONG
    return _NODE_KINDS.get(error.kind, NodeReason.CLOUD_REFUSES)


_OTHER_ORDER = "UnsupportedOperation.IdempotentParameterMismatch"

_BIND_KINDS: Mapping[CloudErrorKind, Reason] = {
    _K.QUOTA: Reason.QUOTA_EXCEEDED,
    _K.PERMISSION: Reason.PERMISSION_DENIED,
    _K.MONEY: Reason.NO_MONEY,
    _K.CREDENTIALS: Reason.CREDENTIALS_REFUSED,
    _K.INVALID: Reason.BIND_REFUSED,
}
_BIND_CODES: Mapping[str, Reason] = {
    "AuthFailure.SignatureExpire": Reason.CLOCK_WRONG,
    "ClientBoundElsewhere": Reason.EIP_BOUND_ELSEWHERE,
    "InvalidAddressId.Blocked": Reason.EIP_BLOCKED,
    "OperationDenied.AddressInArrears": Reason.EIP_IN_ARREARS,
}


def bind_reason(error: IpamError) -> Reason:
    """Return the reason of the condition Bound after an EIP could not be bound."""
    if not isinstance(error, CloudError):
        return Reason.BIND_FAILED
    return _BIND_CODES.get(error.code) or _BIND_KINDS.get(error.kind, Reason.BIND_FAILED)
