"""The `spec` of a VpcIPClaim: a Pod's wish as JSON, there and back.

A person may have written it, so what is read is checked as an annotation is. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ipamd.core.annotations import networks
from ipamd.core.annotations.eip import expiry_of
from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest, address_of, policy_of, subnets_of
from ipamd.core.errors import InvalidInputError
from ipamd.core.text.quoting import shown
from ipamd.core.timing import durations

TYPE = "Pod"
"""The one kind of claims that we make; TKE's component knows others."""

_T = TypeVar("_T")


def write(request: VpcIpRequest) -> dict[str, Any]:
    """Return the spec that says what a Pod asks for."""
    spec: dict[str, Any] = {"type": TYPE, "deletePolicy": request.delete_policy.value}
    if request.expire_after is not None:
        spec["expireAfter"] = durations.text_of(request.expire_after)
    if request.nominated_ip:
        spec["nominatedIP"] = request.nominated_ip
    if request.subnet_ids:
        spec["subnetIDs"] = list(request.subnet_ids)
    if request.exclusive:
        spec["network"] = networks.DIRECT_ENI
    return spec


def read(spec: Mapping[str, Any]) -> VpcIpRequest:
    """Return the wish that a spec says, whoever wrote it; errors: InvalidInputError names the field."""
    kind = spec.get("type", TYPE)
    if kind != TYPE:
        raise InvalidInputError(f"spec.type is {shown(kind)}; allowed is {TYPE}")
    return VpcIpRequest(
        delete_policy=_field(
            "deletePolicy", policy_of, spec.get("deletePolicy", VpcIpPolicy.IMMEDIATE.value)
        ),
        expire_after=_field("expireAfter", _expiry, spec.get("expireAfter")),
        nominated_ip=_field("nominatedIP", address_of, spec["nominatedIP"]) if "nominatedIP" in spec else "",
        subnet_ids=_field("subnetIDs", subnets_of, spec["subnetIDs"]) if "subnetIDs" in spec else (),
        exclusive=_field("network", _exclusive, spec.get("network", networks.ROUTE_ENI)),
    )


def _field(name: str, reader: Callable[[object], _T], value: object) -> _T:
    """Say of an error which field is wrong."""
    try:
        return reader(value)
    except InvalidInputError as e:
        raise InvalidInputError(f"spec.{name}: {e.message}") from e


def _exclusive(network: object) -> bool:
    if network not in (networks.ROUTE_ENI, networks.DIRECT_ENI):
        raise InvalidInputError(
            f"it is {shown(network)}; allowed are {networks.ROUTE_ENI} and {networks.DIRECT_ENI}"
        )
    return network == networks.DIRECT_ENI


def _expiry(value: object) -> float | None:
    if value is None:
        return None
    return expiry_of(value if isinstance(value, str) else repr(value))
