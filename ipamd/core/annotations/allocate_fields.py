"""The JSON of `eip-attributes`: which parameters of AllocateAddresses a Pod may give, by name.

Go, in which TKE is written, reads field names whatever their case, and so do we. A field that is not allowed
is refused by its name: one of AllocateAddresses with the reason, any other with what is allowed (API page
AllocateAddresses). Pure. Errors name field, value and what is allowed; whose annotation it is, the caller
adds.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from ipamd.core.errors import InvalidInputError
from ipamd.core.text.quoting import shown

KNOWN: Final = (
    "Bandwidth",
    "ISP",
    "InternetMaxBandwidthOut",
    "InternetServiceProvider",
    "InternetChargeType",
    "BandwidthPackageId",
    "AddressName",
    "AddressType",
    "AnycastZone",
    "AntiDDoSPackageId",
    "Egress",
    "Tags",
)
REFUSED: Final[Mapping[str, str]] = {
    "AddressCount": "a Pod has one EIP",
    "ClientToken": "the controller makes one for each order, so that none is given twice",
    "AddressChargePrepaid": "months that are paid ahead outlive the Pod, and such an EIP cannot be released",
    "IPChargeType": "the address itself is billed by the hour",
    "VipCluster": "win the address back in the console, and name its EIP in eip-id-list",
    "ApplicableForCLB": "the EIP is for a Pod",
    "DedicatedClusterId": "EIPs of dedicated clusters are not ordered: name yours in eip-id-list",
    "IsDedicatedAddressPool": "EIPs of dedicated pools are not ordered: name yours in eip-id-list",
}
"""Parameters of AllocateAddresses that are not a Pod's to give, and why."""

_SPELLINGS: Final = {name.casefold(): name for name in (*KNOWN, *REFUSED)}
_LONGEST: Final = 8192
"""Characters of an annotation that are looked at."""


def read(text: str) -> dict[str, Any]:
    """Return the fields of the annotation's JSON object under their own names; errors: InvalidInputError."""
    if len(text) > _LONGEST:
        raise InvalidInputError(f"it has {len(text)} characters; allowed are {_LONGEST}")
    try:
        fields = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as e:
        raise InvalidInputError(
            f"{shown(text)} is not JSON ({e}); allowed is an object such as "
            '{"Bandwidth":"100","ISP":"BGP"}, or nothing for the defaults'
        ) from e
    if not isinstance(fields, dict):
        raise InvalidInputError(
            f'{shown(text)} is not a JSON object; allowed is for example {{"Bandwidth":"100","ISP":"BGP"}}'
        )
    for name in fields:
        if name in REFUSED:
            raise InvalidInputError(
                f"field {name} is not allowed, because {REFUSED[name]}; allowed are {', '.join(KNOWN)}"
            )
    unknown = sorted(name for name in fields if name not in KNOWN)
    if unknown:
        raise InvalidInputError(
            f"unknown field {', '.join(map(shown, unknown[:5]))}; allowed are {', '.join(KNOWN)}"
        )
    return fields


def choice(fields: Mapping[str, Any], field: str, allowed: tuple[str, ...], default: str) -> str:
    """Return the field's word, which has to be one of those allowed; errors: InvalidInputError."""
    value = fields.get(field, default)
    if not isinstance(value, str) or value not in allowed:
        raise InvalidInputError(f"{field} is {shown(value)}; allowed are {', '.join(allowed)}")
    return value


def text_of(fields: Mapping[str, Any], field: str) -> str:
    """Return the field's text, empty without one; errors: InvalidInputError."""
    value = fields.get(field, "")
    if not isinstance(value, str):
        raise InvalidInputError(f"{field} is {shown(value)}; allowed is text")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make one object; those within it (tags) have names of their own, which are not ours to spell."""
    names = [_SPELLINGS.get(name.casefold(), name) for name, _ in pairs]
    fields = dict(zip(names, (value for _, value in pairs), strict=True))
    if len(fields) < len(pairs):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInputError(f"field {shown(twice)} is given more than once; allowed is once")
    return fields
