"""What a Pod asks for with its EIP annotations: the words of TKE's page, checked and completed.

`eip-attributes` is a JSON object with `Bandwidth` and `ISP`, or with the parameter names of AllocateAddresses
(`InternetMaxBandwidthOut`, `InternetServiceProvider`, `InternetChargeType`, `BandwidthPackageId`), where the
long name wins over the short one. Absent or empty it means 100 Mbps, BGP, billed by traffic. Limits: document
"Bandwidth limits" of EIP billing (1..100 Mbps for traffic and hourly bandwidth, 1..2000 in a bandwidth
package). Pure. Every error names annotation, field, value and what is allowed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ipamd.core import model
from ipamd.core.errors import InvalidInputError
from ipamd.core.pods import ANNOTATION_PREFIX, PodView

EIP_ATTRIBUTES = ANNOTATION_PREFIX + "eip-attributes"
EIP_ID_LIST = ANNOTATION_PREFIX + "eip-id-list"
DELETE_POLICY = ANNOTATION_PREFIX + "eip-claim-delete-policy"

ISPS = ("BGP", "CMCC", "CTCC", "CUCC")
BY_TRAFFIC = "TRAFFIC_POSTPAID_BY_HOUR"
BY_BANDWIDTH = "BANDWIDTH_POSTPAID_BY_HOUR"
IN_PACKAGE = "BANDWIDTH_PACKAGE"
MOST_MBPS: Mapping[str, int] = {BY_TRAFFIC: 100, BY_BANDWIDTH: 100, IN_PACKAGE: 2000}
"""The highest bandwidth of each InternetChargeType that a Pod may choose; prepaid ones have no place here."""

_KNOWN = (
    "Bandwidth",
    "ISP",
    "InternetMaxBandwidthOut",
    "InternetServiceProvider",
    "InternetChargeType",
    "BandwidthPackageId",
)
_LONGEST = 2048
"""Characters of an annotation that are looked at."""
_SHOWN = 60
"""Characters of a wrong value that an error repeats."""
_NUMBER = re.compile(r"[0-9]{1,6}")
_PACKAGE_ID = re.compile(r"bwp-[0-9a-z]{1,32}")


class DeletePolicy(Enum):
    """What becomes of claim and EIP when the Pod is gone."""

    DELETE = "Delete"
    NEVER = "Never"


@dataclass(frozen=True, slots=True, kw_only=True)
class EipRequest:
    """One Pod's wish, complete."""

    order: model.EipOrder
    delete_policy: DeletePolicy


def wants_eip(pod: PodView) -> bool:
    """Whether the Pod asks for an EIP at all: by annotation or by resource, and with a network of its own."""
    asks = pod.requests_eip or EIP_ATTRIBUTES in pod.annotations or EIP_ID_LIST in pod.annotations
    return asks and not pod.host_network


def request_of(pod: PodView) -> EipRequest:
    """Return what the Pod asks for.

    Errors: InvalidInputError, which a retry without a change of the annotations meets again.
    """
    if pod.annotations.get(EIP_ID_LIST, "").strip():
        raise InvalidInputError(
            f"annotation {EIP_ID_LIST} of Pod {pod.ref}: this release cannot choose among existing EIPs",
            advice=f"remove it, and describe the EIP to create with {EIP_ATTRIBUTES}",
        )
    try:
        return EipRequest(
            order=order_of(pod.annotations.get(EIP_ATTRIBUTES, "")),
            delete_policy=_delete_policy(pod.annotations.get(DELETE_POLICY, "")),
        )
    except _WrongValueError as e:
        raise InvalidInputError(
            f"annotation {e.annotation} of Pod {pod.ref}: {e}", advice="correct it and create the Pod again"
        ) from e


def order_of(text: str) -> model.EipOrder:
    """Return the order that the value of `eip-attributes` describes; errors: InvalidInputError."""
    if not text.strip():
        return model.EipOrder()
    fields = _fields(text)
    charge_type = _choice(fields, "InternetChargeType", tuple(MOST_MBPS), BY_TRAFFIC)
    package_id = _package_id(fields, charge_type)
    isp_field = "InternetServiceProvider" if "InternetServiceProvider" in fields else "ISP"
    bandwidth_field = "InternetMaxBandwidthOut" if "InternetMaxBandwidthOut" in fields else "Bandwidth"
    return model.EipOrder(
        isp=_choice(fields, isp_field, ISPS, "BGP"),
        bandwidth_mbps=_bandwidth(fields, bandwidth_field, charge_type),
        charge_type=charge_type,
        bandwidth_package_id=package_id,
    )


class _WrongValueError(InvalidInputError):
    """What is wrong with the value of an annotation, before it is known whose."""

    def __init__(self, message: str, annotation: str = EIP_ATTRIBUTES) -> None:
        super().__init__(message)
        self.annotation = annotation


def _fields(text: str) -> dict[str, Any]:
    if len(text) > _LONGEST:
        raise _WrongValueError(f"it has {len(text)} characters; allowed are {_LONGEST}")
    try:
        fields = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as e:
        raise _WrongValueError(
            f"{_shown(text)} is not JSON ({e}); allowed is an object such as "
            '{"Bandwidth":"100","ISP":"BGP"}, or nothing for the defaults'
        ) from e
    if not isinstance(fields, dict):
        raise _WrongValueError(
            f'{_shown(text)} is not a JSON object; allowed is for example {{"Bandwidth":"100","ISP":"BGP"}}'
        )
    unknown = sorted(set(fields) - set(_KNOWN))
    if unknown:
        raise _WrongValueError(
            f"unknown field {', '.join(map(_shown, unknown[:5]))}; allowed are {', '.join(_KNOWN)}"
        )
    return fields


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _WrongValueError(f"field {_shown(twice)} is given more than once; allowed is once")
    return fields


def _choice(fields: Mapping[str, Any], field: str, allowed: tuple[str, ...], default: str) -> str:
    value = fields.get(field, default)
    if not isinstance(value, str) or value not in allowed:
        raise _WrongValueError(f"{field} is {_shown(value)}; allowed are {', '.join(allowed)}")
    return value


def _bandwidth(fields: Mapping[str, Any], field: str, charge_type: str) -> int:
    value = fields.get(field, "100")
    most = MOST_MBPS[charge_type]
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = int(value) if whole or (isinstance(value, str) and _NUMBER.fullmatch(value)) else 0
    if not 1 <= number <= most:
        raise _WrongValueError(
            f"{field} is {_shown(value)}; allowed is a whole number from 1 to {most} (Mbps) for {charge_type}"
        )
    return number


def _package_id(fields: Mapping[str, Any], charge_type: str) -> str:
    value = fields.get("BandwidthPackageId", "")
    if value == "" and charge_type != IN_PACKAGE:
        return ""
    if charge_type != IN_PACKAGE:
        raise _WrongValueError(
            f"BandwidthPackageId is {_shown(value)}; allowed is one only with InternetChargeType {IN_PACKAGE}"
        )
    if not isinstance(value, str) or not _PACKAGE_ID.fullmatch(value):
        raise _WrongValueError(
            f"BandwidthPackageId is {_shown(value)}; InternetChargeType {IN_PACKAGE} needs the id of a "
            "bandwidth package, such as bwp-12345678"
        )
    return value


def _delete_policy(text: str) -> DeletePolicy:
    if text == "":
        return DeletePolicy.DELETE
    if text != DeletePolicy.NEVER.value:
        raise _WrongValueError(
            f"it is {_shown(text)}; allowed is Never, or no annotation to release the EIP with the Pod",
            DELETE_POLICY,
        )
    return DeletePolicy.NEVER


def _shown(value: object) -> str:
    """Return a value as JSON, cut to what a message can bear."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
