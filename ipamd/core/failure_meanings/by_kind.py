"""What each kind of failed cloud call means for the cluster: one row for each kind, and no default.

What is done about the call itself stands with the kind (`ipamd/core/cloud_errors/kind.py`).
"""

from collections.abc import Mapping
from typing import Final

from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.failure_meanings.meaning import KindMeaning, OrderMeaning
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kubernetes.node_condition import NodeReason
from ipamd.core.vpc_ip.reason import VpcIpReason

_K = CloudErrorKind


def _repeated(finding: FindingCode) -> OrderMeaning:
    """An order that is repeated with growing pauses, and may have been carried out."""
    return OrderMeaning(reason=Reason.CLOUD_ERROR, pause=0.0, refused=False, finding=finding)


_PASSES: Final = KindMeaning(
    order=_repeated(FindingCode.CLOUD_REFUSES),
    bind=Reason.BIND_FAILED,
    node=NodeReason.CLOUD_REFUSES,
    reservation=None,
    assignment=VpcIpReason.ASSIGN_FAILED,
    finding=FindingCode.CLOUD_REFUSES,
)
"""A repeat or a look mends it, and nobody has to act."""

BY_KIND: Final[Mapping[CloudErrorKind, KindMeaning]] = {
    _K.THROTTLED: _PASSES,
    _K.BUSY: _PASSES,
    _K.NOT_FOUND: _PASSES,
    _K.WRONG_STATE: _PASSES,
    _K.QUOTA: KindMeaning(
        order=OrderMeaning(
            reason=Reason.QUOTA_EXCEEDED, pause=30.0, refused=True, finding=FindingCode.EIP_QUOTA
        ),
        bind=Reason.QUOTA_EXCEEDED,
        node=NodeReason.CVM_LIMIT,
        reservation=VpcIpReason.QUOTA_EXCEEDED,
        assignment=VpcIpReason.QUOTA_EXCEEDED,
        finding=FindingCode.CVM_LIMIT,
    ),
    _K.SUBNET_FULL: KindMeaning(
        order=_repeated(FindingCode.SUBNET_FULL),
        bind=Reason.BIND_FAILED,
        node=NodeReason.SUBNET_FULL,
        reservation=None,
        assignment=VpcIpReason.ASSIGN_FAILED,
        finding=FindingCode.SUBNET_FULL,
    ),
    _K.ADDRESS_IN_USE: KindMeaning(
        order=_repeated(FindingCode.CLOUD_REFUSES),
        bind=Reason.BIND_FAILED,
        node=NodeReason.CLOUD_REFUSES,
        reservation=None,
        assignment=VpcIpReason.ADDRESS_IN_USE,
        finding=FindingCode.CLOUD_REFUSES,
    ),
    _K.NOT_OFFERED: KindMeaning(
        order=_repeated(FindingCode.CLOUD_REFUSES),
        bind=Reason.BIND_FAILED,
        node=NodeReason.CLOUD_REFUSES,
        reservation=VpcIpReason.NOT_SUPPORTED,
        assignment=VpcIpReason.ASSIGN_FAILED,
        finding=FindingCode.CLOUD_REFUSES,
    ),
    _K.PERMISSION: KindMeaning(
        order=OrderMeaning(
            reason=Reason.PERMISSION_DENIED, pause=30.0, refused=True, finding=FindingCode.CAM_DENIED
        ),
        bind=Reason.PERMISSION_DENIED,
        node=NodeReason.CAM_DENIED,
        reservation=VpcIpReason.PERMISSION_DENIED,
        assignment=VpcIpReason.PERMISSION_DENIED,
        finding=FindingCode.CAM_DENIED,
    ),
    _K.TAGS: KindMeaning(
        order=OrderMeaning(
            reason=Reason.TAGS_REFUSED, pause=30.0, refused=True, finding=FindingCode.CLOUD_REFUSES
        ),
        bind=Reason.BIND_FAILED,
        node=NodeReason.CLOUD_REFUSES,
        reservation=VpcIpReason.RESERVATION_REFUSED,
        assignment=VpcIpReason.ASSIGN_FAILED,
        finding=FindingCode.CLOUD_REFUSES,
    ),
    _K.MONEY: KindMeaning(
        order=OrderMeaning(reason=Reason.NO_MONEY, pause=60.0, refused=True, finding=FindingCode.ARREARS),
        bind=Reason.NO_MONEY,
        node=NodeReason.ARREARS,
        reservation=VpcIpReason.RESERVATION_REFUSED,
        assignment=VpcIpReason.ASSIGN_FAILED,
        finding=FindingCode.ARREARS,
    ),
    _K.CREDENTIALS: KindMeaning(
        # It judges who asks, not the order: an earlier sending of it may have been carried out.
        order=OrderMeaning(
            reason=Reason.CREDENTIALS_REFUSED,
            pause=30.0,
            refused=False,
            finding=FindingCode.CREDENTIALS_REFUSED,
        ),
        bind=Reason.CREDENTIALS_REFUSED,
        node=NodeReason.CREDENTIALS_REFUSED,
        reservation=None,
        assignment=VpcIpReason.ASSIGN_FAILED,
        finding=FindingCode.CREDENTIALS_REFUSED,
    ),
    _K.INVALID: KindMeaning(
        order=OrderMeaning(
            reason=Reason.INVALID_ATTRIBUTES, pause=60.0, refused=True, finding=FindingCode.CLOUD_REFUSES
        ),
        bind=Reason.BIND_REFUSED,
        node=NodeReason.CLOUD_REFUSES,
        reservation=VpcIpReason.RESERVATION_REFUSED,
        assignment=VpcIpReason.ASSIGN_FAILED,
        finding=FindingCode.CLOUD_REFUSES,
    ),
    _K.NEW_TOKEN: _PASSES,
    _K.TASK_FAILED: _PASSES,
    _K.UNKNOWN_OUTCOME: KindMeaning(
        order=_repeated(FindingCode.CLOUD_AWAY),
        bind=Reason.BIND_FAILED,
        node=NodeReason.CLOUD_REFUSES,
        reservation=None,
        assignment=VpcIpReason.ASSIGN_FAILED,
        finding=FindingCode.CLOUD_AWAY,
    ),
    _K.INTERNAL: _PASSES,
}
