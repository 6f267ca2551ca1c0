"""Addresses of Pods that somebody has given to a link of the node: found, and taken off.

Cloud-init, DHCP clients and networkd configure a hot-plugged ENI with every address that the cloud lists
for it. The table `local` comes before all others, so the node then keeps what is sent to the Pod, and
answers for it.
"""

from collections.abc import Container, Iterator
from typing import NamedTuple

from ipamd.net import links, listing, rtnetlink
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.sysctls import Sysctls


class HostAddress(NamedTuple):
    """An address of a link of the node."""

    ip: str
    prefix_length: int
    ifindex: int
    link: str


def found(ips: Container[str]) -> list[HostAddress]:
    """Return those of the addresses that links of the calling thread's namespace have."""
    with NetlinkSocket(ROUTE) as channel:
        return list(_found(channel, ips))


def among(seen: KernelListing, ips: Container[str]) -> list[HostAddress]:
    """Return those of the addresses that links of a listing have."""
    return [
        HostAddress(address.ip, address.prefix_length, address.ifindex, seen.by_index[address.ifindex].name)
        for address in seen.addresses
        if address.ip in ips and address.ifindex in seen.by_index
    ]


def take_off(taken: list[HostAddress], sysctls: Sysctls) -> list[HostAddress]:
    """Take the addresses off the links that have them; return them."""
    with NetlinkSocket(ROUTE) as channel:
        for address in taken:
            # Without this the kernel removes with an address all later ones of its subnet: the node's own.
            sysctls.ensure(f"ipv4/conf/{address.link}/promote_secondaries", "1")
            what = f"take {address.ip} off {address.link}"
            channel.change(rtnetlink.delete_address(address.ifindex, address.ip, address.prefix_length, what))
    return taken


def _found(channel: NetlinkSocket, ips: Container[str]) -> Iterator[HostAddress]:
    for answer in channel.dump(rtnetlink.list_addresses(), "list addresses"):
        address = listing.address(answer)
        if address.ip in ips:
            link = links.by_index(channel, address.ifindex)
            if link is not None:
                yield HostAddress(address.ip, address.prefix_length, address.ifindex, link.name)
