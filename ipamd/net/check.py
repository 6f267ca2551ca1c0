"""What of a Pod's wiring differs from what it has to be, in sentences for an operator.

Looks at the kernel only and changes nothing. Runs for one Pod at a time (CHECK, ipamctl); for all Pods of a
node compare `snapshot.taken()` instead, which lists everything once.
"""

import ipaddress
from collections.abc import Iterator

from ipamd.core import errors, link_alias, names
from ipamd.net import host_addresses, links, listing, netns, pod_side, rtnetlink, ruleset
from ipamd.net.listing import KernelRoute, Link
from ipamd.net.model import ChainedLink, PodWiring
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.nft_elements import TABLE, Elements


def differences(pod: PodWiring, elements: Elements, chained: ChainedLink) -> list[str]:
    """Return one sentence for each difference; none when the Pod is wired as it has to be."""
    found = differences_on_the_node(pod, elements)
    try:
        with netns.opened(pod.netns_path) as namespace:
            found += netns.run_inside(namespace, lambda: list(pod_side.differences(pod, chained)))
    except errors.NetnsError as e:
        found.append(e.message)
    return found


def differences_on_the_node(pod: PodWiring, elements: Elements) -> list[str]:
    """Return one sentence for each difference outside of the Pod's namespace."""
    return list(_on_the_node(pod, elements))


def _on_the_node(pod: PodWiring, elements: Elements) -> Iterator[str]:
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_name(channel, pod.host_veth)
        routes = _host_routes(channel, pod.ip)
        answers = channel.dump(rtnetlink.list_proxies(), "list proxied addresses")
    if link is None:
        yield f"link {pod.host_veth} does not exist on the node"
    else:
        yield from _link(link, pod)
        if not any(route.ifindex == link.ifindex for route in routes):
            yield f"main has no route {pod.ip}/32 dev {pod.host_veth}"
        proxies = {(proxy.ifindex, proxy.ip) for proxy in map(listing.neighbour, answers)}
        if (link.ifindex, names.GATEWAY_IP) not in proxies:
            yield f"link {pod.host_veth} on the node does not answer ARP for {names.GATEWAY_IP}"
        if link.ipv6:
            yield f"link {pod.host_veth} on the node takes part in IPv6"
    for address in host_addresses.found((pod.ip,)):
        yield f"{pod.ip} is an address of the node's own link {address.link} too"
    wanted = ruleset.pod_chain(pod.eni_mark)
    chain = elements.lookup(ruleset.PODS, pod.ip)
    if chain != wanted:
        actual = f"goto {chain}" if chain else "missing"
        yield f"{pod.ip} in nft map {TABLE} {ruleset.PODS} is {actual}, not goto {wanted}"
    if (elements.lookup(ruleset.EIP_PODS, pod.ip) is not None) != pod.eip:
        actual = "is missing from" if pod.eip else "must not be in"
        yield f"{pod.ip} {actual} nft set {TABLE} {ruleset.EIP_PODS}"


def _link(link: Link, pod: PodWiring) -> Iterator[str]:
    what = f"link {pod.host_veth} on the node"
    if not link.up:
        yield f"{what} is down"
    if link.mac != pod.host_mac:
        yield f"{what} has MAC {link.mac}, not {pod.host_mac}"
    if link.mtu != pod.mtu:
        yield f"{what} has MTU {link.mtu}, not {pod.mtu}"
    if not link_alias.names_same_sandbox(link.alias, pod.alias):
        yield f"{what} has the alias {link.alias!a}, not {pod.alias!a}"


def _host_routes(channel: NetlinkSocket, ip: str) -> list[KernelRoute]:
    """Return the routes of main to one address."""
    answers = channel.dump(rtnetlink.list_routes(), "list routes")
    # A node has a route for each Pod: look at the bytes before decoding.
    packed = ipaddress.IPv4Address(ip).packed
    routes = [listing.route(answer) for answer in answers if packed in answer]
    wanted = (ip, 32, rtnetlink.MAIN_TABLE)
    return [route for route in routes if (route.destination, route.prefix_length, route.table) == wanted]
