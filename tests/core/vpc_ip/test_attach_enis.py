"""What is to be done so that the ENI of a claim is where its Pod is."""

from dataclasses import replace

import pytest

from ipamd.core import model
from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.ledger import acquisition, fixed_addresses, ledger
from ipamd.core.ledger.cloud_listing import FOUND_SECONDS
from ipamd.core.ledger.states import Binding, BindStage
from ipamd.core.vpc_ip import attach_actions, attach_enis, attach_facts, attach_plan, attach_waits
from ipamd.core.vpc_ip.attach_actions import (
    AttachEni,
    DetachEni,
    LetGo,
    MakeEniRoom,
    PublishAssigned,
    ReclaimFixed,
    TellMisplaced,
    WithdrawBinding,
)
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress
from tests.testkit.pods import pod_ref
from tests.testkit.vpc_ip_claims import ASSIGNED_SAID, IP, ON_A, ON_B, SUBNET, UID, vpc_ip_claim

NOW = 1000.0
POD, NEXT = pod_ref("web-0", "pod-1"), pod_ref("web-0", "pod-2")
KEY = model.SandboxKey(container_id="c1", ifname="eth0")
HOLD = fixed_addresses.FixedHold(claim_uid=UID, pod=POD, until=NOW + 300)
EMPTY = ledger.Ledger()
OWN = FixedAddress(ip=IP, subnet_id=SUBNET, zone="ap-guangzhou-3", eni_id="eni-1")
NEVER = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, exclusive=True)
BARE = model.EniAddress(ip=IP, primary=True, state=model.IpState.AVAILABLE)
WITH_EIP = replace(BARE, eip_id="eip-1", public_ip="203.0.113.1")


def own(**changes):
    return vpc_ip_claim(**{"exclusive": True, "request": NEVER, "address": OWN, **changes})


def told(**changes):
    return own(**{"binding": ON_A, "assigned_ip": IP, "conditions": (ASSIGNED_SAID,), **changes})


def facts(current=EMPTY, *claims, **changes):
    known = {
        "node": "node-a",
        "ledger": current,
        "claims": {str(claim): claim for claim in claims},
        "expected": frozenset([POD]),
        "per_eni": 9,
        "gives_enis": True,
        "eni_places": 3,
        "now": NOW,
    }
    return attach_facts.AttachFacts(**{**known, **changes})


def decided(current=EMPTY, *claims, **changes):
    return attach_plan.decide(facts(current, *claims, **changes))


def begun():
    return fixed_addresses.begin_assign(EMPTY, IP, "eni-1", HOLD, NOW, exclusive=True).ledger


def held(entry=BARE, **eip):
    current = fixed_addresses.confirm_attached(begun(), IP, UID, entry, NOW).ledger
    if not eip:
        return current
    address = current.addresses[IP]
    bound = Binding(eip_id="eip-1", public_ip="203.0.113.1", stage=BindStage.BOUND, **eip)
    return ledger.Ledger.of([replace(address, eip=bound)])


def running():
    attachment = acquisition.Attachment(key=KEY, pod=POD, exclusive=True, fixed_ip=IP)
    return acquisition.acquire(held(), attachment, 30.0, NOW).ledger


def leaving(current=None):
    current = current or held(WITH_EIP, claim="default/web-0", retained=True)
    return fixed_addresses.let_go(current, current.addresses[IP], NOW).ledger


def attach(claim):
    return AttachEni(claim=claim, pod=POD, ip=IP, eni_id="eni-1")


def test_the_eni_of_a_pod_that_is_here_is_attached_and_no_address_assigned():
    assert decided(EMPTY, own()) == [attach(own())]


@pytest.mark.parametrize(
    "claim",
    [
        own(address=None),
        own(address=replace(OWN, eni_id="")),
        own(deleting=True),
        own(binding=ON_B),
        own(pod=ClaimPod(uid="pod-2", node="node-a")),
    ],
)
def test_it_is_not_before_it_is_the_pods_for_certain(claim):
    assert decided(EMPTY, claim) == []


def test_what_a_crash_has_left_begun_is_done_again():
    claim = own(binding=ON_A)
    assert decided(EMPTY, claim) == [attach(claim)]
    assert decided(begun(), claim) == [attach(claim)]


def test_attached_and_told_is_the_resting_state():
    assert decided(running(), told()) == []
    assert decided(held(), told()) == []
    assert isinstance(decided(running(), own(binding=ON_A))[0], PublishAssigned)


def test_somebody_takes_it_off_under_its_pod_and_it_is_attached_again():
    address = replace(running().addresses[IP], missing_since=NOW)
    current = ledger.Ledger.of([address])
    assert decided(current, told()) == []
    late = NOW + attach_plan.REASSIGN_AFTER
    assert decided(current, told(), now=late) == [attach(told())]
    assert decided(current, told(), now=late, gives_enis=False) == []


def test_a_node_that_gives_no_enis_says_what_to_do():
    (action,) = decided(EMPTY, own(), gives_enis=False)
    assert isinstance(action, TellMisplaced)
    assert "node-a gives no Pod an ENI of its own, as that of VpcIPClaim default/web-0 is" in str(action.why)
    assert "--direct-eni" in action.why.advice
    begun_here = own(binding=ON_A)
    assert decided(EMPTY, begun_here, gives_enis=False) == [WithdrawBinding(claim=begun_here)]


def test_a_pod_that_runs_with_the_eni_of_a_claim_removed_by_force_says_so():
    again = own(uid="claim-2", address=replace(OWN, ip="10.0.1.51", eni_id="eni-2"))

    (action,) = decided(running(), again)

    assert isinstance(action, TellMisplaced)
    assert f"runs with {IP}, which it keeps: 10.0.1.51 of VpcIPClaim default/web-0" in str(action.why)


def test_a_node_in_another_zone_says_so():
    (action,) = decided(EMPTY, own(), zone="ap-guangzhou-4")
    assert "in zone ap-guangzhou-3, and node node-a is in zone ap-guangzhou-4" in str(action.why)


def test_where_there_is_no_place_room_is_asked_for():
    other = own(name="web-1", uid="claim-2", address=replace(OWN, ip="10.0.1.51", eni_id="eni-2"))
    both = {"expected": frozenset([POD, pod_ref("web-1", "pod-1")])}
    first, second = decided(EMPTY, own(), other, eni_places=1, **both)
    assert (first, second) == (attach(own()), MakeEniRoom(claim=other))

    known = facts(EMPTY, own(), other, eni_places=1, **both)
    assert attach_enis.coming(known, [first, second]) == 2
    assert attach_actions.claim_uid_of(second) == "claim-2"


def test_one_that_is_attached_already_needs_no_place():
    known = facts(EMPTY, own(), eni_places=0, own_enis=frozenset(["eni-1"]))
    assert attach_plan.decide(known) == [attach(own())]
    assert attach_enis.coming(known, [attach(own())]) == 0


def test_held_for_another_node_it_is_let_go_with_its_eip():
    there = told(pod=ClaimPod(uid="pod-2", node="node-b"))
    (action,) = decided(held(), there)
    assert isinstance(action, LetGo)
    assert (action.certain, action.with_eip) == (False, True)


def test_held_for_a_claim_that_ends_it_is_let_go_without():
    (action,) = decided(held(), told(deleting=True), expected=frozenset())
    assert (action.certain, action.with_eip) == (True, False)


def test_let_go_it_is_detached_whatever_the_claims_say():
    for current in (leaving(), leaving(held())):
        (action,) = decided(current)
        assert action == DetachEni(address=current.addresses[IP])
        assert attach_actions.needs_no_claim(action)
        assert attach_actions.claim_uid_of(action) == UID


def test_an_eip_that_does_not_stay_is_unbound_first():
    plain = leaving(held(WITH_EIP, claim="default/web-0", retained=False))
    assert decided(plain) == []


def test_a_claim_that_ends_while_its_eni_leaves_has_the_eip_unbound():
    (action,) = decided(leaving(), told(deleting=True), expected=frozenset())
    assert isinstance(action, LetGo)
    assert not action.with_eip


def test_one_that_was_found_waits_for_its_claim_and_then_leaves():
    found = leaving(held(WITH_EIP))
    assert decided(found) == []
    assert decided(found, own()) == [ReclaimFixed(claim=own(), pod=POD, ip=IP)]
    late = decided(found, now=NOW + FOUND_SECONDS)
    assert late == [DetachEni(address=found.addresses[IP])]


def test_one_that_was_found_again_leaves_at_once_when_another_node_waits_for_it():
    found = leaving(held(WITH_EIP))
    assert decided(found, told(pod=ClaimPod(uid="pod-2", node="node-b"))) == [
        DetachEni(address=found.addresses[IP])
    ]


def test_the_binding_leaves_the_claim_after_that_of_the_eip():
    there = told(pod=ClaimPod(uid="pod-2", node="node-b"))
    assert decided(EMPTY, there, eips_told=frozenset(["default/web-0"])) == []
    assert decided(EMPTY, there) == [WithdrawBinding(claim=there)]


@pytest.mark.parametrize("exclusive", [True, False])
def test_claim_and_pod_on_two_networks_are_both_named(exclusive):
    claim = own() if exclusive else vpc_ip_claim()
    assert attach_waits.other_network(claim, exclusive=exclusive) == ""
    said = attach_waits.other_network(claim, exclusive=not exclusive)
    has, asks = ("tke-direct-eni", "tke-route-eni") if exclusive else ("tke-route-eni", "tke-direct-eni")
    assert said.startswith(
        f"the Pod asks for {asks}, and its VpcIPClaim default/web-0 is of {has}: ask for {has}"
    )
