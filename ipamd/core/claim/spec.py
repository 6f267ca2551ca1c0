"""The `spec` of an EIPClaim: a Pod's wish as JSON, there and back.

A person may have written it, so what is read is checked as an annotation is. Pure.
"""

from collections.abc import Mapping
from typing import Any

from ipamd.core import model
from ipamd.core.annotations import address_kinds, eip_id_list, eip_selector
from ipamd.core.annotations.address_kinds import ORDINARY
from ipamd.core.annotations.eip import DeletePolicy, EipRequest, expiry_of, pool_name
from ipamd.core.annotations.eip_attributes import BY_CVM, IN_PACKAGE, MOST_MBPS
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.errors import InvalidInputError
from ipamd.core.timing import durations

_SOURCES = ("addressIDs", "attributes", "selector", "pool")
"""Of these a spec has one."""
_OPTIONAL = (
    "bandwidthMbps",
    "bandwidthPackageID",
    "name",
    "addressType",
    "anycastZone",
    "egress",
    "antiDDoSPackageID",
    "tags",
)
"""Attributes that an order may lack."""


def write(request: EipRequest) -> dict[str, Any]:
    """Return the spec that says what a Pod asks for."""
    spec: dict[str, Any] = {"deletePolicy": request.delete_policy.value}
    if request.expire_after is not None:
        spec["expireAfter"] = durations.text_of(request.expire_after)
    if request.pool:
        return {"pool": request.pool, **spec}
    if request.selector is not None:
        return {"selector": eip_selector.write(request.selector), **spec}
    if request.order is None:
        return {"addressIDs": list(request.address_ids), **spec}
    return {"attributes": write_order(request.order), **spec}


def write_order(order: model.EipOrder) -> dict[str, Any]:
    """Return the `attributes` that say an order."""
    attributes: dict[str, Any] = {"isp": order.isp, "chargeType": order.charge_type}
    if order.charge_type != BY_CVM:
        attributes["bandwidthMbps"] = order.bandwidth_mbps
    optional = {
        "bandwidthPackageID": order.bandwidth_package_id,
        "name": order.name,
        "addressType": order.address_type if order.address_type != ORDINARY else "",
        "anycastZone": order.anycast_zone,
        "egress": order.egress,
        "antiDDoSPackageID": order.anti_ddos_package_id,
        "tags": [{"key": key, "value": value} for key, value in order.tags],
    }
    attributes |= {name: value for name, value in optional.items() if value}
    return attributes


def attributes_patch(order: model.EipOrder) -> dict[str, Any]:
    """Return the merge patch that makes `attributes` say the order, whatever they said before."""
    gone = dict.fromkeys(_OPTIONAL)
    return {"attributes": {**gone, **write_order(order)}}


def read(spec: Mapping[str, Any]) -> EipRequest:
    """Return the wish that a spec says, whoever wrote it; errors: InvalidInputError names the field."""
    policy = spec.get("deletePolicy", DeletePolicy.DELETE.value)
    if policy not in [member.value for member in DeletePolicy]:
        raise InvalidInputError(f"spec.deletePolicy is {policy!r}; allowed are Delete and Never")
    named = [field for field in _SOURCES if field in spec]
    if len(named) > 1:
        raise InvalidInputError(f"spec has {' and '.join(named)}; allowed is one of them")
    source = named[0] if named else "attributes"
    return EipRequest(
        order=read_order(spec.get("attributes")) if source == "attributes" else None,
        address_ids=read_address_ids(spec["addressIDs"]) if source == "addressIDs" else (),
        selector=read_selector(spec["selector"]) if source == "selector" else None,
        pool=_pool(spec["pool"]) if source == "pool" else "",
        delete_policy=DeletePolicy(policy),
        expire_after=_expire_after(spec.get("expireAfter")),
    )


def read_order(attributes: object) -> model.EipOrder:
    """Return the EIP that `spec.attributes` describes; errors: InvalidInputError."""
    if not isinstance(attributes, Mapping):
        attributes = {}
    bandwidth = attributes.get("bandwidthMbps")
    if attributes.get("chargeType") == BY_CVM:
        bandwidth = 0  # whatever the API server has put there by default
    elif not isinstance(bandwidth, int) or isinstance(bandwidth, bool) or bandwidth < 1:
        raise InvalidInputError(
            f"spec.attributes.bandwidthMbps is {_told(bandwidth)}; allowed is a whole number from 1"
        )
    for field in ("isp", "chargeType"):
        if not _word(attributes.get(field)):
            raise InvalidInputError(
                f"spec.attributes.{field} is {_told(attributes.get(field))}; allowed is a word"
            )
    _check_rules(bandwidth, attributes["chargeType"], _word(attributes.get("bandwidthPackageID")))
    order = model.EipOrder(
        isp=attributes["isp"],
        bandwidth_mbps=bandwidth,
        charge_type=attributes["chargeType"],
        bandwidth_package_id=_word(attributes.get("bandwidthPackageID")),
        name=_word(attributes.get("name")),
        address_type=_word(attributes.get("addressType")) or ORDINARY,
        anycast_zone=_word(attributes.get("anycastZone")),
        egress=_word(attributes.get("egress")),
        anti_ddos_package_id=_word(attributes.get("antiDDoSPackageID")),
        tags=_tags(attributes.get("tags")),
    )
    try:
        address_kinds.check(order)
    except InvalidInputError as e:
        raise InvalidInputError(f"spec.attributes: {e.message}") from e
    return order


def _told(value: object) -> str:
    """Return the value as a message has it; an API server with our CRD fills in what is missing."""
    return "missing" if value is None else repr(value)


def _check_rules(bandwidth: int, charge_type: str, package_id: str) -> None:
    """Refuse what the rules of the CRD forbid: API servers before Kubernetes 1.25 do not know them."""
    most = MOST_MBPS.get(charge_type)
    if most is not None and bandwidth > most:
        raise InvalidInputError(
            f"spec.attributes.bandwidthMbps is {bandwidth}; allowed are 1 to {most} with chargeType "
            f"{charge_type}"
        )
    if (charge_type == IN_PACKAGE) != bool(package_id):
        raise InvalidInputError(
            f"spec.attributes.bandwidthPackageID is {package_id!r}; it is needed with chargeType "
            f"{IN_PACKAGE}, and allowed with no other"
        )


def _tags(entries: object) -> tuple[tuple[str, str], ...]:
    found = []
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, Mapping) or not _word(entry.get("key")):
            raise InvalidInputError(f"spec.attributes.tags has {entry!r}; allowed are objects with a key")
        found.append((_word(entry["key"]), _word(entry.get("value"))))
    return tuple(sorted(found))


def read_address_ids(entries: object) -> tuple[str, ...]:
    """Return the EIPs that `spec.addressIDs` lists; errors: InvalidInputError."""
    try:
        return eip_id_list.check(entries if isinstance(entries, list) else [])
    except InvalidInputError as e:
        raise InvalidInputError(f"spec.addressIDs: {e.message}") from e


def read_selector(value: object) -> EipSelector:
    """Return what `spec.selector` selects; errors: InvalidInputError."""
    try:
        return eip_selector.read(value if isinstance(value, Mapping) else {})
    except InvalidInputError as e:
        raise InvalidInputError(f"spec.selector: {e.message}") from e


def _pool(value: object) -> str:
    try:
        return pool_name(value)
    except InvalidInputError as e:
        raise InvalidInputError(f"spec.pool: {e.message}") from e


def _expire_after(text: object) -> float | None:
    if text is None:
        return None
    try:
        return expiry_of(text if isinstance(text, str) else repr(text))
    except InvalidInputError as e:
        raise InvalidInputError(f"spec.expireAfter: {e.message}") from e


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
