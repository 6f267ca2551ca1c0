"""Codes of the cloud that mean something else for the cluster than other codes of their kind."""

from collections.abc import Mapping
from typing import Final

from ipamd.core.claim.reason import Reason
from ipamd.core.failure_meanings.meaning import CodeMeaning, OrderMeaning
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kubernetes.node_condition import NodeReason

BY_CODE: Final[Mapping[str, CodeMeaning]] = {
    "AuthFailure.SignatureExpire": CodeMeaning(
        order=OrderMeaning(
            reason=Reason.CLOCK_WRONG, pause=30.0, refused=False, finding=FindingCode.CLOCK_WRONG
        ),
        bind=Reason.CLOCK_WRONG,
        node=NodeReason.CLOCK_WRONG,
    ),
    "LimitExceeded.BandwidthPackageResourceQuota": CodeMeaning(
        order=OrderMeaning(
            reason=Reason.BANDWIDTH_PACKAGE_FULL, pause=30.0, refused=True, finding=FindingCode.CLOUD_REFUSES
        ),
    ),
    "ClientBoundElsewhere": CodeMeaning(bind=Reason.EIP_BOUND_ELSEWHERE),
    "InvalidAddressId.Blocked": CodeMeaning(bind=Reason.EIP_BLOCKED),
    "OperationDenied.AddressInArrears": CodeMeaning(bind=Reason.EIP_IN_ARREARS),
}
