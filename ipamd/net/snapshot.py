"""All that is ours in the kernel of this node, found by marks that only we leave.

Ours are: rules and routes with our protocol number, links that are named and addressed as `names` does it,
the nft table `tke_eni`. Listing costs some milliseconds at 250 Pods; nothing is changed.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ipamd.core import names
from ipamd.net import links, listing, rtnetlink, ruleset, table_listing
from ipamd.net.model import FoundLink, FoundRoute, FoundRule, Snapshot
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.nft_elements import Elements


def taken(
    elements: Elements, listed: Callable[[], list[ruleset.Command] | None], *, ipv6_guard: bool
) -> Snapshot:
    """Return what is ours, as it is now; `listed` gives one nft table, `ipv6_guard` if the other exists."""
    with NetlinkSocket(ROUTE) as channel:
        rules = tuple(our_rules(channel))
        routes = tuple(_found_routes(channel))
        found = tuple(our_links(channel))
    table = listed()
    marks = (ruleset.mark_of(chain) for chain in table_listing.chains(table or []))
    return Snapshot(
        rules=rules,
        routes=routes,
        links=found,
        table_exists=table is not None,
        pod_marks={ip: ruleset.mark_of(chain) for ip, chain in elements.listed(ruleset.PODS).items()},
        eip_pods=frozenset(elements.listed(ruleset.EIP_PODS)),
        eni_marks=frozenset(mark for mark in marks if mark),
        ipv6_guard=ipv6_guard,
    )


def our_rules(channel: NetlinkSocket) -> Iterator[FoundRule]:
    """Yield the policy rules with our protocol number."""
    for answer in channel.dump(rtnetlink.list_rules(), "list policy rules"):
        rule = listing.rule(answer)
        if rule.protocol == rtnetlink.PROTOCOL:
            yield FoundRule(
                priority=rule.priority, table=rule.table, mark=rule.mark, mask=rule.mask, iif=rule.iif
            )


def our_routes(channel: NetlinkSocket) -> Iterator[Any]:
    """Yield the routes of all tables with our protocol number, as pyroute2 shows them."""
    return routes_of(channel, rtnetlink.PROTOCOL)


def routes_of(channel: NetlinkSocket, protocol: int) -> Iterator[Any]:
    """Yield the routes of all tables with a protocol number, as pyroute2 shows them."""
    for answer in channel.dump(rtnetlink.list_routes(), "list routes"):
        if rtnetlink.protocol_of(answer) == protocol:
            yield rtnetlink.decode(rtmsg, answer)


def our_links(channel: NetlinkSocket) -> Iterator[FoundLink]:
    """Yield the node's ends of Pods' veths."""
    proxies = map(listing.neighbour, channel.dump(rtnetlink.list_proxies(), "list proxied addresses"))
    answering = {proxy.ifindex for proxy in proxies if proxy.ip == names.GATEWAY_IP}
    for link in links.listed(channel):
        if names.HOST_VETH.fullmatch(link.name) and names.HOST_MAC.fullmatch(link.mac):
            yield FoundLink(
                name=link.name,
                ifindex=link.ifindex,
                mac=link.mac,
                up=link.up,
                alias=link.alias,
                downs=link.downs,
                carrier=link.carrier,
                ipv6=link.ipv6,
                answers=link.ifindex in answering,
            )


def _found_routes(channel: NetlinkSocket) -> Iterator[FoundRoute]:
    for answer in channel.dump(rtnetlink.list_routes(), "list routes"):
        if rtnetlink.protocol_of(answer) == rtnetlink.PROTOCOL:
            route = listing.route(answer)
            yield FoundRoute(
                table=route.table,
                destination=f"{route.destination}/{route.prefix_length}",
                gateway=route.gateway,
                ifindex=route.ifindex,
            )
