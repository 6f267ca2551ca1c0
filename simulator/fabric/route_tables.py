"""Which way a packet that leaves an ENI takes: the precedence rules of VPC route tables. Pure.

Sources: "Adjusting the Priorities of NAT Gateways and EIPs" (NAT gateway documentation) and the route entry
fields of CreateRoutes. The most specific route wins; for equal destinations GatewayType EIP is matched first
by sources that have an EIP and passed over by the rest; where no route matches, a source with an EIP uses it.
The VPC's own ranges come before everything. The table is flattened into disjoint intervals, so that the
router decides with a single look-up.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from simulator.fabric.api import Route

UNROUTABLE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
)
"""Destinations that exist on no internet; those of the VPC itself are matched before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """What happens to a packet: stay in the VPC, else its EIP if it may and has one, else NAT, else drop."""

    local: bool = False
    eip: bool = False
    nat_gateway: str = ""


LOCAL = Egress(local=True)
DROP = Egress()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Destinations from `first` to `last`, both included, as numbers."""

    first: int
    last: int
    egress: Egress


def flatten(local_cidrs: Sequence[str], routes: Sequence[Route]) -> list[Interval]:
    """Cover the whole address space with intervals in ascending order; equal neighbours are merged."""
    fixed = [(IPv4Network(cidr), LOCAL) for cidr in local_cidrs]
    fixed += [(IPv4Network(cidr), DROP) for cidr in UNROUTABLE]
    table = [(IPv4Network(route.destination), route) for route in routes]
    edges = {0, 1 << 32}
    for network in [network for network, _ in fixed] + [network for network, _ in table]:
        edges |= {int(network.network_address), int(network.broadcast_address) + 1}
    starts = sorted(edges)
    intervals: list[Interval] = []
    for first, after in itertools.pairwise(starts):
        egress = next((e for network, e in fixed if _covers(network, first)), None)
        if egress is None:
            egress = _decide([(n.prefixlen, route) for n, route in table if _covers(n, first)])
        if intervals and intervals[-1].egress == egress:
            first = intervals.pop().first  # noqa: PLW2901 - the interval grows to the left
        intervals.append(Interval(first=first, last=after - 1, egress=egress))
    return intervals


def _decide(matching: list[tuple[int, Route]]) -> Egress:
    eip = False
    for length in sorted({length for length, _ in matching}, reverse=True):
        routes = [route for matching_length, route in matching if matching_length == length]
        eip = eip or any(route.gateway_type == "EIP" for route in routes)
        others = [route for route in routes if route.gateway_type != "EIP"]
        if others:
            nat = next((route.gateway_id for route in others if route.gateway_type == "NAT"), "")
            return Egress(eip=eip, nat_gateway=nat)
    return Egress(eip=True)


def _covers(network: IPv4Network, address: int) -> bool:
    return int(network.network_address) <= address <= int(network.broadcast_address)
