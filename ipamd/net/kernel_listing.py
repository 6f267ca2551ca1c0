"""The kernel of this node, each kind of object listed once: what all comparisons of a round use.

A listing per ENI or per Pod costs a node with 250 Pods a third of a second of CPU for each round.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from ipamd.core import names
from ipamd.net import listing, rtnetlink
from ipamd.net.listing import KernelRoute, Link, LinkAddress, Rule
from ipamd.net.marks import EXCLUSIVE_TABLE
from ipamd.net.model import FoundRule
from ipamd.net.netlink import ROUTE, NetlinkSocket

_TO_PODS: Final = (rtnetlink.MAIN_TABLE, EXCLUSIVE_TABLE)


@dataclass(frozen=True, kw_only=True)
class KernelListing:
    """Invariant: a value; what is derived from it is computed once. Nothing of nftables is in it."""

    links: tuple[Link, ...]
    addresses: tuple[LinkAddress, ...]
    routes: tuple[KernelRoute, ...]
    """IPv4, of all tables."""
    rules: tuple[Rule, ...]
    answering: frozenset[int] = field(default_factory=frozenset)
    """The indices of links that answer ARP for the Pods' gateway."""

    @cached_property
    def by_index(self) -> Mapping[int, Link]:
        """The links by index."""
        return {link.ifindex: link for link in self.links}

    @cached_property
    def by_name(self) -> Mapping[str, Link]:
        """The links by name."""
        return {link.name: link for link in self.links}

    def by_mac(self, mac: str) -> Link | None:
        """Return the link with a MAC; the oldest one, when VLANs and the like on top of it share the MAC."""
        found = (link for link in self.links if link.mac == mac)
        return min(found, key=lambda link: link.ifindex, default=None)

    @cached_property
    def our_rules(self) -> tuple[FoundRule, ...]:
        """The policy rules with our protocol number."""
        return tuple(
            FoundRule(priority=rule.priority, table=rule.table, mark=rule.mark, mask=rule.mask, iif=rule.iif)
            for rule in self.rules
            if rule.protocol == rtnetlink.PROTOCOL
        )

    @cached_property
    def host_routes(self) -> Mapping[tuple[int, str], tuple[KernelRoute, ...]]:
        """By table and address: the routes that lead to it alone."""
        found: dict[tuple[int, str], list[KernelRoute]] = {}
        for route in self.routes:
            if route.prefix_length == 32 and route.table in _TO_PODS:
                found.setdefault((route.table, route.destination), []).append(route)
        return {place: tuple(routes) for place, routes in found.items()}

    @cached_property
    def pod_routes(self) -> Mapping[int, frozenset[str]]:
        """By link: the addresses that our own routes lead to it alone."""
        found: dict[int, set[str]] = {}
        for route in self.routes:
            of_pod = route.prefix_length == 32 and route.table in _TO_PODS
            if of_pod and route.protocol == rtnetlink.PROTOCOL:
                found.setdefault(route.ifindex, set()).add(route.destination)
        return {ifindex: frozenset(ips) for ifindex, ips in found.items()}


def taken() -> KernelListing:
    """List each kind once, in the network namespace of the calling thread. Raises: KernelError."""
    with NetlinkSocket(ROUTE) as channel:
        proxies = map(listing.neighbour, channel.dump(rtnetlink.list_proxies(), "list proxied addresses"))
        return KernelListing(
            links=tuple(map(listing.link, channel.dump(rtnetlink.list_links(), "list links"))),
            addresses=tuple(map(listing.address, channel.dump(rtnetlink.list_addresses(), "list addresses"))),
            routes=tuple(
                listing.route(answer)
                for answer in channel.dump(rtnetlink.list_routes(), "list routes")
                if rtnetlink.is_configured(answer)
            ),
            rules=tuple(map(listing.rule, channel.dump(rtnetlink.list_rules(), "list policy rules"))),
            answering=frozenset(proxy.ifindex for proxy in proxies if proxy.ip == names.GATEWAY_IP),
        )
