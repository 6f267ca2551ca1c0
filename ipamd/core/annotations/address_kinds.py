"""What goes with what in an order of an EIP: type, line, egress, name, tags (API page AllocateAddresses).

The same holds for an annotation and for the spec of a claim, which a person may have written. Pure. Errors
name the parameter of the API, its value and what is allowed.
"""

import re
from typing import Final

from ipamd.core import model, tags
from ipamd.core.errors import InvalidInputError
from ipamd.core.text.quoting import shown

ORDINARY: Final = "EIP"
TYPES: Final = (ORDINARY, "AnycastEIP", "HighQualityEIP", "AntiDDoSEIP", "ResidentialEIP")
ANYCAST_ZONES: Final = ("ANYCAST_ZONE_OVERSEAS", "ANYCAST_ZONE_GLOBAL")
EGRESSES: Final = ("center_egress1", "center_egress2", "center_egress3")
LONGEST_NAME: Final = 128
"""Characters of an AddressName (API page ModifyAddressAttribute)."""
MOST_TAGS: Final = 20
"""A resource takes 50, and some are ours."""
_LONGEST_KEY: Final = 127
_LONGEST_VALUE: Final = 255
_RESERVED: Final = ("tke-", "qcloud", "tencent", "project")
"""How keys begin that are ours or the cloud's (document 651/13354)."""
_PACKAGE_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")


def check(order: model.EipOrder) -> None:
    """Refuse an order whose parts do not go together; errors: InvalidInputError."""
    _check_type(order)
    _check_egress(order)
    _check_name(order.name)
    _check_tags(order.tags)


def _check_type(order: model.EipOrder) -> None:
    kind = order.address_type
    if kind not in TYPES:
        raise InvalidInputError(f"AddressType is {shown(kind)}; allowed are {', '.join(TYPES)}")
    if order.isp != "BGP" and kind != ORDINARY:
        raise InvalidInputError(
            f"InternetServiceProvider is {order.isp}; allowed is BGP for AddressType {kind}"
        )
    zone, package = order.anycast_zone, order.anti_ddos_package_id
    if zone and (kind != "AnycastEIP" or zone not in ANYCAST_ZONES):
        raise InvalidInputError(
            f"AnycastZone is {shown(zone)}; allowed are {', '.join(ANYCAST_ZONES)}, and with AddressType "
            "AnycastEIP only"
        )
    if package and kind != "AntiDDoSEIP":
        raise InvalidInputError(
            f"AntiDDoSPackageId is {shown(package)}; allowed is one with AddressType AntiDDoSEIP only"
        )
    if kind == "AntiDDoSEIP" and not _PACKAGE_ID.fullmatch(package):
        raise InvalidInputError(
            f"AntiDDoSPackageId is {shown(package)}; AddressType AntiDDoSEIP needs the id of a package"
        )


def _check_egress(order: model.EipOrder) -> None:
    if not order.egress:
        return
    chosen = order.address_type == "HighQualityEIP" or order.isp != "BGP"
    if not chosen or order.egress not in EGRESSES:
        raise InvalidInputError(
            f"Egress is {shown(order.egress)}; allowed are {', '.join(EGRESSES)}, and with AddressType "
            "HighQualityEIP or a single line (CMCC, CTCC, CUCC) only"
        )


def _check_name(name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise InvalidInputError(
            f"AddressName {shown(name)} has {len(name)} characters; allowed are {LONGEST_NAME}"
        )
    if not name.isprintable() or tags.names_claim(name):
        raise InvalidInputError(
            f"AddressName is {shown(name)}; allowed is printable text that has no {tags.BEFORE_UID}, by "
            "which EIPs of claims are known"
        )


def _check_tags(given: tuple[tuple[str, str], ...]) -> None:
    if len(given) > MOST_TAGS:
        raise InvalidInputError(f"Tags has {len(given)} entries; allowed are {MOST_TAGS}")
    for key, value in given:
        if not 1 <= len(key) <= _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise InvalidInputError(
                f"Tags has {shown(key)}: {shown(value)}; allowed are keys of 1 to {_LONGEST_KEY} characters "
                f"and values of up to {_LONGEST_VALUE}"
            )
        if key.casefold().startswith(_RESERVED):
            raise InvalidInputError(
                f"Tags has the key {shown(key)}; keys that begin with {', '.join(_RESERVED)} are the "
                "controller's or the cloud's own"
            )
    keys = [key for key, _ in given]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise InvalidInputError(f"Tags has the key {shown(twice)} more than once; allowed is once")
