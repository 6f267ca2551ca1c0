"""Route tables flattened into intervals decide as the rules of the documentation do, address by address."""

import itertools
from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from simulator.fabric import route_tables
from simulator.fabric.api import Route
from simulator.fabric.route_tables import DROP, LOCAL, Egress

LOCALS = ("10.0.0.0/16", "169.254.0.23/32")


def _route(destination, gateway_type, gateway_id="0"):
    return Route(destination=destination, gateway_type=gateway_type, gateway_id=gateway_id)


def _egress(routes, address):
    number = int(IPv4Address(address))
    [found] = [i for i in route_tables.flatten(LOCALS, routes) if i.first <= number <= i.last]
    return found.egress


def test_without_routes_an_eip_leaves_and_the_rest_stays():
    assert _egress([], "203.0.113.10") == Egress(eip=True)
    assert _egress([], "10.0.5.5") == LOCAL
    assert _egress([], "169.254.0.23") == LOCAL
    assert _egress([], "10.1.0.1") == DROP
    assert _egress([], "224.0.0.1") == DROP


def test_the_vpc_s_own_ranges_come_before_any_route():
    routes = [_route("10.0.0.0/8", "NAT", "nat-1"), _route("10.0.1.0/24", "NAT", "nat-1")]

    assert _egress(routes, "10.0.1.7") == LOCAL


def test_equal_destinations_try_the_eip_first():
    routes = [_route("0.0.0.0/0", "NAT", "nat-1"), _route("0.0.0.0/0", "EIP")]

    assert _egress(routes, "203.0.113.10") == Egress(eip=True, nat_gateway="nat-1")


def test_the_more_specific_route_wins():
    routes = [_route("203.0.113.0/24", "NAT", "nat-2"), _route("0.0.0.0/0", "NAT", "nat-1")]

    assert _egress(routes, "203.0.113.10") == Egress(nat_gateway="nat-2")
    assert _egress(routes, "203.0.114.10") == Egress(nat_gateway="nat-1")


prefixes = st.builds(
    lambda address, length: str(IPv4Network((address, length), strict=False)),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 32),
) | st.sampled_from(["0.0.0.0/0", "203.0.113.0/24", "203.0.113.128/25", "203.0.113.10/32"])
routes_strategy = st.lists(
    st.builds(_route, prefixes, st.sampled_from(["NAT", "EIP", "CCN"]), st.sampled_from(["nat-1", "nat-2"])),
    max_size=6,
    unique_by=lambda route: (route.destination, route.gateway_type),
)


@given(routes_strategy)
def test_intervals_cover_every_address_once_and_neighbours_differ(routes):
    intervals = route_tables.flatten(LOCALS, routes)

    assert intervals[0].first == 0
    assert intervals[-1].last == (1 << 32) - 1
    for left, right in itertools.pairwise(intervals):
        assert left.last + 1 == right.first
        assert left.egress != right.egress


@given(routes_strategy, st.integers(0, (1 << 32) - 1) | st.sampled_from([0xCB00710A, 0xCB007180]))
def test_each_address_goes_where_a_walk_through_the_rules_leads(routes, number):
    address = IPv4Address(number)

    def matches(cidr):
        return address in IPv4Network(cidr)

    if any(matches(cidr) for cidr in LOCALS):
        expected = {True: "local", False: "local"}
    elif any(matches(cidr) for cidr in route_tables.UNROUTABLE):
        expected = {True: "drop", False: "drop"}
    else:
        expected = {has_eip: _walk(routes, matches, has_eip=has_eip) for has_eip in (True, False)}

    egress = _egress(routes, str(address))

    for has_eip, way in expected.items():
        assert _taken(egress, has_eip=has_eip) == way


def _walk(routes, matches, *, has_eip):
    """The rules read aloud: most specific first, EIP before others, EIP only for those that have one."""
    by_length = sorted(
        (route for route in routes if matches(route.destination)),
        key=lambda route: (-IPv4Network(route.destination).prefixlen, route.gateway_type != "EIP"),
    )
    by_length = [route for route in by_length if route.gateway_type != "EIP" or has_eip]
    if not by_length:
        return "eip" if has_eip else "drop"
    first = by_length[0]
    length = IPv4Network(first.destination).prefixlen
    if first.gateway_type == "EIP":
        return "eip"
    same = [route for route in by_length if IPv4Network(route.destination).prefixlen == length]
    nat = [route.gateway_id for route in same if route.gateway_type == "NAT"]
    return nat[0] if nat else "drop"


def _taken(egress, *, has_eip):
    if egress.local:
        return "local"
    if egress.eip and has_eip:
        return "eip"
    return egress.nat_gateway or "drop"
