"""All that is ours in the kernel of this node, found by marks that only we leave.

Ours are: rules and routes with our protocol number, links that are named and addressed as `names` does it,
the nft table `tke_eni`. Listing costs some milliseconds at 250 Pods; nothing is changed.
"""

from collections.abc import Callable, Iterator

from ipamd.core import names
from ipamd.net import listing, rtnetlink, ruleset, table_listing
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.model import FoundLink, FoundRoute, FoundRule, Snapshot
from ipamd.net.netlink import NetlinkSocket
from ipamd.net.nft_elements import Elements


def of(
    seen: KernelListing,
    elements: Elements,
    listed: Callable[[], list[ruleset.Command] | None],
    *,
    ipv6_guard: bool,
) -> Snapshot:
    """Return what of a listing is ours; `listed` gives one nft table, `ipv6_guard` if the other exists."""
    table = listed()
    marks = (ruleset.mark_of(chain) for chain in table_listing.chains(table or []))
    return Snapshot(
        rules=seen.our_rules,
        routes=tuple(_found_routes(seen)),
        links=tuple(_found_links(seen)),
        table_exists=table is not None,
        pod_marks={ip: ruleset.mark_of(chain) for ip, chain in elements.listed(ruleset.PODS).items()},
        eip_pods=frozenset(elements.listed(ruleset.EIP_PODS)),
        pod_sources=_sources(elements),
        eni_marks=frozenset(mark for mark in marks if mark),
        ipv6_guard=ipv6_guard,
        exclusive_pods=frozenset(elements.listed(ruleset.EXCLUSIVE_PODS)),
    )


def _sources(elements: Elements) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for element in elements.members(ruleset.POD_SOURCES):
        found.setdefault(element.ip, set()).add(element.ifindex)
    return {ip: frozenset(links) for ip, links in found.items()}


def our_rules(channel: NetlinkSocket) -> Iterator[FoundRule]:
    """Yield the policy rules with our protocol number."""
    for answer in channel.dump(rtnetlink.list_rules(), "list policy rules"):
        rule = listing.rule(answer)
        if rule.protocol == rtnetlink.PROTOCOL:
            yield FoundRule(
                priority=rule.priority, table=rule.table, mark=rule.mark, mask=rule.mask, iif=rule.iif
            )


def our_routes(channel: NetlinkSocket) -> Iterator[bytes]:
    """Yield the routes of all tables with our protocol number, as they were listed."""
    for answer in channel.dump(rtnetlink.list_routes(), "list routes"):
        if rtnetlink.protocol_of(answer) == rtnetlink.PROTOCOL:
            yield answer


def _found_links(seen: KernelListing) -> Iterator[FoundLink]:
    """Yield the node's ends of Pods' veths."""
    for link in seen.links:
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
                answers=link.ifindex in seen.answering,
            )


def _found_routes(seen: KernelListing) -> Iterator[FoundRoute]:
    for route in seen.routes:
        if route.protocol == rtnetlink.PROTOCOL:
            yield FoundRoute(
                table=route.table,
                destination=f"{route.destination}/{route.prefix_length}",
                gateway=route.gateway,
                ifindex=route.ifindex,
            )
