"""The Pod's end of its link: set up by ADD, compared by CHECK, mended after it was down.

    eth0 <ip>/32; 169.254.1.1 dev eth0; default via it; its MAC a permanent neighbour; no IPv6

When the interface goes down and up the kernel forgets the routes, and with another MAC it forgets the
permanent neighbour. The neighbour is no loss: the node's end answers ARP for 169.254.1.1. The routes are
made again, but only where the Pod is still what we made: with our address on our interface, and without a
default route of its own (a VPN's, a virtual machine's bridge). A link that goes down takes both routes: a Pod
that lacks the default route alone has removed it, so that nothing gets past its VPN, say.
"""

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from ipamd.core import errors, names
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.net import exclusive_side, ipv6_guard, links, listing, netlink, netns, rtnetlink
from ipamd.net.listing import KernelRoute, Link, Neighbour
from ipamd.net.model import ChainedLink, PodWiring
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.sysctls import Sysctls

_GATEWAY: Final = names.GATEWAY_IP


def configure(pod: PodWiring, sysctls: Sysctls) -> int:
    """Set up a new interface, inside the Pod's namespace; return its ifindex."""
    if pod.own_eni is not None:
        return exclusive_side.configure_second(pod, sysctls)
    where = f"of Pod {pod.ip} in {pod.netns_path}"
    try:
        ifindex = socket.if_nametoindex(pod.ifname)
    except OSError as e:
        raise netlink.kernel_error(f"find link {pod.ifname}", netlink.Refusal(e.errno or 0, "")) from e
    ipv6_guard.close(pod.ifname, sysctls)
    with NetlinkSocket(ROUTE) as channel:
        channel.change(
            rtnetlink.set_link(ifindex, f"bring up {pod.ifname} {where}"),
            rtnetlink.add_address(ifindex, pod.ip, f"add the address {where}"),
            *_routes(ifindex, where),
            _neighbour(pod, ifindex, where),
        )
    return ifindex


def differences(pod: PodWiring, chained: ChainedLink) -> Iterator[str]:
    """Yield one sentence for each difference, inside the Pod's namespace."""
    if pod.own_eni is not None:
        yield from exclusive_side.differences(pod, pod.own_eni, chained)
        return
    found = _Found.of(pod)
    if found is None:
        yield f"interface {pod.ifname} does not exist in {pod.netns_path}"
        return
    what = f"interface {pod.ifname} of the Pod"
    if not found.link.up:
        yield f"{what} is down"
    if chained.mac and found.link.mac not in (pod.pod_mac, chained.mac):
        yield f"{what} has MAC {found.link.mac}, not {pod.pod_mac}"
    # A smaller one is a choice that plugins offer. A larger one loses packets at the node's end.
    if found.link.mtu > pod.mtu and found.link.mtu != chained.mtu:
        yield f"{what} has MTU {found.link.mtu}, not {pod.mtu}"
    if not found.has_address:
        yield f"{what} has no address {pod.ip}/32"
    if not found.reaches_gateway:
        yield f"the Pod has no route {_GATEWAY} dev {pod.ifname}"
    if not any(route.gateway == _GATEWAY and route.ifindex == found.link.ifindex for route in found.defaults):
        yield f"the Pod has no default route via {_GATEWAY} dev {pod.ifname}"
    # None at all is no loss: the node answers when the Pod asks.
    if found.is_misled(pod):
        yield f"the Pod's neighbour entry for {_GATEWAY} is not {pod.host_mac}"


def differences_of_all(pods: Iterable[PodWiring]) -> list[Difference]:
    """Return what differs in the namespaces of many Pods; one that is gone, or down, is left out.

    A link that is down in a Pod is the Pod's own wish: the repair waits until it is up.
    """
    looks = netns.visit((pod.netns_path, partial(_lost_of, pod)) for pod in pods)
    for found in looks:
        if isinstance(found, errors.IpamError) and not isinstance(found, errors.NetnsError):
            raise found
    return [difference for found in looks if not isinstance(found, errors.IpamError) for difference in found]


def _lost_of(pod: PodWiring) -> list[Difference]:
    """Return what `mend` would make again."""
    return [
        Difference(
            code=FindingCode.POD_INSIDE,
            subject=f"pod/{pod.ip}",
            text=f"the Pod at {pod.ip} has lost {what}",
            ip=pod.ip,
        )
        for what in _lost(pod)
    ]


def _lost(pod: PodWiring) -> list[str]:
    if pod.own_eni is not None:
        return exclusive_side.lost(pod.own_eni)
    found = _Found.of(pod)
    return found.lost(pod) if found is not None else []


def mend(pods: Iterable[PodWiring]) -> list[list[str] | errors.IpamError]:
    """Make again what each Pod has lost; return what that was, one sentence each, or why nobody knows.

    That is a NetnsError where the namespace is gone or not the Pod's.
    """
    return netns.visit((pod.netns_path, partial(_mend, pod)) for pod in pods)


def _mend(pod: PodWiring) -> list[str]:
    if pod.own_eni is not None:
        return exclusive_side.mend(pod, pod.own_eni)
    found = _Found.of(pod)
    if found is None or not found.link.up or not found.has_address:
        return []
    lost = found.lost(pod)
    where = f"of Pod {pod.ip}"
    to_gateway, default = _routes(found.link.ifindex, where)
    requests = [to_gateway, default] if found.has_no_way_out else [to_gateway]
    if lost or found.neighbour is None:
        with NetlinkSocket(ROUTE) as channel:
            channel.change(*requests, _neighbour(pod, found.link.ifindex, where))
    return lost


def _routes(ifindex: int, where: str) -> tuple[netlink.NetlinkRequest, netlink.NetlinkRequest]:
    return (
        rtnetlink.set_host_route(_GATEWAY, ifindex, f"add the route to the gateway {where}"),
        rtnetlink.set_default_route(
            _GATEWAY, ifindex, rtnetlink.MAIN_TABLE, f"add the default route {where}"
        ),
    )


def _neighbour(pod: PodWiring, ifindex: int, where: str) -> netlink.NetlinkRequest:
    what = f"add the gateway's neighbour entry {where}"
    return rtnetlink.set_neighbour(_GATEWAY, pod.host_mac, ifindex, what)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What there is of the Pod's end."""

    link: Link
    has_address: bool
    reaches_gateway: bool
    defaults: tuple[KernelRoute, ...]
    """The default routes of main, whosever they are."""
    neighbour: Neighbour | None

    @classmethod
    def of(cls, pod: PodWiring) -> "_Found | None":
        """Look, in the namespace of the calling thread."""
        with NetlinkSocket(ROUTE) as channel:
            link = links.by_name(channel, pod.ifname)
            if link is None:
                return None
            addresses = channel.dump(rtnetlink.list_addresses(), "list addresses")
            answers = channel.dump(rtnetlink.list_routes(), "list routes")
            neighbours = map(listing.neighbour, channel.dump(rtnetlink.list_neighbours(), "list neighbours"))
            entry = next((n for n in neighbours if (n.ifindex, n.ip) == (link.ifindex, _GATEWAY)), None)
        routes = [route for route in map(listing.route, answers) if route.table == rtnetlink.MAIN_TABLE]
        return cls(
            link=link,
            has_address=(link.ifindex, pod.ip, 32) in [listing.address(answer) for answer in addresses],
            reaches_gateway=any(
                (r.destination, r.prefix_length, r.ifindex) == (_GATEWAY, 32, link.ifindex) for r in routes
            ),
            defaults=tuple(route for route in routes if not route.prefix_length),
            neighbour=entry,
        )

    @property
    def has_no_way_out(self) -> bool:
        """Whether both routes are gone, as they go with a link that was down."""
        return not self.defaults and not self.reaches_gateway

    def lost(self, pod: PodWiring) -> list[str]:
        """Return what was lost and is to be made again; nothing where the Pod is not as we made it."""
        if not self.link.up or not self.has_address:
            return []
        found = []
        if not self.reaches_gateway:
            found.append(f"the route {_GATEWAY} dev {pod.ifname}")
        if self.has_no_way_out:
            found.append(f"the default route via {_GATEWAY}")
        if self.is_misled(pod):
            found.append(f"the neighbour entry of {_GATEWAY}")
        return found

    def is_misled(self, pod: PodWiring) -> bool:
        """Whether the Pod is told for ever that its gateway has another MAC than the node's end."""
        entry = self.neighbour
        permanent = entry is not None and entry.state & rtnetlink.PERMANENT
        return bool(permanent and entry is not None and entry.mac != pod.host_mac)
