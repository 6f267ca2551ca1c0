"""In which subnet a fixed address is taken, and which of its addresses come into question."""

import pytest

from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.model import Subnet
from ipamd.core.vpc_ip import choice
from ipamd.core.vpc_ip.facts import AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import KEPT, fixed_claim

NOMINATED = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, nominated_ip="10.0.3.5")


def subnet(number, *, free=10, zone="zone-1", cidr="10.0.3.0/29"):
    return Subnet(
        subnet_id=f"subnet-{number}",
        vpc_id="vpc-1",
        zone=zone,
        cidr=cidr,
        available_ips=free,
        route_table_id="",
    )


def chosen(*subnets, request=KEPT, full=()):
    facts = VpcIpFacts(
        now=0.0,
        claim=fixed_claim(request),
        pod=pod_view(nodeName="node-a"),
        subnets=subnets,
        node_zone="zone-1",
        full=frozenset(full),
    )
    return choice.subnet_of(facts, fixed_claim(request))


def test_most_free_in_the_nodes_zone_wins():
    best = subnet(2, free=11)

    assert chosen(subnet(1), best, subnet(3, free=99, zone="zone-2")) == best
    assert chosen(subnet(1), subnet(4)) == subnet(4)  # of equals always the same one


def test_one_that_is_full_is_left_out():
    assert chosen(subnet(1, free=1), subnet(2, free=9), full=["subnet-2"]) == subnet(1, free=1)
    refusal = chosen(subnet(1, free=0))
    assert isinstance(refusal, AddressRefusal)
    assert refusal.reason is VpcIpReason.SUBNET_FULL
    assert "no address is free in subnet-1" in refusal.message


def test_a_nominated_address_may_be_the_last_one():
    assert chosen(subnet(1, free=0), request=NOMINATED) == subnet(1, free=0)


@pytest.mark.parametrize("ip", ["10.0.3.0", "10.0.3.1", "10.0.3.7"])
def test_what_the_vpc_keeps_for_itself_cannot_be_nominated(ip):
    """Network, gateway and broadcast: the cloud reserves and assigns none of them to anybody."""
    wish = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, nominated_ip=ip)

    refusal = chosen(subnet(1), request=wish)

    assert isinstance(refusal, AddressRefusal)
    assert refusal.reason is VpcIpReason.INVALID_SPEC
    assert f"spec.nominatedIP of VpcIPClaim default/web-0 is {ip}" in refusal.message
    assert "subnet-1); allowed are 10.0.3.2 to 10.0.3.6" in refusal.message


@pytest.mark.parametrize("ip", ["10.0.3.2", "10.0.3.6"])
def test_the_first_and_the_last_that_the_vpc_gives_may_be_nominated(ip):
    wish = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, nominated_ip=ip)

    assert chosen(subnet(1), request=wish) == subnet(1)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (KEPT, "node node-a does not say yet"),
        (NOMINATED, "the nominated address 10.0.3.5 is in no subnet of the VPC"),
        (
            VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, nominated_ip="10.0.3.7", subnet_ids=("subnet-x",)),
            "10.0.3.7 is in no subnet of subnet-x",
        ),
        (
            VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, subnet_ids=("subnet-x", "subnet-y")),
            "there is no subnet subnet-x, subnet-y",
        ),
    ],
)
def test_without_a_subnet_it_says_what_is_missing(request_, said):
    refusal = chosen(request=request_)

    assert isinstance(refusal, AddressRefusal)
    assert refusal.reason is VpcIpReason.NO_SUBNET
    assert said in refusal.message


def test_a_subnet_of_another_zone_is_of_no_use_and_both_are_named():
    refusal = chosen(subnet(1, zone="zone-2"))

    assert isinstance(refusal, AddressRefusal)
    assert "node node-a is in zone zone-1" in refusal.message
    assert "subnet-1 in zone-2" in refusal.message


def test_candidates_come_from_the_top_without_what_the_vpc_keeps():
    every = [f"10.0.3.{number}" for number in range(6, 1, -1)]

    assert list(choice.candidates(subnet(1), ())) == every
    assert list(choice.candidates(subnet(1), {"10.0.3.6", "10.0.3.4"})) == [
        "10.0.3.5",
        "10.0.3.3",
        "10.0.3.2",
    ]


def test_candidates_are_asked_for_by_so_many():
    assert list(choice.by_number(iter("abcde"), 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(choice.by_number(iter(""), 2)) == []


def test_the_subnet_of_an_address_is_found_at_its_bounds():
    one, other = subnet(1), subnet(2, cidr="10.0.3.8/29")

    assert choice.subnet_with([one, other], "10.0.3.7") == one
    assert choice.subnet_with([one, other], "10.0.3.8") == other
    assert choice.subnet_with([one, other], "10.0.3.16") is None
