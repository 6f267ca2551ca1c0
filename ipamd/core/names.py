"""Names and MACs on the node that follow from a Pod and its IP, so that nobody has to store them.

The name of the host's end is TKE's: "eni" and the first 11 hex digits of sha1("<namespace>.<pod>"). The MACs
follow from the Pod's IP: given when a link is created, they keep udev from choosing others later, they let
CHECK see a changed one without a record, and a late DEL tell the link of its own sandbox from the one
that a newer sandbox of the same Pod has under the same name.
"""

import hashlib
import ipaddress
import re
from typing import Final

HOST_VETH_PREFIX: Final = "eni"
HOST_VETH: Final = re.compile(HOST_VETH_PREFIX + r"[0-9a-f]{11}")
"""Matches (fullmatch) the names of host ends; 14 characters, one below the kernel's limit of 15."""

GATEWAY_IP: Final = "169.254.1.1"
"""Every Pod's default gateway: no machine has this address, a permanent neighbour entry stands for it."""

# Locally administered, unicast; the second byte tells the host's end from the Pod's.
_HOST_MAC_PREFIX: Final = "0a:e0"
_POD_MAC_PREFIX: Final = "0a:e1"


def host_veth(namespace: str, pod: str) -> str:
    """Return the name of the host's end of the Pod's veth."""
    digest = hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()
    return f"{HOST_VETH_PREFIX}{digest[:11]}"


def host_mac(ip: str) -> str:
    """Return the MAC of the host's end for the Pod with this IPv4 address: the Pod's gateway on the link."""
    return _mac(_HOST_MAC_PREFIX, ip)


def pod_mac(ip: str) -> str:
    """Return the MAC of the Pod's own interface."""
    return _mac(_POD_MAC_PREFIX, ip)


def ip_of_host_mac(mac: str) -> str:
    """Return the Pod's IP that `host_mac` made this MAC from; ValueError for a MAC that it did not make."""
    if not mac.startswith(f"{_HOST_MAC_PREFIX}:"):
        raise ValueError(f"MAC {mac} is not that of a host end")
    return str(ipaddress.IPv4Address(bytes.fromhex(mac[len(_HOST_MAC_PREFIX) + 1 :].replace(":", ""))))


def _mac(prefix: str, ip: str) -> str:
    return f"{prefix}:{ipaddress.IPv4Address(ip).packed.hex(':')}"
