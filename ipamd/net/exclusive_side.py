"""The two links of a Pod that has an ENI of its own, in its namespace: set up by ADD, compared by CHECK.

    eth0 (the ENI)   <ip>/32; default via the subnet's gateway, on link
    veth1            no address; 169.254.1.1, its MAC a permanent neighbour; via it: the node, Services,
                     link-local addresses

What the node sends by veth1 may come from an address whose way back is eth0, such as that of a Pod beside it:
the reverse path filter is loose on both. What is lost when a link goes down is made again as in shared mode,
only where the link still is what we made.
"""

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from typing import Final

from ipamd.core import errors, names
from ipamd.net import ipv6_guard, links, listing, netlink, rtnetlink
from ipamd.net.listing import KernelRoute, Link
from ipamd.net.model import SECOND_LINK, ChainedLink, OwnEni, PodWiring
from ipamd.net.netlink import ROUTE, NetlinkRequest, NetlinkSocket
from ipamd.net.sysctls import Sysctls

_LOOSE: Final = "2"


def configure_second(pod: PodWiring, sysctls: Sysctls) -> int:
    """Set up the link to the node, inside the Pod's namespace; return its ifindex."""
    where = f"of Pod {pod.ip} in {pod.netns_path}"
    try:
        ifindex = socket.if_nametoindex(SECOND_LINK)
    except OSError as e:
        raise netlink.kernel_error(f"find link {SECOND_LINK}", netlink.Refusal(e.errno or 0, "")) from e
    ipv6_guard.close(SECOND_LINK, sysctls)
    sysctls.ensure(f"ipv4/conf/{SECOND_LINK}/rp_filter", _LOOSE)
    with NetlinkSocket(ROUTE) as channel:
        channel.change(
            rtnetlink.set_link(ifindex, f"bring up {SECOND_LINK} {where}"),
            rtnetlink.set_host_route(
                names.GATEWAY_IP, ifindex, f"add the route to the gateway on {SECOND_LINK} {where}"
            ),
            rtnetlink.set_neighbour(
                names.GATEWAY_IP, pod.host_mac, ifindex, f"add the gateway's neighbour entry {where}"
            ),
        )
    return ifindex


def configure_eni(pod: PodWiring, own: OwnEni, sysctls: Sysctls) -> int:
    """Make the ENI's link the Pod's interface, inside the Pod's namespace; return its ifindex."""
    where = f"of Pod {pod.ip} in {pod.netns_path}"
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_mac(channel, own.mac)
        if link is None:
            raise errors.TryAgainError(
                f"no link with MAC {own.mac} is on the node, or in {pod.netns_path}",
                advice="it returns by itself from the namespace that had it; see `ip link` if it does not",
            )
        if link.name != pod.ifname:
            if link.up:
                channel.change(rtnetlink.set_down(link.ifindex, f"set {link.name} down {where}"))
            what = f"rename {link.name} to {pod.ifname} {where}"
            channel.change(rtnetlink.rename_link(link.ifindex, pod.ifname, what))
    ipv6_guard.close(pod.ifname, sysctls)
    sysctls.ensure(f"ipv4/conf/{pod.ifname}/rp_filter", _LOOSE)
    with NetlinkSocket(ROUTE) as channel:
        channel.change(
            rtnetlink.set_link(link.ifindex, f"bring up {pod.ifname} {where}", mtu=pod.mtu),
            rtnetlink.add_address(link.ifindex, pod.ip, f"add the address {where}"),
            _default(own, link.ifindex, where),
        )
        # After the address: the kernel takes it for the source of what leaves by the second link.
        channel.change(*_to_node(own, socket.if_nametoindex(SECOND_LINK), where))
    return link.ifindex


def differences(pod: PodWiring, own: OwnEni, chained: ChainedLink) -> Iterator[str]:
    """Yield one sentence for each difference, inside the Pod's namespace."""
    found = _Found()
    eni, second = found.by_mac(own.mac), found.by_name(SECOND_LINK)
    if eni is None or eni.name != pod.ifname:
        where = f"called {eni.name}" if eni is not None else "not in its namespace"
        yield f"the Pod's ENI with MAC {own.mac} is {where}, not {pod.ifname}"
    if eni is not None:
        if not eni.up:
            yield f"interface {eni.name} of the Pod is down"
        if eni.mtu > pod.mtu and eni.mtu != chained.mtu:
            yield f"interface {eni.name} of the Pod has MTU {eni.mtu}, not {pod.mtu}"
        if not found.has_address(eni.ifindex, pod.ip):
            yield f"interface {eni.name} of the Pod has no address {pod.ip}/32"
    if second is None or not second.up:
        state = "down" if second else "gone"
        yield f"interface {SECOND_LINK} of the Pod, which leads to the node, is {state}"
    yield from (f"the Pod has no {what}" for what in found.lost(own, eni, second))


def mend(pod: PodWiring, own: OwnEni) -> list[str]:
    """Make the routes again that went with a link that was down; return what they were."""
    found = _Found()
    eni, second = found.by_mac(own.mac), found.by_name(SECOND_LINK)
    if eni is None or second is None or not eni.up or not second.up:
        return []
    if eni.name != pod.ifname or not found.has_address(eni.ifindex, pod.ip):
        return []
    lost = list(found.lost(own, eni, second))
    where = f"of Pod {pod.ip}"
    if lost:
        to_gateway = rtnetlink.set_host_route(
            names.GATEWAY_IP, second.ifindex, f"add the route to the gateway {where}"
        )
        neighbour = rtnetlink.set_neighbour(
            names.GATEWAY_IP, pod.host_mac, second.ifindex, f"add the gateway's neighbour entry {where}"
        )
        default = [] if found.has_default else [_default(own, eni.ifindex, where)]
        with NetlinkSocket(ROUTE) as channel:
            channel.change(to_gateway, neighbour, *_to_node(own, second.ifindex, where), *default)
    return lost


def lost(own: OwnEni) -> list[str]:
    """Return what `mend` would make again."""
    found = _Found()
    eni, second = found.by_mac(own.mac), found.by_name(SECOND_LINK)
    if eni is None or second is None or not eni.up or not second.up:
        return []
    return list(found.lost(own, eni, second))


def _default(own: OwnEni, ifindex: int, where: str) -> NetlinkRequest:
    what = f"add the default route {where}"
    return rtnetlink.set_default_route(own.gateway, ifindex, rtnetlink.MAIN_TABLE, what)


def _to_node(own: OwnEni, ifindex: int, where: str) -> Sequence[NetlinkRequest]:
    return [
        rtnetlink.set_route(cidr, names.GATEWAY_IP, ifindex, f"add the route {cidr} to the node {where}")
        for cidr in own.by_node
    ]


class _Found:
    """What there is in the namespace of the calling thread, listed once."""

    def __init__(self) -> None:
        with NetlinkSocket(ROUTE) as channel:
            self._links = links.listed(channel)
            addresses = channel.dump(rtnetlink.list_addresses(), "list addresses")
            answers = channel.dump(rtnetlink.list_routes(), "list routes")
        self._addresses = {listing.address(answer) for answer in addresses}
        self._routes = [r for r in map(listing.route, answers) if r.table == rtnetlink.MAIN_TABLE]

    def by_mac(self, mac: str) -> Link | None:
        return next((link for link in self._links if link.mac == mac), None)

    def by_name(self, name: str) -> Link | None:
        return next((link for link in self._links if link.name == name), None)

    def has_address(self, ifindex: int, ip: str) -> bool:
        return (ifindex, ip, 32) in self._addresses

    @property
    def has_default(self) -> bool:
        return any(not route.prefix_length for route in self._routes)

    def lost(self, own: OwnEni, eni: Link | None, second: Link | None) -> Iterator[str]:
        """Yield the routes that are not there."""
        if eni is not None and not any(
            not r.prefix_length and (r.gateway, r.ifindex) == (own.gateway, eni.ifindex) for r in self._routes
        ):
            yield f"default route via {own.gateway} dev {eni.name}"
        if second is not None:
            present = {_cidr(r) for r in self._routes if r.ifindex == second.ifindex}
            for cidr in (f"{names.GATEWAY_IP}/32", *own.by_node):
                if cidr not in present:
                    yield f"route {cidr} dev {SECOND_LINK}"


def _cidr(route: KernelRoute) -> str:
    return str(ipaddress.IPv4Network((route.destination or "0.0.0.0", route.prefix_length)))
