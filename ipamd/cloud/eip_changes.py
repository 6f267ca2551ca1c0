"""Changing an EIP that stays where it is: name, bandwidth, charge type, bandwidth package.

No action here takes a ClientToken, and only ModifyAddressesBandwidth names a task: whoever asks looks at the
EIP before and afterwards, and so does not ask twice. A write returns once the cloud has accepted it.
"""

from collections.abc import Mapping
from typing import Any

from ipamd.cloud import fields, tasks
from ipamd.cloud.eips import EipCalls
from ipamd.cloud.inhibition import Scope
from ipamd.core.claim.eip_change import (
    ChangeStep,
    JoinPackage,
    LeavePackage,
    MovePackage,
    SetBandwidth,
    SetChargeType,
    SetName,
)
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.timing.deadline import Deadline

_SO_ALREADY = frozenset(
    {"InvalidParameterValue.InternetChargeTypeNotChanged", "InvalidParameterValue.ResourceAlreadyExisted"}
)
"""Codes that say that the EIP is as it is asked to become, or in a package already."""


class EipChangeCalls(EipCalls):
    """Changes EIPs. Thread safety: as the session."""

    def change_eip(self, eip_id: str, step: ChangeStep, deadline: Deadline | None = None) -> str:
        """Start to change the EIP; return the id of the task, "" if there is none or nothing is to be done.

        Raises CloudError: UNKNOWN_OUTCOME when it may have been carried out, and nothing is repeated then.
        """
        action, params = _request(eip_id, step)
        try:
            reply = self._session.call(action, params, deadline=deadline, scope=_scope(eip_id, params))
        except CloudError as error:
            if error.code in _SO_ALREADY:
                return ""
            raise
        return tasks.task_id(reply)

    def describe_bandwidth_range(self, eip_id: str, deadline: Deadline | None = None) -> tuple[int, int]:
        """Return the lowest and the highest bandwidth in Mbps that the EIP may have as it is billed now.

        DescribeAddressBandwidthRange. Raises CloudError (INVALID) on an account of type LEGACY.
        """
        params = {"AddressIds": [eip_id]}
        reply = self._session.call("DescribeAddressBandwidthRange", params, deadline=deadline)
        return reply.read(lambda body: _range(body, eip_id))

    def check_change(self, eip_id: str, step: ChangeStep) -> None:
        """Raise the CloudError with which such a change was refused, if the refusal still holds."""
        action, params = _request(eip_id, step)
        self._session.check(action, _scope(eip_id, params))


def _scope(eip_id: str, params: Mapping[str, Any]) -> Scope:
    package = str(params.get("TargetBandwidthPackageId") or params.get("BandwidthPackageId") or "")
    return Scope(eip_id, {"LimitExceeded.BandwidthPackageResourceQuota": package} if package else {})


def _range(body: fields.Row, eip_id: str) -> tuple[int, int]:
    for row in fields.rows(body, "BandwidthRangeSet"):
        if fields.text(row, "ResourceId") == eip_id:
            return fields.integer(row, "BandwidthLowerLimit"), fields.integer(row, "BandwidthUpperLimit")
    raise fields.ShapeError(f"BandwidthRangeSet has no row for {eip_id}")


def _request(eip_id: str, step: ChangeStep) -> tuple[str, Mapping[str, Any]]:
    match step:
        case SetName(name=name):
            return "ModifyAddressAttribute", {"AddressId": eip_id, "AddressName": name}
        case SetBandwidth(mbps=mbps):
            return "ModifyAddressesBandwidth", {"AddressIds": [eip_id], "InternetMaxBandwidthOut": mbps}
        case SetChargeType(charge_type=charge_type, mbps=mbps):
            return "ModifyAddressInternetChargeType", {
                "AddressId": eip_id,
                "InternetChargeType": charge_type,
                "InternetMaxBandwidthOut": mbps,
            }
        case JoinPackage(package_id=package_id, network_type=network_type):
            return "AddBandwidthPackageResources", {
                "ResourceIds": [eip_id],
                "BandwidthPackageId": package_id,
                "NetworkType": network_type,
                "ResourceType": "Address",
                "Protocol": "ipv4",
            }
        case LeavePackage(package_id=package_id):
            return "RemoveBandwidthPackageResources", {
                "ResourceIds": [eip_id],
                "BandwidthPackageId": package_id,
                "ResourceType": "Address",
            }
        case MovePackage(source=source, package_id=package_id):
            return "MigrateBandwidthPackageResources", {
                "BandwidthPackageId": source,
                "TargetBandwidthPackageId": package_id,
                "ResourceIds": [eip_id],
            }
