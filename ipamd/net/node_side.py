"""The node's side of a Pod: link, route, ARP answers, nft elements; as it is, and what of it differs.

One comparison for all who ask: the repair and `ipamctl check` from a listing of the whole node, CHECK and the
second look of the repair from what they ask for one Pod. Changes nothing.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from ipamd.core import link_alias, names
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.net import host_addresses, links, listing, rtnetlink, ruleset
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.listing import KernelRoute, Link
from ipamd.net.model import PodWiring, Snapshot
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.nft_elements import TABLE, Elements

FORWARDING: str = "sysctl/net.ipv4.ip_forward"
NFT_TABLE: str = f"table/ip {TABLE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSide:
    """What the node has of one Pod."""

    link: Link | None
    routes: tuple[KernelRoute, ...]
    """The routes of its table to the address."""
    answers: bool
    """Whether its link answers ARP for the Pod's gateway."""
    on_links: tuple[str, ...]
    """The node's own links that have the address."""
    chain: str | None
    """Where nft sends its packets; None without an element."""
    is_exclusive: bool
    """Whether nft counts it to the Pods with an ENI of their own."""
    has_eip: bool
    """Whether nft counts it to the Pods with EIP."""
    let_in_by: frozenset[int]
    """The indices of the links by which nft lets the address in."""


class NodeSides:
    """What the node has of all Pods, from one listing of each kind. A value."""

    def __init__(self, seen: KernelListing, ours: Snapshot) -> None:
        """Take the listing, and what nftables has of Pods."""
        self._seen = seen
        self._ours = ours

    def of(self, pod: PodWiring) -> NodeSide:
        """Return that of one."""
        link = self._seen.by_name.get(pod.host_veth)
        mark = self._ours.pod_marks.get(pod.ip)
        return NodeSide(
            link=link,
            routes=self._seen.host_routes.get((pod.table, pod.ip), ()),
            answers=link is not None and link.ifindex in self._seen.answering,
            on_links=(),  # asked for all addresses of the pool at once: `host_addresses`
            chain=ruleset.pod_chain(mark) if mark is not None else None,
            is_exclusive=pod.ip in self._ours.exclusive_pods,
            has_eip=pod.ip in self._ours.eip_pods,
            let_in_by=self._ours.pod_sources.get(pod.ip, frozenset()),
        )


def looked_at(pod: PodWiring, elements: Elements) -> NodeSide:
    """Ask the kernel for what it has of one Pod."""
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_name(channel, pod.host_veth)
        answers = channel.dump(rtnetlink.list_routes(), "list routes")
        proxies = map(listing.neighbour, channel.dump(rtnetlink.list_proxies(), "list proxied addresses"))
        answering = {proxy.ifindex for proxy in proxies if proxy.ip == names.GATEWAY_IP}
    # A node has a route for each Pod: look at the bytes before decoding.
    packed = ipaddress.IPv4Address(pod.ip).packed
    routes = [listing.route(answer) for answer in answers if packed in answer]
    wanted = (pod.ip, 32, pod.table)
    return NodeSide(
        link=link,
        routes=tuple(r for r in routes if (r.destination, r.prefix_length, r.table) == wanted),
        answers=link is not None and link.ifindex in answering,
        on_links=tuple(address.link for address in host_addresses.found((pod.ip,))),
        chain=elements.lookup(ruleset.PODS, pod.ip),
        is_exclusive=pod.own_eni is not None and elements.lookup(ruleset.EXCLUSIVE_PODS, pod.ip) is not None,
        has_eip=elements.lookup(ruleset.EIP_PODS, pod.ip) is not None,
        let_in_by=elements.links_of(ruleset.POD_SOURCES, pod.ip),
    )


def differences(pod: PodWiring, side: NodeSide) -> Iterator[Difference]:
    """Yield what differs from how the Pod has to be wired."""
    link = side.link
    if link is None:
        yield _of(pod, FindingCode.POD_CUT_OFF, f"link {pod.host_veth} does not exist on the node")
    else:
        yield from _link(link, pod, answers=side.answers)
        # With a link that is down the kernel takes its routes away.
        if link.up and not any(_is_of(pod, link, route) for route in side.routes):
            table = "main" if pod.own_eni is None else f"table {pod.table}"
            source = f" src {pod.route_source}" if pod.route_source else ""
            text = f"{table} has no route {pod.ip}/32 dev {pod.host_veth}{source}"
            yield _of(pod, FindingCode.POD_ROUTE, text)
    for name in side.on_links:
        text = f"{pod.ip} is an address of the node's own link {name} too"
        yield _of(pod, FindingCode.POD_ADDRESS_ON_LINK, text, f"address/{pod.ip}")
    yield from _elements(pod, side)


def _is_of(pod: PodWiring, link: Link, route: KernelRoute) -> bool:
    return route.ifindex == link.ifindex and pod.route_source in ("", route.source)


def _elements(pod: PodWiring, side: NodeSide) -> Iterator[Difference]:
    wanted = ruleset.pod_chain(pod.eni_mark) if pod.own_eni is None else None
    if side.is_exclusive != (pod.own_eni is not None):
        actual = "is missing from" if pod.own_eni is not None else "must not be in"
        text = f"{pod.ip} {actual} nft set {TABLE} {ruleset.EXCLUSIVE_PODS}"
        yield _of(pod, FindingCode.POD_ELEMENT, text, because_of=NFT_TABLE)
    if side.chain != wanted:
        actual = f"goto {side.chain}" if side.chain else "missing"
        text = f"{pod.ip} in nft map {TABLE} {ruleset.PODS} is {actual}, not goto {wanted}"
        yield _of(pod, FindingCode.POD_ELEMENT, text, because_of=NFT_TABLE)
    if side.has_eip != pod.eip:
        actual = "is missing from" if pod.eip else "must not be in"
        text = f"{pod.ip} {actual} nft set {TABLE} {ruleset.EIP_PODS}"
        yield _of(pod, FindingCode.POD_ELEMENT, text, because_of=NFT_TABLE)
    yield from _sources(pod, side)


def _sources(pod: PodWiring, side: NodeSide) -> Iterator[Difference]:
    """Yield where nft lets the address in by other links than the Pod's, or not by that."""
    where = f"nft set {TABLE} {ruleset.POD_SOURCES}"
    wanted = frozenset({side.link.ifindex}) if side.link and side.link.mac == pod.host_mac else frozenset()
    if wanted - side.let_in_by:
        text = f"{pod.ip} by {pod.host_veth} is missing from {where}"
        yield _of(pod, FindingCode.POD_ELEMENT, text, because_of=NFT_TABLE)
    for ifindex in sorted(side.let_in_by - wanted):
        text = f"{where} has {pod.ip} by link {ifindex}, which is not its Pod's"
        yield _of(pod, FindingCode.POD_ELEMENT, text, because_of=NFT_TABLE)


def _link(link: Link, pod: PodWiring, *, answers: bool) -> Iterator[Difference]:
    what = f"link {pod.host_veth} on the node"
    if link.mac != pod.host_mac:
        # It is another sandbox's: this one has none.
        yield _of(pod, FindingCode.POD_CUT_OFF, f"{what} has MAC {link.mac}, not {pod.host_mac}")
        return
    wrong = []
    if not link.up:
        wrong.append(f"{what} is down")
    if link.mtu != pod.mtu:
        wrong.append(f"{what} has MTU {link.mtu}, not {pod.mtu}")
    if not link_alias.names_same_sandbox(link.alias, pod.alias):
        wrong.append(f"{what} has the alias {link.alias!a}, not {pod.alias!a}")
    # With a link that is down the kernel takes its proxied addresses away.
    if link.up and not answers:
        wrong.append(f"{what} does not answer ARP for {names.GATEWAY_IP}")
    if link.ipv6:
        wrong.append(f"{what} takes part in IPv6")
    for text in wrong:
        yield _of(pod, FindingCode.POD_LINK, text)
    if not link.forwards:
        yield _of(pod, FindingCode.POD_LINK, f"{what} does not forward", because_of=FORWARDING)


def _of(
    pod: PodWiring, code: FindingCode, text: str, subject: str = "", *, because_of: str = ""
) -> Difference:
    return Difference(
        code=code,
        subject=subject or f"pod/{pod.ip}",
        text=text,
        ip=pod.ip,
        because_of=(because_of,) if because_of else (),
    )
