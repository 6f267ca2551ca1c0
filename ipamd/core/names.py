"""Names and MACs on the node that follow from a sandbox and from its Pod's IP.

The name of the host's end tells the sandbox: "eni" and 11 hex digits of sha1("<container>/<ifname>"), so two
sandboxes of one Pod have links side by side. The ledger records each name all the same, because sandboxes
that an earlier release has wired keep the links that they have. The MACs tell the Pod's IP: given when a link
is created, they keep udev from choosing others later, and they let CHECK see a changed one without a record.
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


def host_veth(container_id: str, ifname: str) -> str:
    """Return the name of the host's end of a sandbox's veth."""
    return _host_veth(f"{container_id}/{ifname}")


def host_veth_of_pod(namespace: str, pod: str) -> str:
    """Return the name that releases up to 0.1 gave: TKE's own rule, one name for all sandboxes of a Pod."""
    return _host_veth(f"{namespace}.{pod}")


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


def _host_veth(subject: str) -> str:
    digest = hashlib.sha1(subject.encode(), usedforsecurity=False).hexdigest()
    return f"{HOST_VETH_PREFIX}{digest[:11]}"


def _mac(prefix: str, ip: str) -> str:
    return f"{prefix}:{ipaddress.IPv4Address(ip).packed.hex(':')}"
