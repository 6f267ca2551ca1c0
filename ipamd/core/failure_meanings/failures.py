"""What a failed call means where it is told: the condition's reason, the next attempt, the words."""

from typing import Final

from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError
from ipamd.core.failure_meanings.by_code import BY_CODE
from ipamd.core.failure_meanings.by_kind import BY_KIND
from ipamd.core.failure_meanings.meaning import CodeMeaning, OrderMeaning
from ipamd.core.kubernetes.node_condition import NodeReason
from ipamd.core.vpc_ip.facts import AddressRefusal
from ipamd.core.vpc_ip.placement import WrongZoneError
from ipamd.core.vpc_ip.reason import VpcIpReason

_AS_ITS_KIND: Final = CodeMeaning()
_OTHER_ORDER: Final = "UnsupportedOperation.IdempotentParameterMismatch"
_SAYS_SO: Final = ("repeated", "again", "wait")
"""In the advice of errors that already say that they pass."""


def of_order(error: CloudError) -> OrderMeaning:
    """Return what this failure means for the claim whose EIP was ordered."""
    return _of_code(error).order or BY_KIND[error.kind].order


def is_answer(error: CloudError) -> bool:
    """Whether the cloud has said with it that no EIP comes of the order that it was given now."""
    return (
        of_order(error).refused
        or error.kind is CloudErrorKind.BUSY
        or error.code == _OTHER_ORDER  # the other one's EIP may come, and is waited for
    )


def spends_token(error: CloudError) -> bool:
    """Whether the cloud says that no EIP comes of any order with this token, so that another may be used.

    A token that stands for an order with other parameters (tags that were not known to be refused, the name
    that another release gave) says the opposite: that order may have been carried out.
    """
    return error.kind is CloudErrorKind.NEW_TOKEN and error.code != _OTHER_ORDER


def told(error: IpamError) -> str:
    """Return a failed order, bind or look as Events and conditions tell it: with when it is tried again."""
    text = str(error)
    if any(word in error.advice for word in _SAYS_SO):
        return text
    pause = max(error.kind.policy.retry_after, of_order(error).pause) if isinstance(error, CloudError) else 0
    return f"{text}; it is tried again {f'every {pause:.0f} s' if pause else 'by itself'}"


def bind_reason(error: IpamError) -> Reason:
    """Return the reason of the condition Bound after an EIP could not be bound."""
    if not isinstance(error, CloudError):
        return Reason.BIND_FAILED
    return _of_code(error).bind or BY_KIND[error.kind].bind


def node_reason(error: IpamError) -> NodeReason:
    """Return the reason of the condition TkeEniReady of a node that gets no address because of the error."""
    if not isinstance(error, CloudError):
        return NodeReason.NO_ADDRESSES
    return _of_code(error).node or BY_KIND[error.kind].node


def reservation_refusal(error: CloudError) -> AddressRefusal | None:
    """Return what a failed call means for the reservation; None when it means nothing for certain."""
    reason = BY_KIND[error.kind].reservation
    if reason is VpcIpReason.NOT_SUPPORTED:  # advice is for what can be mended
        return AddressRefusal(reason, f"region or account do not offer it: {error.message}")
    return AddressRefusal(reason, told(error)) if reason else None


def eni_refusal(error: CloudError) -> AddressRefusal | None:
    """Return what a failed call means for the ENI that a claim was to get; None when nothing is certain."""
    reason = BY_KIND[error.kind].reservation
    if reason is None:
        return None
    certain = reason in (VpcIpReason.QUOTA_EXCEEDED, VpcIpReason.PERMISSION_DENIED)
    return AddressRefusal(reason if certain else VpcIpReason.ENI_REFUSED, told(error))


def assign_reason(error: IpamError) -> VpcIpReason:
    """Return the reason of a VpcIPClaim whose address could not be assigned."""
    if isinstance(error, CloudError):
        return BY_KIND[error.kind].assignment
    return VpcIpReason.WRONG_SUBNET if isinstance(error, WrongZoneError) else VpcIpReason.ASSIGN_FAILED


def _of_code(error: CloudError) -> CodeMeaning:
    return BY_CODE.get(error.code, _AS_ITS_KIND)
