"""`eip-attributes`: which EIP to create for a Pod.

The value is a JSON object with `Bandwidth` and `ISP`, or with parameter names of AllocateAddresses
(`allocate_fields`), where the long name wins over the short one. Empty it means 100 Mbps, BGP, billed by
traffic. Limits: document "Bandwidth limits" of EIP billing (1..100 Mbps for traffic and hourly bandwidth,
1..2000 in a bandwidth package). Pure. Errors name field, value and what is allowed; whose annotation it is,
the caller adds.
"""

import re
from collections.abc import Mapping
from typing import Any

from ipamd.core import model
from ipamd.core.annotations import address_kinds, allocate_fields
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

_PREPAID = "BANDWIDTH_PREPAID_BY_MONTH"
_NUMBER = re.compile(r"[0-9]{1,6}")
_PACKAGE_ID = re.compile(r"bwp-[0-9a-z]{1,32}")


def order_of(text: str) -> model.EipOrder:
    """Return the order that the value of `eip-attributes` describes; errors: InvalidInputError."""
    if not text.strip():
        return model.EipOrder()
    fields = allocate_fields.read(text)
    charge_type = _charge_type(fields)
    package_id = _package_id(fields, charge_type)
    isp_field = "InternetServiceProvider" if "InternetServiceProvider" in fields else "ISP"
    bandwidth_field = "InternetMaxBandwidthOut" if "InternetMaxBandwidthOut" in fields else "Bandwidth"
    order = model.EipOrder(
        isp=allocate_fields.choice(fields, isp_field, ISPS, "BGP"),
        bandwidth_mbps=_bandwidth(fields, bandwidth_field, charge_type),
        charge_type=charge_type,
        bandwidth_package_id=package_id,
        name=allocate_fields.text_of(fields, "AddressName"),
        address_type=allocate_fields.choice(
            fields, "AddressType", address_kinds.TYPES, address_kinds.ORDINARY
        ),
        anycast_zone=allocate_fields.text_of(fields, "AnycastZone"),
        egress=allocate_fields.text_of(fields, "Egress"),
        anti_ddos_package_id=allocate_fields.text_of(fields, "AntiDDoSPackageId"),
        tags=_tags(fields.get("Tags", [])),
    )
    address_kinds.check(order)
    return order


def _charge_type(fields: Mapping[str, Any]) -> str:
    if fields.get("InternetChargeType") == _PREPAID:
        raise InvalidInputError(
            f"InternetChargeType is {shown(_PREPAID)}, which is not allowed, because "
            f"{allocate_fields.REFUSED['AddressChargePrepaid']}; allowed are {', '.join(CHARGE_TYPES)}"
        )
    return allocate_fields.choice(fields, "InternetChargeType", CHARGE_TYPES, BY_TRAFFIC)


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    """Return the tags in the order of their keys: how they are written makes no difference."""
    entries = value if isinstance(value, list) else [value]
    found = []
    for entry in entries:
        parts = {key.casefold(): part for key, part in entry.items()} if isinstance(entry, dict) else {}
        if set(parts) != {"key", "value"} or not all(isinstance(part, str) for part in parts.values()):
            raise InvalidInputError(
                f'Tags has {shown(entry)}; allowed is a list such as [{{"Key":"team","Value":"web"}}]'
            )
        found.append((parts["key"], parts["value"]))
    return tuple(sorted(found))


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
