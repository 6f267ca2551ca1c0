"""Names and MACs on the node that follow from a sandbox.

The host's end of a veth is the sandbox's: its name is "eni" and 11 hex digits of
sha1("<container>/<ifname>"), its MAC has 8 further digits of the same sum, and the Pod's end has the MAC
beside it. So two sandboxes of one Pod have links side by side, and a link has its name and MACs whatever
addresses it is to carry. They are given when the link is created, which keeps udev from choosing others
later.

The ledger records name and MAC all the same, because sandboxes that an earlier release has wired keep the
links that they have: up to 0.1 a link was named by its Pod, and until later its MACs told the IPv4 address.
"""

import hashlib
import ipaddress
import re
from typing import Final, NamedTuple

HOST_VETH_PREFIX: Final = "eni"
HOST_VETH: Final = re.compile(HOST_VETH_PREFIX + r"[0-9a-f]{11}")
"""Matches (fullmatch) the names of host ends; 14 characters, one below the kernel's limit of 15."""

GATEWAY_IP: Final = "169.254.1.1"
"""Every Pod's default gateway: no machine has this address, a permanent neighbour entry stands for it."""

# Locally administered, unicast. The second byte tells by which rule a MAC was given; its lowest bit tells the
# Pod's end from the host's.
_MAC_OF_SANDBOX: Final = "0a:e2"
_MAC_OF_ADDRESS: Final = "0a:e0"
HOST_MAC: Final = re.compile(f"({_MAC_OF_SANDBOX}|{_MAC_OF_ADDRESS})(:[0-9a-f]{{2}}){{4}}")
"""Matches (fullmatch) the MACs of host ends, by whatever rule they were given."""


class HostEnd(NamedTuple):
    """The host's end of a sandbox's veth, as it is told from every other link of the node."""

    name: str
    mac: str


def host_end(container_id: str, ifname: str) -> HostEnd:
    """Return what the host's end of a new sandbox's veth is called, and its MAC."""
    return HostEnd(host_veth(container_id, ifname), host_mac(container_id, ifname))


def host_veth(container_id: str, ifname: str) -> str:
    """Return the name of the host's end of a sandbox's veth."""
    return _host_veth(f"{container_id}/{ifname}")


def host_mac(container_id: str, ifname: str) -> str:
    """Return the MAC of the host's end of a sandbox's veth: the Pod's gateway on the link."""
    # The name has the first 11 hex digits; these are others, so that both together tell 76 bits.
    return _mac(_MAC_OF_SANDBOX, bytes.fromhex(_digest(f"{container_id}/{ifname}"))[6:10])


def pod_mac(mac: str) -> str:
    """Return the MAC of the Pod's end of the veth whose host's end has this MAC."""
    first, second, rest = mac.split(":", 2)
    return f"{first}:{int(second, 16) ^ 1:02x}:{rest}"


def host_veth_of_pod(namespace: str, pod: str) -> str:
    """Return the name that releases up to 0.1 gave: TKE's own rule, one name for all sandboxes of a Pod."""
    return _host_veth(f"{namespace}.{pod}")


def host_mac_of_address(ip: str) -> str:
    """Return the MAC that earlier releases gave to the host's end for the Pod with this IPv4 address."""
    return _mac(_MAC_OF_ADDRESS, ipaddress.IPv4Address(ip).packed)


def address_of_host_mac(mac: str) -> str:
    """Return the Pod's IP that an earlier release has made this MAC from; empty for every other MAC."""
    if not HOST_MAC.fullmatch(mac) or not mac.startswith(_MAC_OF_ADDRESS):
        return ""
    return str(ipaddress.IPv4Address(bytes.fromhex(mac[len(_MAC_OF_ADDRESS) :].replace(":", ""))))


def _host_veth(subject: str) -> str:
    return f"{HOST_VETH_PREFIX}{_digest(subject)[:11]}"


def _digest(subject: str) -> str:
    return hashlib.sha1(subject.encode(), usedforsecurity=False).hexdigest()


def _mac(prefix: str, rest: bytes) -> str:
    return f"{prefix}:{rest.hex(':')}"
