"""What of a Pod's wiring differs from what it has to be, in sentences for an operator.

Looks at the kernel only and changes nothing. Runs for one Pod at a time (CHECK, ipamctl); for all Pods of a
node compare `snapshot.taken()` instead, which lists everything once.
"""

import ipaddress
from collections.abc import Iterator
from typing import Any

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ipamd.core import errors, names
from ipamd.net import links, netns, rtnetlink, ruleset, wiring
from ipamd.net.listing import Link
from ipamd.net.model import PodWiring
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.nft_elements import TABLE, Elements
from ipamd.net.sysctls import Sysctls


def differences(pod: PodWiring, elements: Elements, sysctls: Sysctls) -> list[str]:
    """Return one sentence for each difference; none when the Pod is wired as it has to be."""
    found = differences_on_the_node(pod, elements, sysctls)
    try:
        with netns.opened(pod.netns_path) as namespace:
            found += netns.run_inside(namespace, lambda: list(_in_the_pod(pod)))
    except errors.NetnsError as e:
        found.append(e.message)
    return found


def differences_on_the_node(pod: PodWiring, elements: Elements, sysctls: Sysctls) -> list[str]:
    """Return one sentence for each difference outside of the Pod's namespace."""
    return list(_on_the_node(pod, elements, sysctls))


def _on_the_node(pod: PodWiring, elements: Elements, sysctls: Sysctls) -> Iterator[str]:
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_name(channel, pod.host_veth)
        routes = _host_routes(channel, pod.ip)
    if link is None:
        yield f"link {pod.host_veth} does not exist on the node"
    else:
        yield from _link(link, f"link {pod.host_veth} on the node", names.host_mac(pod.ip), pod.mtu)
        if not any(route.get_attr("RTA_OIF") == link.ifindex for route in routes):
            yield f"main has no route {pod.ip}/32 dev {pod.host_veth}"
        if wiring.accepts_ra(pod.host_veth, sysctls):
            yield f"link {pod.host_veth} on the node accepts router advertisements"
    wanted = ruleset.pod_chain(pod.eni_mark)
    chain = elements.lookup(ruleset.PODS, pod.ip)
    if chain != wanted:
        actual = f"goto {chain}" if chain else "missing"
        yield f"{pod.ip} in nft map {TABLE} {ruleset.PODS} is {actual}, not goto {wanted}"
    if (elements.lookup(ruleset.EIP_PODS, pod.ip) is not None) != pod.eip:
        actual = "is missing from" if pod.eip else "must not be in"
        yield f"{pod.ip} {actual} nft set {TABLE} {ruleset.EIP_PODS}"


def _in_the_pod(pod: PodWiring) -> Iterator[str]:
    gateway = names.GATEWAY_IP
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_name(channel, pod.ifname)
        if link is None:
            yield f"interface {pod.ifname} does not exist in {pod.netns_path}"
            return
        yield from _link(link, f"interface {pod.ifname} of the Pod", names.pod_mac(pod.ip), pod.mtu)
        addresses = _decoded(channel, ifaddrmsg, rtnetlink.list_addresses())
        if not any(
            a["index"] == link.ifindex and a["prefixlen"] == 32 and a.get_attr("IFA_LOCAL") == pod.ip
            for a in addresses
        ):
            yield f"interface {pod.ifname} of the Pod has no address {pod.ip}/32"
        on_link = [r for r in _host_routes(channel, gateway) if r.get_attr("RTA_OIF") == link.ifindex]
        if not on_link:
            yield f"the Pod has no route {gateway} dev {pod.ifname}"
        defaults = [r for r in _decoded(channel, rtmsg, rtnetlink.list_routes()) if not r["dst_len"]]
        if not any(
            r.get_attr("RTA_GATEWAY") == gateway and r.get_attr("RTA_OIF") == link.ifindex for r in defaults
        ):
            yield f"the Pod has no default route via {gateway} dev {pod.ifname}"
        neighbours = _decoded(channel, ndmsg, rtnetlink.list_neighbours())
    entry = next(
        (n for n in neighbours if n["ifindex"] == link.ifindex and n.get_attr("NDA_DST") == gateway), None
    )
    if entry is None or not entry["state"] & rtnetlink.PERMANENT:
        yield f"the Pod has no permanent neighbour entry for {gateway}"
    elif entry.get_attr("NDA_LLADDR") != names.host_mac(pod.ip):
        yield (
            f"the Pod's neighbour entry for {gateway} is {entry.get_attr('NDA_LLADDR')}, "
            f"not {names.host_mac(pod.ip)}"
        )


def _link(link: Link, what: str, mac: str, mtu: int) -> Iterator[str]:
    if not link.up:
        yield f"{what} is down"
    if link.mac != mac:
        yield f"{what} has MAC {link.mac}, not {mac}"
    if link.mtu != mtu:
        yield f"{what} has MTU {link.mtu}, not {mtu}"


def _host_routes(channel: NetlinkSocket, ip: str) -> list[Any]:
    """Return the routes of main to one address."""
    answers = channel.dump(rtnetlink.list_routes(), "list routes")
    # A node has a route for each Pod: look at the bytes before decoding.
    packed = ipaddress.IPv4Address(ip).packed
    routes = [rtnetlink.decode(rtmsg, answer) for answer in answers if packed in answer]
    return [
        route
        for route in routes
        if (route.get_attr("RTA_DST"), route["dst_len"], rtnetlink.table_of(route))
        == (ip, 32, rtnetlink.MAIN_TABLE)
    ]


def _decoded(channel: NetlinkSocket, message_class: Any, request: bytes) -> list[Any]:
    answers = channel.dump(request, f"list {message_class.__name__} entries")
    return [rtnetlink.decode(message_class, answer) for answer in answers]
