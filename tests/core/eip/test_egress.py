"""Which route tables take a Pod's packets away from its EIP, and what is said about them."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.claim import eipclaim
from ipamd.core.claim.reason import Reason
from ipamd.core.eip import egress
from ipamd.core.model import Route, RouteTable

NOW = 1_800_000_000.0


def route(destination, kind="NAT", gateway="nat-1", *, enabled=True):
    return Route(
        destination=destination,
        gateway_type=kind,
        gateway_id="0" if kind == "EIP" else gateway,
        enabled=enabled,
    )


def table(*routes):
    return RouteTable(route_table_id="rtb-1", vpc_id="vpc-1", routes=routes)


def destinations(*routes):
    return [detour.destination for detour in egress.detours(table(*routes))]


ALL, EIP_ALL = route("0.0.0.0/0"), route("0.0.0.0/0", "EIP")


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ((), []),
        ((ALL,), ["0.0.0.0/0"]),
        ((ALL, EIP_ALL), []),
        ((EIP_ALL, ALL), []),
        ((ALL, route("0.0.0.0/0", "EIP", enabled=False)), ["0.0.0.0/0"]),
        ((route("0.0.0.0/0", enabled=False),), []),
        # An EIP route of another destination helps only where it is the more specific one.
        ((route("8.8.8.0/24"), EIP_ALL), ["8.8.8.0/24"]),
        ((ALL, route("8.8.8.0/24", "EIP")), ["0.0.0.0/0"]),
        ((ALL, EIP_ALL, route("8.8.8.0/24")), ["8.8.8.0/24"]),
        ((ALL, route("0.0.0.0/1", "EIP"), route("128.0.0.0/1", "EIP")), []),
        ((ALL, route("0.0.0.0/1"), route("128.0.0.0/1", "EIP")), ["0.0.0.0/1"]),
        # Other next hops are not judged, and no EIP reaches private addresses.
        ((route("0.0.0.0/0", "NORMAL_CVM", "ins-1"),), []),
        ((route("192.168.4.0/24"), route("10.0.0.0/8")), []),
        ((route("broken"), route("")), []),
    ],
)
def test_a_nat_route_without_an_eip_route_of_its_destination_is_a_detour(routes, expected):
    assert destinations(*routes) == expected


def test_the_message_names_table_destination_gateway_and_what_to_add():
    verdict = egress.judge("subnet-1", table(ALL))

    assert not verdict.through_eip
    assert verdict.reason is Reason.NAT_GATEWAY_FIRST
    assert verdict.message == (
        "route table rtb-1 of subnet-1 sends 0.0.0.0/0 to NAT gateway nat-1 in front of the EIP: "
        'add to rtb-1 a route of destination 0.0.0.0/0 with the next hop "public IP of CVM" '
        "(GatewayType EIP, GatewayId 0). It takes effect in every subnet of this table: what has a "
        "public IP uses that, the rest goes on using the NAT gateway"
    )


def test_a_disabled_route_is_to_be_enabled_not_added():
    verdict = egress.judge("subnet-1", table(ALL, route("0.0.0.0/0", "EIP", enabled=False)))

    assert "enable in rtb-1 the route of destination 0.0.0.0/0" in verdict.message
    assert "add to" not in verdict.message


def test_several_gateways_of_a_destination_are_all_named():
    verdict = egress.judge("subnet-1", table(ALL, route("0.0.0.0/0", gateway="nat-2")))

    assert "0.0.0.0/0 to NAT gateway nat-1 and nat-2" in verdict.message


def test_a_table_of_many_routes_makes_a_message_that_fits_into_an_event():
    verdict = egress.judge("subnet-1", table(*(route(f"20.{n}.0.0/16") for n in range(200))))

    assert "196 more" in verdict.message
    assert len(verdict.message) < 1024


@given(
    st.lists(
        st.builds(
            route,
            st.sampled_from(
                ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/8", "8.8.8.0/24", "8.8.0.0/16"]
            ),
            st.sampled_from(["NAT", "EIP", "NORMAL_CVM"]),
            enabled=st.booleans(),
        ),
        max_size=8,
    ),
    st.sampled_from(["8.8.8.8", "8.8.0.1", "8.1.1.1", "9.9.9.9", "200.0.0.1"]),
)
def test_what_is_judged_fine_never_meets_a_nat_gateway_first(routes, address):
    """The page's rule, packet by packet: the longest match decides, the EIP route first among equals."""
    if egress.judge("subnet-1", table(*routes)).through_eip:
        matching = [r for r in routes if r.enabled and IPv4Address(address) in IPv4Network(r.destination)]
        longest = max((IPv4Network(r.destination).prefixlen for r in matching), default=0)
        hops = {r.gateway_type for r in matching if IPv4Network(r.destination).prefixlen == longest}
        assert "NAT" not in hops or "EIP" in hops


def claim(*conditions):
    return eipclaim.read(
        {
            "metadata": {"namespace": "default", "name": "web-0", "resourceVersion": "7"},
            "status": {"conditions": list(conditions)},
        }
    )


def test_the_patch_sets_one_condition_and_keeps_the_agent_s():
    bound = {"type": "Bound", "status": "True"}
    verdict = egress.judge("subnet-1", table(ALL))

    patch = egress.patch(claim(bound), verdict, NOW)

    assert patch["metadata"] == {"resourceVersion": "7"}
    first, second = patch["status"]["conditions"]
    assert first == bound
    assert (second["type"], second["status"], second["reason"]) == (
        "EgressThroughEIP",
        "False",
        "NATGatewayFirst",
    )


def test_an_unchanged_verdict_writes_nothing_and_an_unbound_claim_has_no_condition():
    verdict = egress.judge("subnet-1", table(ALL))
    fine = egress.judge("subnet-1", table())
    judged = claim(*egress.patch(claim(), verdict, NOW)["status"]["conditions"])

    assert not egress.stale(judged, verdict)
    assert egress.stale(judged, fine)
    assert egress.stale(judged, None)
    assert not egress.stale(claim(), None)
    assert egress.patch(judged, None, NOW)["status"]["conditions"] == []


def test_a_table_without_nat_gateway_is_told_to_be_the_eips_way():
    verdict = egress.judge("subnet-1", table(EIP_ALL))

    assert verdict.through_eip
    assert verdict.reason is Reason.EIP_FIRST
    assert verdict.message == "route table rtb-1 of subnet-1 has no NAT gateway in front of the EIP"


def test_detours_come_widest_first_and_then_by_destination():
    routes = (route("9.0.0.0/8", gateway="nat-1"), route("8.0.0.0/8", gateway="nat-2"), ALL)

    assert destinations(*routes) == ["0.0.0.0/0", "8.0.0.0/8", "9.0.0.0/8"]
