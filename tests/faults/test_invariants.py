"""What the look after a fault finds: it must see each kind of damage, or a clean run would prove nothing."""

from dataclasses import replace

import pytest

from testbed.faults.evidence import Evidence, Row
from testbed.faults.invariants import Expectation, Wanted, repeated_orders, violations

TAGS = {"tke-clusterId": "cls-demo", "tke-created-eip": "true", "tke-eipclaim-uid": "uid-1"}
EIP = {
    "AddressId": "eip-1",
    "AddressIp": "198.18.0.2",
    "AddressStatus": "BIND",
    "NetworkInterfaceId": "eni-1",
    "PrivateAddressIp": "10.0.1.4",
    "Tags": TAGS,
}
STATUS = {
    "address": {"id": "eip-1", "ip": "198.18.0.2"},
    "binding": {"privateIP": "10.0.1.4", "eniID": "eni-1", "sandbox": "c1"},
    "conditions": [{"type": "Bound", "status": "True"}],
}
CLAIM = {"metadata": {"name": "web", "uid": "uid-1"}, "status": STATUS}
ENI = {
    "eni_id": "eni-1",
    "primary": False,
    "instance_id": "ins-1",
    "tags": {"tke-eni-node": "ins-1"},
    "addresses": {
        "10.0.1.3": {"primary": True},
        "10.0.1.4": {"primary": False},
        "10.0.1.5": {"primary": False},
    },
}
PRIMARY = {"eni_id": "eni-0", "primary": True, "tags": {}, "addresses": {"10.0.1.2": {"primary": True}}}
ASSIGNED = {"state": "assigned", "name": "web", "container_id": "c1", "missing_since": None}
WARM = {"state": "warm", "name": None, "container_id": None, "missing_since": None}
POD = {"metadata": {"annotations": {"tke.cloud.tencent.com/eip-public-ip": "198.18.0.2"}}}

GOOD = Evidence(
    eips=[EIP],
    enis=[PRIMARY, ENI],
    instance_id="ins-1",
    claims=[CLAIM],
    pods={"web": POD},
    leases={"10.0.1.4": ASSIGNED, "10.0.1.5": WARM},
    intents=0,
    links=frozenset({"eniweb"}),
    host_routes={"10.0.1.4": "eniweb"},
    nft_pods=frozenset({"10.0.1.4"}),
    nft_eip_pods=frozenset({"10.0.1.4"}),
    nft_sources=frozenset({"10.0.1.4"}),
    rules=3,
)
EXPECTED = Expectation(
    pods={"web": Wanted(name="web", eip=True, ip="10.0.1.4", container_id="c1")},
    retained=frozenset(),
    warm=range(1, 3),
    enis=1,
    cluster_id="cls-demo",
)
NOBODY = replace(EXPECTED, pods={})


def test_a_node_at_rest_has_nothing_wrong():
    assert violations(GOOD, EXPECTED) == []


def test_a_free_address_in_quarantine_is_known_not_to_be_there():
    quarantined = {**GOOD.leases, "10.0.1.6": {**WARM, "missing_since": 1.0}}

    assert violations(replace(GOOD, leases=quarantined), EXPECTED) == []


def test_an_eni_of_one_pod_is_in_its_pod_or_put_away():
    enis = {"10.0.1.7": "tke20906f000001", "10.0.1.4": ""}
    seen = replace(
        GOOD,
        own_enis=enis,
        enis=[PRIMARY, {**ENI, "addresses": {"10.0.1.5": {"primary": False}}}],
        leases={**GOOD.leases, "10.0.1.7": WARM},
        nft_eip_pods=frozenset(),
    )
    assert violations(seen, EXPECTED) == []

    astray = violations(replace(seen, own_enis={"10.0.1.7": "dev9", "10.0.1.4": "eth0"}), EXPECTED)

    assert {(violation.kind, violation.text) for violation in astray} == {
        ("leaked", "the ENI of 10.0.1.7, which no Pod has, is dev9"),
        ("unmended", "the ENI of 10.0.1.4 is on the node, as eth0"),
    }


def test_an_eip_of_another_cluster_is_nobodys_business():
    foreign = {**EIP, "AddressId": "eip-9", "Tags": {"tke-clusterId": "cls-other"}}

    assert violations(replace(GOOD, eips=[EIP, foreign]), EXPECTED) == []


def test_everything_that_a_pod_leaves_behind_is_leaked():
    found = {violation.text for violation in violations(GOOD, NOBODY) if violation.kind == "leaked"}

    assert found == {
        "EIP eip-1 of claim web is BIND",
        "claim web is there",
        "10.0.1.4 is assigned for Pod web, which does not have it",
        "the kernel has a route to 10.0.1.4",
        "the kernel has an element of nft map pods for 10.0.1.4",
        "the kernel has an element of nft set eip_pods for 10.0.1.4",
        "the kernel has an element of nft set pod_sources for 10.0.1.4",
        "the kernel has 1 links for 0 Pods",
    }


ELSEWHERE = {**EIP, "PrivateAddressIp": "10.0.1.5"}
UNBOUND = {**EIP, "AddressStatus": "UNBIND", "PrivateAddressIp": "", "NetworkInterfaceId": ""}


@pytest.mark.parametrize(
    ("damage", "kind", "text"),
    [
        ({"eips": [EIP, {**EIP, "AddressId": "eip-2"}]}, "duplicate", "2 EIPs carry the UID of claim web"),
        ({"eips": [ELSEWHERE]}, "stolen", "EIP eip-1 of claim web is at 10.0.1.5"),
        ({"eips": [UNBOUND]}, "unmended", "its EIP eip-1 is not bound to 10.0.1.4"),
        ({"eips": [EIP, {**UNBOUND, "Tags": {**TAGS, "tke-eipclaim-uid": "gone"}}]}, "leaked", "of no claim"),
        ({"claims": []}, "unmended", "its claim is gone or going"),
        (
            {"claims": [{**CLAIM, "status": {**STATUS, "binding": {}}}]},
            "unmended",
            "bound to nothing",
        ),
        ({"claims": [{**CLAIM, "status": {**STATUS, "conditions": []}}]}, "unmended", "not Bound"),
        ({"pods": {"web": {"metadata": {}}}}, "unmended", "its annotation eip-public-ip is None"),
        ({"enis": [ENI, {**ENI, "eni_id": "eni-2"}]}, "duplicate", "2 secondary ENIs"),
        ({"enis": [ENI, {**ENI, "instance_id": "", "tags": {}}]}, "leaked", "attached to nothing of ours"),
        ({"enis": []}, "unmended", "0 of 1 ENIs"),
        ({"intents": 1}, "leaked", "1 intents"),
        (
            {"leases": {"10.0.1.4": ASSIGNED}},
            "leaked",
            "10.0.1.5 is assigned by the cloud and not in the store",
        ),
        (
            {"leases": {**GOOD.leases, "10.0.1.6": WARM}},
            "unmended",
            "10.0.1.6 is in the store and not assigned by the cloud",
        ),
        (
            {"leases": {**GOOD.leases, "10.0.1.5": {**WARM, "state": "held"}}},
            "unmended",
            "0 addresses are free",
        ),
        ({"leases": {"10.0.1.4": {**ASSIGNED, "container_id": "c0"}}}, "unmended", "the store has 10.0.1.4"),
        ({"links": frozenset()}, "unmended", "there is no link"),
        ({"host_routes": {}}, "unmended", "no route to 10.0.1.4"),
        ({"links": frozenset({"eniweb", "enilost"})}, "leaked", "2 links for 1 Pods"),
        ({"nft_pods": frozenset()}, "unmended", "the nft elements of 10.0.1.4 are not right"),
        ({"nft_eip_pods": frozenset()}, "unmended", "the nft elements of 10.0.1.4 are not right"),
        ({"nft_sources": frozenset()}, "unmended", "the nft elements of 10.0.1.4 are not right"),
        ({"nft_pods": frozenset({"10.0.1.4", "10.0.1.5"})}, "leaked", "nft map pods for 10.0.1.5"),
        ({"nft_sources": frozenset({"10.0.1.4", "10.0.1.5"})}, "leaked", "nft set pod_sources for 10.0.1.5"),
        ({"rules": 5}, "leaked", "5 policy rules"),
        ({"rules": 0}, "unmended", "0 policy rules"),
    ],
)
def test_each_damage_is_found_and_named(damage, kind, text):
    found = violations(replace(GOOD, **damage), EXPECTED)

    assert any(violation.kind == kind and text in violation.text for violation in found), found


def test_a_retained_claim_keeps_its_eip_and_address_without_a_pod():
    kept = replace(NOBODY, retained=frozenset({"web"}))
    held: dict[str, Row] = {"10.0.1.4": {**ASSIGNED, "state": "held"}, "10.0.1.5": WARM}
    seen = replace(
        GOOD,
        leases=held,
        links=frozenset(),
        host_routes={},
        nft_pods=frozenset(),
        nft_eip_pods=frozenset(),
        nft_sources=frozenset(),
    )

    assert violations(seen, kept) == []


def test_two_allocations_for_one_claim_are_found_in_the_audit():
    order = {
        "action": "AllocateAddresses",
        "code": "",
        "replayed": False,
        "params": {"Tags": [{"Key": "tke-eipclaim-uid", "Value": "uid-1"}]},
    }

    assert repeated_orders([order, {**order, "replayed": True}, {**order, "code": "Refused"}]) == []
    [found] = repeated_orders([order, order])
    assert found.kind == "duplicate"
