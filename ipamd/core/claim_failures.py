"""What a failed order or bind of an EIP means for its claim: the condition's reason, and the next attempt.

One table.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ipamd.core.claims import Reason
from ipamd.core.errors import CloudError, CloudErrorKind, IpamError


class Meaning(NamedTuple):
    """The answer to one kind of failure."""

    reason: Reason
    pause: float
    """Seconds before the next attempt, at least; the back-off may be longer."""
    refused: bool
    """Whether no order of the attempt can have been carried out.

    True only where the cloud judged the order itself: with the attempt's ClientToken a repeat of an order
    that was carried out gets its EIP and no refusal. After any other failure an earlier sending may have
    succeeded.
    """


_K = CloudErrorKind
_TABLE: Mapping[CloudErrorKind, Meaning] = {
    _K.QUOTA: Meaning(Reason.QUOTA_EXCEEDED, 30.0, refused=True),
    _K.PERMISSION: Meaning(Reason.PERMISSION_DENIED, 30.0, refused=True),
    _K.MONEY: Meaning(Reason.NO_MONEY, 60.0, refused=True),
    _K.INVALID: Meaning(Reason.INVALID_ATTRIBUTES, 60.0, refused=True),
}
_TRANSIENT = Meaning(Reason.CLOUD_ERROR, 0.0, refused=False)


def meaning(kind: CloudErrorKind) -> Meaning:
    """Return what a failure of this kind means for the claim whose EIP was ordered."""
    return _TABLE.get(kind, _TRANSIENT)


_CODES: Mapping[str, Meaning] = {
    "LimitExceeded.BandwidthPackageResourceQuota": Meaning(Reason.BANDWIDTH_PACKAGE_FULL, 30.0, refused=True),
}
"""What a released EIP does not relieve."""


def meaning_of(error: CloudError) -> Meaning:
    """Return what this failure means for the claim whose EIP was ordered."""
    return _CODES.get(error.code) or meaning(error.kind)


_BIND = frozenset({Reason.QUOTA_EXCEEDED, Reason.PERMISSION_DENIED, Reason.NO_MONEY})


def bind_reason(error: IpamError) -> Reason:
    """Return the reason of the condition Bound after an EIP could not be bound."""
    reason = meaning(error.kind).reason if isinstance(error, CloudError) else Reason.BIND_FAILED
    return reason if reason in _BIND else Reason.BIND_FAILED
