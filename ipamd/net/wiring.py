"""One Pod's links, addresses and routes: made, and taken away.

    Pod     eth0: see pod_side.py
    node    eni<sha1> up, no address, no IPv6, answers ARP for 169.254.1.1; <ip>/32 dev eni<sha1> in main;
            nft: which ENI, whether it has an EIP, by which link it speaks

A Pod is wired completely or not at all: what was made is taken away again when a later step fails. The link
is the sandbox's (docs/adr/0020: name, MAC and alias tell it), the rest is the address's: an address that
another sandbox has still is taken over by `prepared`, which makes a second link, and `swap`. Safe from many
threads at once, for different addresses; the kernel's rtnl lock orders the rest.

Measured (kernel 6.18, 2 busy CPUs): `wire` takes 1.0 ms of CPU, and mostly in the kernel: veth 0.35, Pod's
side 0.15, node's route and alias 0.05, nft 0.08, thread and setns 0.1 (docs/adr/0034). Removing a veth takes
20 ms, because the kernel waits for RCU readers: `wire` therefore tries first and looks for a left-over only
when the name is taken.
"""

import contextlib
import errno
import logging
import socket
from collections.abc import Iterator, Sequence

from ipamd.core import errors, names
from ipamd.core.names import HostEnd
from ipamd.net import (
    exclusive_eni,
    ipv6_guard,
    links,
    netlink,
    netns,
    nft_elements,
    pod_side,
    rtnetlink,
    ruleset,
)
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.marks import EXCLUSIVE_TABLE
from ipamd.net.model import PodLink, PodWiring, checked_host_end, checked_ip
from ipamd.net.netlink import ROUTE, NetlinkRequest, NetlinkSocket
from ipamd.net.nft_elements import Change, Element, Elements
from ipamd.net.rtnetlink import VethEnd
from ipamd.net.sysctls import Sysctls

log = logging.getLogger(__name__)


def wire(pod: PodWiring, elements: Elements, sysctls: Sysctls) -> PodLink:
    """Give the Pod its interface; NetnsError, InvalidInputError or KernelError when that is not possible.

    Done again for the same Pod, it makes everything anew, also when an earlier attempt was cut short or its
    sandbox is gone.
    """
    with netns.opened(pod.netns_path) as namespace, contextlib.ExitStack() as undo:
        undo.callback(_take_back, pod, elements)
        with NetlinkSocket(ROUTE) as channel:
            made = _make_link(channel, pod, namespace, sysctls)
            return_eni(pod, sysctls)
            _connect(channel, pod, made.host_ifindex, elements)
        undo.pop_all()
    return made


@contextlib.contextmanager
def prepared(pod: PodWiring, sysctls: Sysctls) -> Iterator[PodLink]:
    """Make the sandbox's link and its side, and nothing that another link of the address would notice.

    When the block fails the link is taken away again. Errors as `wire`.
    """
    with netns.opened(pod.netns_path) as namespace, contextlib.ExitStack() as undo:
        undo.callback(_take_link_back, pod)
        with NetlinkSocket(ROUTE) as channel:
            made = _make_link(channel, pod, namespace, sysctls)
        yield made
        undo.pop_all()


def swap(pod: PodWiring, made: PodLink, elements: Elements, sysctls: Sysctls) -> None:
    """Lead the address to a link that was prepared; after a KernelError it leads where it did.

    The route, which decides, comes last; then the other link loses the address.
    """
    return_eni(pod, sysctls)
    has_eip = elements.lookup(ruleset.EIP_PODS, pod.ip) is not None
    elements.apply(_element_changes(pod, has_eip=has_eip))
    with NetlinkSocket(ROUTE) as channel:
        _route(channel, pod, made.host_ifindex)
    try:
        elements.apply(_source_changes(pod.ip, made.host_ifindex, elements))
    except errors.IpamError:
        # The address is led to the new link; the next repair takes it from the other one.
        log.exception("could not let %s in by %s alone", pod.ip, pod.host_veth)


def return_eni(pod: PodWiring, sysctls: Sysctls) -> None:
    """Make the ENI that the Pod has as a whole, if it has one, the Pod's interface."""
    if pod.own_eni is not None:
        with netns.opened(pod.netns_path) as namespace:
            exclusive_eni.enter(pod, pod.own_eni, namespace, sysctls)


def forget_exclusive(ip: str, elements: Elements) -> None:
    """Count an address no longer to the Pods with an ENI of their own."""
    elements.apply(elements.removal((ruleset.EXCLUSIVE_PODS, Element(ip))))
    with NetlinkSocket(ROUTE) as channel:
        channel.change(rtnetlink.delete_host_route(ip, EXCLUSIVE_TABLE))


def _make_link(channel: NetlinkSocket, pod: PodWiring, namespace: int, sysctls: Sysctls) -> PodLink:
    _make_veth(channel, pod, namespace)
    host_ifindex = _ifindex(pod.host_veth)
    ipv6_guard.close(pod.host_veth, sysctls)
    pod_ifindex = netns.run_inside(namespace, lambda: pod_side.configure(pod, sysctls))
    return PodLink(
        host_mac=pod.host_mac,
        pod_mac=pod.pod_mac,
        host_ifindex=host_ifindex,
        pod_ifindex=pod_ifindex,
    )


def connect(pod: PodWiring, elements: Elements, sysctls: Sysctls) -> bool:
    """Mend the node's side, link to nft elements; False when the link is gone and only ADD can help."""
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_name(channel, pod.host_veth)
        if link is None or link.mac != pod.host_mac:
            elements.apply(_source_removals(pod.ip, elements))
            return False
        ipv6_guard.ensure_closed(pod.host_veth, sysctls)
        sysctls.ensure(f"ipv4/conf/{pod.host_veth}/forwarding", "1")
        _connect(channel, pod, link.ifindex, elements)
    elements.apply(_source_removals(pod.ip, elements, but=link.ifindex))
    return True


def adopt(seen: KernelListing, elements: Elements, node_ip: str) -> int:
    """Let every link speak as the addresses that are led to it, and as no other ones: for a start.

    A release before has let Pods in by their routes alone; a roll-back to it adds and removes no elements.
    Nor has one before given the node's packets to Pods with an ENI of their own the source `node_ip`.
    Nothing is told of it: it is how Pods are brought from one release to the next. No Pod is wired meanwhile.
    Return how many routes were changed.
    """
    links = [seen.by_index[ifindex] for ifindex in seen.pod_routes if ifindex in seen.by_index]
    ours = {link.ifindex for link in links if names.HOST_VETH.fullmatch(link.name)}
    wanted = {(ifindex, ip) for ifindex in ours for ip in seen.pod_routes[ifindex]}
    found = {element.key for element in elements.members(ruleset.POD_SOURCES)}
    changes = [
        change(ruleset.POD_SOURCES, *(Element(ip, ifindex=ifindex) for ifindex, ip in sorted(keys)))
        for change, keys in ((nft_elements.delete, found - wanted), (nft_elements.add, wanted - found))
        if keys
    ]
    elements.apply(changes)
    plain = [link for link in links if link.ifindex in ours and not link.accepts_local]
    routes = _without_source(seen, node_ip) if node_ip else []
    with NetlinkSocket(ROUTE) as channel:
        channel.change(
            *(rtnetlink.accept_local(link.ifindex, f"set accept_local of {link.name}") for link in plain),
            *routes,
        )
    return len(routes)


def _without_source(seen: KernelListing, node_ip: str) -> list[NetlinkRequest]:
    """Return what gives the node's address to our routes to Pods with an ENI of their own that lack it."""
    return [
        rtnetlink.set_host_route(
            route.destination,
            route.ifindex,
            f"set the source {node_ip} of route {route.destination}/32",
            EXCLUSIVE_TABLE,
            source=node_ip,
        )
        for (table, _), routes in seen.host_routes.items()
        for route in routes
        if table == EXCLUSIVE_TABLE and route.protocol == rtnetlink.PROTOCOL and route.source != node_ip
    ]


def unwire(ip: str, end: HostEnd, elements: Elements) -> None:
    """Take away what `wire` made; what is gone already is no error.

    The Pod's end goes with the node's, so the Pod's namespace need not exist. A link of this name with
    another MAC is another sandbox's and stays.
    """
    ifindex = cut(ip, end, elements)
    if ifindex is not None:
        remove_link(ifindex)


def remove_link(ifindex: int) -> None:
    """Remove a link; one that is gone already is no error."""
    with NetlinkSocket(ROUTE) as channel:
        channel.change(rtnetlink.delete_link_index(ifindex))


def cut(ip: str, end: HostEnd, elements: Elements) -> int | None:
    """Take away all that `wire` made but the link: no packet gets in or out; return the link's ifindex."""
    ifindex = find(checked_host_end(end))
    if ifindex is None:
        clear(ip, elements)
    else:
        _clear(checked_ip(ip), elements, (ruleset.POD_SOURCES, Element(ip, ifindex=ifindex)))
    return ifindex


def clear(ip: str, elements: Elements) -> None:
    """Take away what the node has of an address besides its link: the route and the nft elements."""
    _clear(checked_ip(ip), elements, stale=_source_removals(ip, elements))


def _clear(ip: str, elements: Elements, *sources: tuple[str, Element], stale: Sequence[Change] = ()) -> None:
    of_address = elements.removal((ruleset.PODS, Element(ip)), (ruleset.EIP_PODS, Element(ip)), *sources)
    elements.apply([*of_address, *stale])
    with NetlinkSocket(ROUTE) as channel:
        channel.change(rtnetlink.delete_host_route(ip))


def find(end: HostEnd) -> int | None:
    """Return the index of the host's end of a sandbox's veth, or None."""
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_name(channel, checked_host_end(end).name)
    if link is None:
        return None
    if link.mac != end.mac:
        log.info("link %s stays: its MAC is %s, not %s", end.name, link.mac, end.mac)
        return None
    return link.ifindex


def set_eip(ip: str, elements: Elements, *, wanted: bool) -> None:
    """Say whether a wired Pod has an EIP; new connections follow, those that exist stay on their way."""
    has_eip = elements.lookup(ruleset.EIP_PODS, checked_ip(ip)) is not None
    elements.apply(_eip_changes(ip, wanted=wanted, has_eip=has_eip))


def _make_veth(channel: NetlinkSocket, pod: PodWiring, namespace: int) -> None:
    """Make the pair; explicit MACs, which udev's MACAddressPolicy=persistent leaves alone.

    The kernel takes no alias with a new link. It comes in the same datagram, which the kernel carries out
    before a process can die: there is no link of ours that does not tell its sandbox.
    """
    host = VethEnd(pod.host_veth, pod.host_mac, pod.mtu)
    end = VethEnd(pod.veth, pod.pod_mac, pod.mtu)
    make = rtnetlink.add_veth(host, end, namespace, f"make veth {pod.host_veth} for {pod.ip}")
    tell = [rtnetlink.set_alias(pod.host_veth, pod.alias)] if pod.alias else []
    if channel.change(make, *tell)[0] == errno.EEXIST:
        channel.change(rtnetlink.delete_link(pod.host_veth))
        if channel.change(make, *tell)[0] == errno.EEXIST:
            raise errors.InvalidInputError(
                f"interface {pod.veth} exists already in {pod.netns_path}",
                advice="the runtime has to give a name that is free in the sandbox, or a new sandbox",
            )


def _connect(channel: NetlinkSocket, pod: PodWiring, host_ifindex: int, elements: Elements) -> None:
    _route(channel, pod, host_ifindex)
    of_mode = ruleset.PODS if pod.own_eni is None else ruleset.EXCLUSIVE_PODS
    again, eip = elements.lookups((of_mode, Element(pod.ip)), (ruleset.EIP_PODS, Element(pod.ip)))
    # Only of an address that was wired before something may be left: most ADDs need no list.
    stale = _source_removals(pod.ip, elements, but=host_ifindex) if again is not None else []
    source = nft_elements.add(ruleset.POD_SOURCES, Element(pod.ip, ifindex=host_ifindex))
    elements.apply([*_element_changes(pod, has_eip=eip is not None), source, *stale])


def _route(channel: NetlinkSocket, pod: PodWiring, host_ifindex: int) -> None:
    up = f"bring up {pod.host_veth}, with its alias"
    channel.change(
        # First: a link that is down takes no route.
        rtnetlink.set_link(host_ifindex, up, mtu=pod.mtu, alias=pod.alias, accept_local=True),
        rtnetlink.set_host_route(
            pod.ip,
            host_ifindex,
            f"add route {pod.ip}/32 dev {pod.host_veth}",
            pod.table,
            source=pod.route_source,
        ),
        rtnetlink.set_proxy(names.GATEWAY_IP, host_ifindex, f"answer ARP on {pod.host_veth}"),
    )


def _element_changes(pod: PodWiring, *, has_eip: bool) -> list[Change]:
    if pod.own_eni is not None:
        return [nft_elements.add(ruleset.EXCLUSIVE_PODS, Element(pod.ip))]
    to_eni = nft_elements.add(ruleset.PODS, Element(pod.ip, ruleset.pod_chain(pod.eni_mark)))
    return [to_eni, *_eip_changes(pod.ip, wanted=pod.eip, has_eip=has_eip)]


def _source_changes(ip: str, ifindex: int, elements: Elements) -> list[Change]:
    """Return what lets an address in by this link, and by no other one."""
    source = nft_elements.add(ruleset.POD_SOURCES, Element(ip, ifindex=ifindex))
    return [source, *_source_removals(ip, elements, but=ifindex)]


def _source_removals(ip: str, elements: Elements, *, but: int = 0) -> list[Change]:
    """Return what lets an address in by no link any more, or by one at most.

    An index may be another link's one day: what is left of a link that is gone must not let that one speak.
    """
    stale = elements.links_of(ruleset.POD_SOURCES, ip) - {but}
    found = tuple(Element(ip, ifindex=ifindex) for ifindex in sorted(stale))
    return [nft_elements.delete(ruleset.POD_SOURCES, *found)] if found else []


def _eip_changes(ip: str, *, wanted: bool, has_eip: bool) -> list[Change]:
    """Return what has an address counted to those with EIP, or not; one that is missing is not deleted."""
    if wanted:
        return [nft_elements.add(ruleset.EIP_PODS, Element(ip))]
    return [nft_elements.delete(ruleset.EIP_PODS, Element(ip))] if has_eip else []


def _take_back(pod: PodWiring, elements: Elements) -> None:
    try:
        if pod.own_eni is not None:
            exclusive_eni.bring_back(pod.own_eni.mac, pod.netns_path)
            forget_exclusive(pod.ip, elements)
        unwire(pod.ip, pod.host_end, elements)
    except errors.IpamError:
        # The failure that led here is the one to be told; the next ADD or the repair removes what stayed.
        log.exception("could not take back the wiring of %s", pod.ip)


def _take_link_back(pod: PodWiring) -> None:
    try:
        if pod.own_eni is not None:
            exclusive_eni.bring_back(pod.own_eni.mac, pod.netns_path)
        ifindex = find(pod.host_end)
        if ifindex is not None:
            remove_link(ifindex)
    except errors.IpamError:
        # As above.
        log.exception("could not take back the link %s", pod.host_veth)


def _ifindex(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as e:
        raise netlink.kernel_error(f"find link {name}", netlink.Refusal(e.errno or errno.ENODEV, "")) from e
