"""`eip-attributes`: which EIP to create for a Pod.

The value is a JSON object with `Bandwidth` and `ISP`, or with the parameter names of AllocateAddresses
(`InternetMaxBandwidthOut`, `InternetServiceProvider`, `InternetChargeType`, `BandwidthPackageId`), where the
long name wins over the short one. Go, in which TKE is written, reads field names whatever their case, and so
do we. Empty it means 100 Mbps, BGP, billed by traffic. Limits: document "Bandwidth limits" of EIP billing
(1..100 Mbps for traffic and hourly bandwidth, 1..2000 in a bandwidth package). Pure. Errors name field, value
and what is allowed; whose annotation it is, the caller adds.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from ipamd.core import model
from ipamd.core.errors import InvalidInputError
from ipamd.core.text.quoting import shown

ISPS = ("BGP", "CMCC", "CTCC", "CUCC")
BY_TRAFFIC = "TRAFFIC_POSTPAID_BY_HOUR"
BY_BANDWIDTH = "BANDWIDTH_POSTPAID_BY_HOUR"
IN_PACKAGE = "BANDWIDTH_PACKAGE"
BY_CVM = "BILL_BY_CVM"
"""Our word for accounts (LEGACY) that pay for EIPs with the CVM: charge type and bandwidth are the CVM's."""
MOST_MBPS: Mapping[str, int] = {BY_TRAFFIC: 100, BY_BANDWIDTH: 100, IN_PACKAGE: 2000}
"""The highest bandwidth of each InternetChargeType that a Pod may choose; prepaid ones have no place here."""
CHARGE_TYPES = (*MOST_MBPS, BY_CVM)

_KNOWN = (
    "Bandwidth",
    "ISP",
    "InternetMaxBandwidthOut",
    "InternetServiceProvider",
    "InternetChargeType",
    "BandwidthPackageId",
)
_SPELLINGS = {name.casefold(): name for name in _KNOWN}
_LONGEST = 2048
"""Characters of an annotation that are looked at."""
_NUMBER = re.compile(r"[0-9]{1,6}")
_PACKAGE_ID = re.compile(r"bwp-[0-9a-z]{1,32}")


def order_of(text: str) -> model.EipOrder:
    """Return the order that the value of `eip-attributes` describes; errors: InvalidInputError."""
    if not text.strip():
        return model.EipOrder()
    fields = _fields(text)
    charge_type = _choice(fields, "InternetChargeType", CHARGE_TYPES, BY_TRAFFIC)
    package_id = _package_id(fields, charge_type)
    isp_field = "InternetServiceProvider" if "InternetServiceProvider" in fields else "ISP"
    bandwidth_field = "InternetMaxBandwidthOut" if "InternetMaxBandwidthOut" in fields else "Bandwidth"
    return model.EipOrder(
        isp=_choice(fields, isp_field, ISPS, "BGP"),
        bandwidth_mbps=_bandwidth(fields, bandwidth_field, charge_type),
        charge_type=charge_type,
        bandwidth_package_id=package_id,
    )


def _fields(text: str) -> dict[str, Any]:
    if len(text) > _LONGEST:
        raise InvalidInputError(f"it has {len(text)} characters; allowed are {_LONGEST}")
    try:
        fields = json.loads(text, object_pairs_hook=_fields_of)
    except (ValueError, RecursionError) as e:
        raise InvalidInputError(
            f"{shown(text)} is not JSON ({e}); allowed is an object such as "
            '{"Bandwidth":"100","ISP":"BGP"}, or nothing for the defaults'
        ) from e
    if not isinstance(fields, dict):
        raise InvalidInputError(
            f'{shown(text)} is not a JSON object; allowed is for example {{"Bandwidth":"100","ISP":"BGP"}}'
        )
    unknown = sorted(name for name in fields if name not in _KNOWN)
    if unknown:
        raise InvalidInputError(
            f"unknown field {', '.join(map(shown, unknown[:5]))}; allowed are {', '.join(_KNOWN)}"
        )
    return fields


def _fields_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [_SPELLINGS.get(name.casefold(), name) for name, _ in pairs]
    fields = dict(zip(names, (value for _, value in pairs), strict=True))
    if len(fields) < len(pairs):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInputError(f"field {shown(twice)} is given more than once; allowed is once")
    return fields


def _choice(fields: Mapping[str, Any], field: str, allowed: tuple[str, ...], default: str) -> str:
    value = fields.get(field, default)
    if not isinstance(value, str) or value not in allowed:
        raise InvalidInputError(f"{field} is {shown(value)}; allowed are {', '.join(allowed)}")
    return value


def _bandwidth(fields: Mapping[str, Any], field: str, charge_type: str) -> int:
    if charge_type == BY_CVM:
        if field in fields:
            raise InvalidInputError(
                f"{field} is {shown(fields[field])}; with InternetChargeType {BY_CVM} it is the CVM's, and "
                "none is allowed here"
            )
        return 0
    value = fields.get(field, "100")
    most = MOST_MBPS[charge_type]
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = int(value) if whole or (isinstance(value, str) and _NUMBER.fullmatch(value)) else 0
    if not 1 <= number <= most:
        raise InvalidInputError(
            f"{field} is {shown(value)}; allowed is a whole number from 1 to {most} (Mbps) for {charge_type}"
        )
    return number


def _package_id(fields: Mapping[str, Any], charge_type: str) -> str:
    value = fields.get("BandwidthPackageId", "")
    if value == "" and charge_type != IN_PACKAGE:
        return ""
    if charge_type != IN_PACKAGE:
        raise InvalidInputError(
            f"BandwidthPackageId is {shown(value)}; allowed is one only with InternetChargeType {IN_PACKAGE}"
        )
    if not isinstance(value, str) or not _PACKAGE_ID.fullmatch(value):
        raise InvalidInputError(
            f"BandwidthPackageId is {shown(value)}; InternetChargeType {IN_PACKAGE} needs the id of a "
            "bandwidth package, such as bwp-12345678"
        )
    return value
