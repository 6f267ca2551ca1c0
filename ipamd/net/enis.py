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

from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.core.kernel.foreign_rules import ForeignRule, RuleConflict, catching
from ipamd.net import listing, policy_requests, rtnetlink, snapshot
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.listing import KernelRoute, Link
from ipamd.net.marks import EXCLUSIVE_TABLE
from ipamd.net.mend import Mend
from ipamd.net.model import EniLink, FoundRule
from ipamd.net.netlink import ROUTE, NetlinkRequest, NetlinkSocket
from ipamd.net.node_side import FORWARDING

POD_PRIORITY: Final = 512
"""Finds Pods before anything else; TKE's "to <pod> lookup main" rules have it."""
EXCLUSIVE_PRIORITY: Final = 511
"""Finds Pods with an ENI of their own by their second link, for what goes by no ENI."""
ARRIVAL_PRIORITY: Final = 1024
"""What arrived by a secondary ENI and is for no Pod here."""
ENI_PRIORITY: Final = 1536
"""What leaves by an ENI; TKE's "from <pod> lookup <table>" rules have it."""
_LOCAL_TABLE: Final = 255


def plan(eni: EniLink, link: Link, mtu: int, mask: int, seen: KernelListing) -> Iterator[Mend]:
    """Yield what an ENI's link, table and rules lack, and what makes it right; `mtu` is the node's."""
    subject = subject_of(eni.name)
    if not link.up or link.mtu != mtu:
        found = "is down, and has to be up" if not link.up else f"has MTU {link.mtu}, not {mtu}"
        change = rtnetlink.set_link(link.ifindex, f"bring up {link.name}", mtu=mtu)
        yield _mend(eni, FindingCode.ENI_LINK, subject, f"link {link.name} {found}", change)
    yield from _plan_rules(eni, link.name, mask, seen)
    yield from _plan_routes(eni, link, seen)
    # The reverse path filter asks for a route back by the link that a packet came by. On a link without
    # address even the loose one does, and finds it by the mark only.
    if not link.valid_mark:
        name = f"ipv4/conf/{link.name}/src_valid_mark"
        yield Mend(difference=of_setting(name, "0", eni.mark), settings=((name, "1"),))
    if not link.forwards:
        name = f"ipv4/conf/{link.name}/forwarding"
        because = (FORWARDING,)
        yield Mend(difference=of_setting(name, "0", eni.mark, because_of=because), settings=((name, "1"),))


def subject_of(link: str) -> str:
    """Return how findings name a link."""
    return f"link/{link}"


def of_setting(name: str, value: str, mark: int = 0, *, because_of: tuple[str, ...] = ()) -> Difference:
    """Return that a setting of `Sysctls` has a value, and should be 1."""
    dotted = f"net.{name.replace('/', '.')}"
    return Difference(
        code=FindingCode.KERNEL_SETTING,
        subject=f"sysctl/{dotted}",
        text=f"{dotted} is {value}, not 1",
        mark=mark,
        because_of=because_of,
    )


def without_link(eni: EniLink) -> Difference:
    """Return that an ENI which was set up has lost its link."""
    return Difference(
        code=FindingCode.ENI_LINK,
        subject=subject_of(eni.name),
        text=f"link {eni.name} with MAC {eni.mac} is gone",
        mark=eni.mark,
        mended=False,
    )


def _plan_rules(eni: EniLink, iif: str, mask: int, seen: KernelListing) -> Iterator[Mend]:
    wanted = (
        FoundRule(priority=ARRIVAL_PRIORITY, table=rtnetlink.MAIN_TABLE, mark=eni.mark, mask=mask, iif=iif),
        FoundRule(priority=ENI_PRIORITY, table=eni.table, mark=eni.mark, mask=mask),
    )
    present = [rule for rule in seen.our_rules if rule.mark == eni.mark or rule.table == eni.table]
    for rule in wanted:
        if rule not in present:
            yield _missing(rule, eni.mark)
    for rule in present:
        if rule not in wanted:
            yield _surplus(rule, eni.mark)


def _plan_routes(eni: EniLink, link: Link, seen: KernelListing) -> Iterator[Mend]:
    for route in seen.routes:
        # The node reaches the subnet by its primary interface; by this one, its packets would have a foreign
        # source.
        connected = route.protocol == rtnetlink.KERNEL_PROTOCOL and route.table == rtnetlink.MAIN_TABLE
        if connected and route.ifindex == link.ifindex:
            network = f"{route.destination}/{route.prefix_length}"
            what = f"remove a subnet route of {link.name} from main"
            remove = policy_requests.delete_subnet_route(
                route.destination, route.prefix_length, link.ifindex, what
            )
            text = f"main has {network} dev {link.name}, which an address on that link has brought"
            yield _mend(eni, FindingCode.SUBNET_ROUTE, f"route/{network}", text, remove)
    defaults = [
        route
        for route in seen.routes
        if route.table == eni.table and not route.prefix_length and not route.metric
    ]
    if not any(_is_default_of(eni, link.ifindex, route) for route in defaults):
        what = f"add route default via {eni.gateway} dev {link.name} table {eni.table}"
        found = "another" if defaults else "no"
        text = f"table {eni.table} has {found} default route, not via {eni.gateway} dev {link.name}"
        make = rtnetlink.set_default_route(eni.gateway, link.ifindex, eni.table, what)
        because = (subject_of(eni.name),)
        yield _mend(eni, FindingCode.ENI_ROUTE, f"table/{eni.table}", text, make, because_of=because)


def _is_default_of(eni: EniLink, ifindex: int, route: KernelRoute) -> bool:
    wanted = (eni.gateway, ifindex, True, rtnetlink.PROTOCOL)
    return wanted == (route.gateway, route.ifindex, route.onlink, route.protocol)


def _mend(
    eni: EniLink,
    code: FindingCode,
    subject: str,
    text: str,
    *requests: NetlinkRequest,
    because_of: tuple[str, ...] = (),
) -> Mend:
    difference = Difference(code=code, subject=subject, text=text, mark=eni.mark, because_of=because_of)
    return Mend(difference=difference, requests=requests)


def _missing(rule: FoundRule, mark: int) -> Mend:
    text = f"the rule '{_shown(rule)}' is gone"
    difference = Difference(
        code=FindingCode.POLICY_RULE, subject=f"rule/{rule.priority}", text=text, mark=mark
    )
    return Mend(difference=difference, requests=(_add(rule),))


def _surplus(rule: FoundRule, mark: int) -> Mend:
    text = f"the rule '{_shown(rule)}' is left of another time"
    difference = Difference(
        code=FindingCode.POLICY_RULE, subject=f"rule/{rule.priority}", text=text, mark=mark
    )
    return Mend(difference=difference, requests=(_delete(rule),))


def _shown(rule: FoundRule) -> str:
    """Return the rule as `ip rule` shows it."""
    words = [f"{rule.priority}: from all"]
    words += [f"fwmark {rule.mark:#x}/{rule.mask:#x}"] if rule.mask else []
    words += [f"iif {rule.iif}"] if rule.iif else []
    words.append(f"lookup {'main' if rule.table == rtnetlink.MAIN_TABLE else rule.table}")
    return " ".join([*words, *(["suppress_prefixlength 31"] if rule.priority == POD_PRIORITY else [])])


def forget(mark: int, mask: int) -> None:
    """Remove the rules of a mark, and our routes of the tables that they lead to."""
    with NetlinkSocket(ROUTE) as channel:
        rules = [rule for rule in snapshot.our_rules(channel) if (rule.mark, rule.mask) == (mark, mask)]
        tables = {rule.table for rule in rules if rule.priority == ENI_PRIORITY}
        routes = [r for r in snapshot.our_routes(channel) if listing.route(r).table in tables]
        channel.change(
            *(_delete(rule) for rule in rules),
            *(policy_requests.delete_route(route, "remove a route of an ENI's table") for route in routes),
        )


def plan_pod_rules(mask: int, seen: KernelListing, *, exclusive: bool) -> Iterator[Mend]:
    """Yield what makes the rules that find Pods, and removes what another configuration had left.

    What goes by an ENI to a Pod with an ENI of its own leaves the node, and comes by that Pod's ENI: so it is
    answered the same way. Only what goes by no ENI finds the routes to such Pods' second links.

    suppress_prefixlength 31 lets only /32 routes of main decide. With 0, as is common, main's route to the
    node's own subnet would take packets to VPC neighbours away from the Pod's ENI, and the VPC drops what
    leaves by an ENI that does not own its source address (docs/adr/0003).
    """
    wanted = [FoundRule(priority=POD_PRIORITY, table=rtnetlink.MAIN_TABLE, mark=0, mask=0)]
    if exclusive:
        wanted.append(FoundRule(priority=EXCLUSIVE_PRIORITY, table=EXCLUSIVE_TABLE, mark=0, mask=mask))
    for rule in wanted:
        if rule not in seen.our_rules:
            yield _missing(rule, 0)
    for rule in seen.our_rules:
        if rule not in wanted and (rule.mask != mask or not rule.mark):
            yield _surplus(rule, 0)


def foreign_rules(ips: Iterable[str], seen: KernelListing) -> list[RuleConflict]:
    """Return the policy rules of somebody else that take these addresses' packets."""
    foreign = [
        ForeignRule(
            priority=rule.priority,
            action=rule.action,
            table=rule.table,
            source=rule.source,
            destination=rule.destination,
            inverted=rule.inverted,
        )
        for rule in seen.rules
        # One for marked packets is about those that its owner marks.
        if rule.protocol != rtnetlink.PROTOCOL and not rule.mask
    ]
    return list(catching(foreign, ips, to_pods=POD_PRIORITY, from_pods=ENI_PRIORITY))


def lacking_rules(seen: KernelListing) -> Iterator[Difference]:
    """Yield a difference for each rule of the kernel's own three that the node cannot do without."""
    for name, table, priority in (("local", _LOCAL_TABLE, 0), ("main", rtnetlink.MAIN_TABLE, 32766)):
        if not any(
            rule.is_for_all and rule.table == table and rule.protocol != rtnetlink.PROTOCOL
            for rule in seen.rules
        ):
            text = f"no policy rule leads to {name}: '{priority}: from all lookup {name}' is gone"
            yield Difference(code=FindingCode.MAIN_RULE, subject=f"rule/{priority}", text=text)


def remove_all_rules_and_routes() -> None:
    """Remove every rule and route that is ours."""
    with NetlinkSocket(ROUTE) as channel:
        channel.change(
            *(_delete(rule) for rule in snapshot.our_rules(channel)),
            *(
                policy_requests.delete_route(r, "remove a route of ours")
                for r in snapshot.our_routes(channel)
            ),
        )


def _add(rule: FoundRule) -> NetlinkRequest:
    return policy_requests.add_rule(rule.priority, rule.table, _match(rule))


def _delete(rule: FoundRule) -> NetlinkRequest:
    return policy_requests.delete_rule(rule.priority, rule.table, _match(rule))


def _match(rule: FoundRule) -> policy_requests.Attributes:
    match: list[tuple[str, int | str]] = []
    if rule.iif:
        match.append(("FRA_IIFNAME", rule.iif))
    if rule.mask:
        match += [("FRA_FWMARK", rule.mark), ("FRA_FWMASK", rule.mask)]
    if rule.priority == POD_PRIORITY:
        match.append(("FRA_SUPPRESS_PREFIXLEN", 31))
    return match
