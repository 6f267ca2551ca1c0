"""The kernel's side of one secondary ENI: link up, a table and two rules of its own, no routes in main.

    table 4000+ifindex   default via <gateway> dev ethN onlink
    rule 1024            iif ethN fwmark <mark>/<mask> lookup main
    rule 1536            fwmark <mark>/<mask> lookup 4000+ifindex

What leaves with the ENI's mark goes by the ENI. What arrives by it carries the mark too, for the reverse
path filter alone: the second rule keeps the node's own routing for it. All functions are idempotent and work
in the network namespace of the calling thread.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ipamd.core.kernel.foreign_rules import ForeignRule, catching
from ipamd.net import listing, rtnetlink, snapshot
from ipamd.net.listing import Link
from ipamd.net.marks import FIRST_TABLE
from ipamd.net.model import EniLink, FoundRule
from ipamd.net.netlink import ROUTE, NetlinkRequest, NetlinkSocket
from ipamd.net.sysctls import Sysctls

POD_PRIORITY: Final = 512
"""Finds Pods before anything else; TKE's "to <pod> lookup main" rules have it."""
ARRIVAL_PRIORITY: Final = 1024
"""What arrived by a secondary ENI and is for no Pod here."""
ENI_PRIORITY: Final = 1536
"""What leaves by an ENI; TKE's "from <pod> lookup <table>" rules have it."""


def mark_of_table(table: int, mask: int) -> int:
    """Return the mark whose rule leads to the table, 0 when there is none."""
    with NetlinkSocket(ROUTE) as channel:
        found = list(snapshot.our_rules(channel))
    return next((rule.mark for rule in found if rule.table == table and rule.mask == mask), 0)


def marks_in_use(mask: int) -> set[int]:
    """Return the marks that policy rules of ours have."""
    with NetlinkSocket(ROUTE) as channel:
        return {rule.mark for rule in snapshot.our_rules(channel) if rule.mask == mask}


def ensure(
    link: Link, gateway: str, mark: int, mask: int, mtu: int, sysctls: Sysctls
) -> tuple[EniLink, list[str]]:
    """Make the ENI's link, table and rules what they have to be; return them, and what had to be done."""
    table = FIRST_TABLE + link.ifindex
    wanted = {
        FoundRule(priority=ARRIVAL_PRIORITY, table=rtnetlink.MAIN_TABLE, mark=mark, mask=mask, iif=link.name),
        FoundRule(priority=ENI_PRIORITY, table=table, mark=mark, mask=mask),
    }
    with NetlinkSocket(ROUTE) as channel:
        present = [r for r in snapshot.our_rules(channel) if r.mark == mark or table == r.table]
        requests: list[NetlinkRequest] = []
        if not link.up or link.mtu != mtu:
            attributes = [("IFLA_MTU", mtu)]
            requests.append(rtnetlink.set_link(link.ifindex, attributes, f"bring up {link.name}"))
        requests += [_add(rule) for rule in wanted.difference(present)]
        requests += [_delete(rule) for rule in present if rule not in wanted]
        requests += _connected_routes(channel, link)
        done = [request.what for request in requests]
        what = f"add route default via {gateway} dev {link.name} table {table}"
        if not _has_default_route(channel, gateway, link.ifindex, table):
            done.append(what)
        # Written in any case, as a route may differ in what is not looked at; after the link is up.
        channel.change(*requests, rtnetlink.set_default_route(gateway, link.ifindex, table, what))
    # The reverse path filter asks for a route back by the link that a packet came by. On a link without
    # address even the loose one does, and finds it by the mark only.
    if sysctls.ensure(f"ipv4/conf/{link.name}/src_valid_mark", "1"):
        done.append(f"set src_valid_mark of {link.name}")
    eni = EniLink(mac=link.mac, name=link.name, ifindex=link.ifindex, table=table, mark=mark, mtu=mtu)
    return eni, done


def forget(mark: int, mask: int) -> None:
    """Remove the rules of a mark, and our routes of the tables that they lead to."""
    with NetlinkSocket(ROUTE) as channel:
        rules = [rule for rule in snapshot.our_rules(channel) if (rule.mark, rule.mask) == (mark, mask)]
        tables = {rule.table for rule in rules if rule.priority == ENI_PRIORITY}
        routes = [r for r in snapshot.our_routes(channel) if rtnetlink.table_of(r) in tables]
        channel.change(
            *(_delete(rule) for rule in rules),
            *(rtnetlink.delete_route(route, "remove a route of an ENI's table") for route in routes),
        )


def ensure_pod_rule(mask: int) -> list[str]:
    """Make the rule that finds Pods, and remove what another configuration had left; return what was done.

    suppress_prefixlength 31 lets only /32 routes of main decide. With 0, as is common, main's route to the
    node's own subnet would take packets to VPC neighbours away from the Pod's ENI, and the VPC drops what
    leaves by an ENI that does not own its source address (docs/adr/0003).
    """
    wanted = FoundRule(priority=POD_PRIORITY, table=rtnetlink.MAIN_TABLE, mark=0, mask=0)
    with NetlinkSocket(ROUTE) as channel:
        present = list(snapshot.our_rules(channel))
        requests = [] if wanted in present else [_add(wanted)]
        requests += [_delete(rule) for rule in present if rule != wanted and rule.mask != mask]
        channel.change(*requests)
        return [request.what for request in requests]


def foreign_rules(ips: Iterable[str]) -> list[str]:
    """Return one sentence for each policy rule of somebody else that takes these addresses' packets."""
    with NetlinkSocket(ROUTE) as channel:
        rules = map(listing.rule, channel.dump(rtnetlink.list_rules(), "list policy rules"))
    foreign = [
        ForeignRule(
            priority=rule.priority,
            action=rule.action,
            table=rule.table,
            source=rule.source,
            destination=rule.destination,
            inverted=rule.inverted,
        )
        for rule in rules
        # One for marked packets is about those that its owner marks.
        if rule.protocol != rtnetlink.PROTOCOL and not rule.mask
    ]
    return list(catching(foreign, ips, to_pods=POD_PRIORITY, from_pods=ENI_PRIORITY))


def remove_all_rules_and_routes() -> None:
    """Remove every rule and route that is ours."""
    with NetlinkSocket(ROUTE) as channel:
        channel.change(
            *(_delete(rule) for rule in snapshot.our_rules(channel)),
            *(rtnetlink.delete_route(r, "remove a route of ours") for r in snapshot.our_routes(channel)),
        )


def _add(rule: FoundRule) -> NetlinkRequest:
    return rtnetlink.add_rule(rule.priority, rule.table, _match(rule))


def _delete(rule: FoundRule) -> NetlinkRequest:
    return rtnetlink.delete_rule(rule.priority, rule.table, _match(rule))


def _match(rule: FoundRule) -> rtnetlink.Attributes:
    match: list[tuple[str, int | str]] = []
    if rule.iif:
        match.append(("FRA_IIFNAME", rule.iif))
    if rule.mask:
        match += [("FRA_FWMARK", rule.mark), ("FRA_FWMASK", rule.mask)]
    if rule.priority == POD_PRIORITY:
        match.append(("FRA_SUPPRESS_PREFIXLEN", 31))
    return match


def _has_default_route(channel: NetlinkSocket, gateway: str, ifindex: int, table: int) -> bool:
    answers = channel.dump(rtnetlink.list_routes(), "list routes")
    # A node has a route of ours for each Pod: only the few of its ENIs are worth decoding.
    routes = [rtnetlink.decode(rtmsg, a) for a in answers if not rtnetlink.prefix_length_of(a)]
    wanted = (table, gateway, ifindex)
    return wanted in [
        (rtnetlink.table_of(route), route.get_attr("RTA_GATEWAY"), route.get_attr("RTA_OIF"))
        for route in routes
    ]


def _connected_routes(channel: NetlinkSocket, link: Link) -> Iterator[NetlinkRequest]:
    """Yield what removes the subnet routes that an address on the link (DHCP's) has put into main.

    The node reaches the subnet by its primary interface; by this one, its packets would have a foreign
    source.
    """
    for route in snapshot.routes_of(channel, rtnetlink.KERNEL_PROTOCOL):
        in_main = rtnetlink.table_of(route) == rtnetlink.MAIN_TABLE
        if in_main and route.get_attr("RTA_OIF") == link.ifindex:
            yield rtnetlink.delete_route(route, f"remove a subnet route of {link.name} from main")
