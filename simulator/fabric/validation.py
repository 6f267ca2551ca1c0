"""What the fabric accepts as ids and addresses, which end up in netlink messages and nft scripts. Pure."""

import contextlib
import re
from ipaddress import IPv4Address, IPv4Network

from simulator.fabric.api import EniPort, FabricError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


def check_port(port: EniPort) -> None:
    """Refuse a port with a malformed id, MAC or address."""
    check_id("ENI", port.eni_id)
    if not _MAC.fullmatch(port.mac):
        raise FabricError(f"ENI {port.eni_id}: mac {port.mac!r} is not six lower-case bytes with colons")
    check_network("subnet", port.subnet_cidr)
    for address in (port.gateway, port.primary_ip, *port.secondary_ips):
        check_address(f"address of ENI {port.eni_id}", address)


def check_id(kind: str, value: str) -> None:
    """Refuse what cannot be part of a namespace's or a link's name."""
    if not _ID.fullmatch(value):
        raise FabricError(f"{kind} id {value!r} is not made of letters, digits, dots, dashes and underscores")


def check_address(what: str, value: str) -> None:
    """Refuse anything but a dotted IPv4 address."""
    with contextlib.suppress(ValueError):
        if str(IPv4Address(value)) == value:
            return
    raise FabricError(f"{what} {value!r} is not an IPv4 address")


def check_network(what: str, value: str) -> None:
    """Refuse anything but an IPv4 network without host bits."""
    with contextlib.suppress(ValueError):
        if str(IPv4Network(value)) == value:
            return
    raise FabricError(f"{what} {value!r} is not an IPv4 network such as 10.0.1.0/24")
