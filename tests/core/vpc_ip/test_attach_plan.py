"""What is to be done so that a fixed address is where its claim wants it."""

from dataclasses import replace

import pytest

from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.ledger import acquisition, fixed_addresses, ledger, states
from ipamd.core.model import SandboxKey
from ipamd.core.pool import EniCapacity
from ipamd.core.vpc_ip import attach_actions, attach_facts, attach_plan, attach_waits
from ipamd.core.vpc_ip.attach_actions import (
    AssignFixed,
    LetGo,
    MakeRoom,
    PublishAssigned,
    ReclaimFixed,
    TellMisplaced,
    UnassignFixed,
    WithdrawBinding,
)
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import AddressBinding, FixedAddress
from tests.testkit.pods import pod_ref
from tests.testkit.vpc_ip_claims import IP, ON_A, ON_B, SUBNET, UID, told_claim, vpc_ip_claim

NOW = 1000.0
POD, NEXT = pod_ref("web-0", "pod-1"), pod_ref("web-0", "pod-2")
KEY = SandboxKey(container_id="c1", ifname="eth0")
HOLD = fixed_addresses.FixedHold(claim_uid=UID, pod=POD, until=NOW + 300)
ENI = EniCapacity(eni_id="eni-1", subnet_id=SUBNET, addresses=3)
EMPTY = ledger.Ledger()
ON_A_NEXT = ClaimPod(uid="pod-2", node="node-a")


def decided(current=EMPTY, *claims, expected=(POD,), enis=(ENI,), now=NOW, zone=""):
    facts = attach_facts.AttachFacts(
        node="node-a",
        zone=zone,
        ledger=current,
        claims={str(claim): claim for claim in claims},
        expected=frozenset(expected),
        enis=enis,
        per_eni=9,
        now=now,
    )
    return attach_plan.decide(facts)


def begun():
    return fixed_addresses.begin_assign(EMPTY, IP, "eni-1", HOLD, NOW).ledger


def held():
    return fixed_addresses.confirm_assigned(begun(), IP, UID).ledger


def running(pod=POD):
    attachment = acquisition.Attachment(key=KEY, pod=pod, fixed_ip=IP)
    return acquisition.acquire(held(), attachment, 30.0, NOW).ledger


def retired():
    return fixed_addresses.let_go(held(), held().addresses[IP], NOW).ledger


def to_eni(eni_id, claim):
    return [AssignFixed(claim=claim, pod=POD, ip=IP, eni_id=eni_id)]


def test_an_address_of_another_zone_is_told_and_nothing_is_asked_of_the_cloud():
    claim = vpc_ip_claim()

    (told,) = decided(EMPTY, claim, enis=(), zone="ap-guangzhou-4")

    assert isinstance(told, TellMisplaced)
    assert "in zone ap-guangzhou-3, and node node-a is in zone ap-guangzhou-4" in str(told.why)
    assert not attach_actions.demand([told], EMPTY), "no ENI is made for it"
    assert decided(EMPTY, claim, enis=(), zone="ap-guangzhou-3") == [MakeRoom(claim=claim, subnet_id=SUBNET)]
    begun_here = vpc_ip_claim(binding=ON_A)
    assert decided(EMPTY, begun_here, zone="ap-guangzhou-4") == [WithdrawBinding(claim=begun_here)]


def test_what_was_said_of_a_node_in_another_zone_stands_in_no_other_node_s_way():
    wrong = {"type": "Assigned", "status": "False", "reason": "WrongSubnet", "message": "another zone"}

    assert attach_waits.refusal(vpc_ip_claim(conditions=(wrong,))) == ""


def test_a_pod_s_address_is_assigned_to_the_eni_of_its_subnet_with_the_least_room():
    claim = vpc_ip_claim()
    other = replace(ENI, eni_id="eni-0", subnet_id="subnet-b", addresses=8)
    emptier = replace(ENI, eni_id="eni-2", addresses=1)

    assert decided(EMPTY, claim, enis=(other, emptier, ENI)) == to_eni("eni-1", claim)


def test_a_busy_eni_is_waited_for_only_if_there_is_no_other():
    claim = vpc_ip_claim()
    busy, idle = replace(ENI, busy=True), replace(ENI, eni_id="eni-2", addresses=1)

    assert decided(EMPTY, claim, enis=(busy, idle)) == to_eni("eni-2", claim)
    assert decided(EMPTY, claim, enis=(busy,)) == to_eni("eni-1", claim)


@pytest.mark.parametrize(
    "enis",
    [
        (),
        (replace(ENI, addresses=9),),
        (replace(ENI, subnet_id="subnet-b"),),
        (replace(ENI, broken=True),),
    ],
)
def test_without_room_in_the_subnet_room_is_made(enis):
    claim = vpc_ip_claim()

    actions = decided(EMPTY, claim, enis=enis)

    assert actions == [MakeRoom(claim=claim, subnet_id=SUBNET)]
    assert attach_actions.demand(actions, EMPTY) == {SUBNET: 1}


def test_the_eni_that_was_asked_before_a_crash_is_asked_again():
    claim = vpc_ip_claim(binding=replace(ON_A, eni_id="eni-2"))
    asked = replace(ENI, eni_id="eni-2", addresses=0)

    assert decided(EMPTY, claim, enis=(ENI, asked)) == to_eni("eni-2", claim)
    assert decided(EMPTY, claim, enis=(ENI, replace(asked, broken=True))) == [], "it may have the address"


@pytest.mark.parametrize(
    "changes",
    [
        {"deleting": True},
        {"address": None},
        {"pod": ClaimPod(uid="pod-2", node="node-a")},
        {"node": "node-b"},
        {"binding": ON_B},
    ],
)
def test_nothing_is_assigned_while_somebody_else_has_a_part_to_do(changes):
    claim = vpc_ip_claim(**changes)

    assert decided(EMPTY, claim) == []
    assert attach_waits.waited_for(claim, POD, "node-a")


def test_nothing_is_assigned_for_a_pod_that_does_not_come():
    assert decided(EMPTY, vpc_ip_claim(), expected=()) == []


def test_nothing_is_assigned_for_a_pod_that_runs_with_another_address_and_it_is_told_why():
    other = ledger.adopt(EMPTY, "eni-1", ["10.0.1.9"], NOW).ledger
    other = acquisition.acquire(other, acquisition.Attachment(key=KEY, pod=POD), 30.0, NOW).ledger

    (action,) = decided(other, vpc_ip_claim())

    assert isinstance(action, TellMisplaced)
    assert "runs with 10.0.1.9, which it keeps" in str(action.why)
    assert action.why.advice == "delete the Pod to have it so now"
    ours = vpc_ip_claim(binding=ON_A)
    assert decided(other, ours) == [WithdrawBinding(claim=ours)]


def test_an_assignment_that_a_crash_cut_short_goes_on():
    assert decided(begun(), vpc_ip_claim(binding=ON_A)) == to_eni("eni-1", vpc_ip_claim(binding=ON_A))


def test_what_is_there_is_told_once():
    claim = vpc_ip_claim(binding=ON_A)
    publish = PublishAssigned(claim=claim, pod=POD, address=held().addresses[IP])

    assert decided(held(), claim) == [publish]
    assert decided(held(), told_claim()) == []
    assert decided(running(), told_claim()) == []


def test_a_pod_that_comes_back_to_its_node_needs_no_cloud_call():
    """Its address is held, and the claim serves the new Pod: ADD takes it by name."""
    claim = told_claim(pod=ClaimPod(uid="pod-2", node="node-a"))

    assert decided(held(), claim, expected=(NEXT,)) == []
    (told,) = decided(running(NEXT), claim, expected=(NEXT,))
    assert isinstance(told, PublishAssigned)


@pytest.mark.parametrize(
    ("claims", "certain"),
    [
        ((), False),
        ((told_claim(pod=ClaimPod(uid="pod-2", node="node-b")),), False),
        ((told_claim(uid="claim-2"),), False),
        ((told_claim(address=FixedAddress(ip="10.0.1.99", subnet_id=SUBNET)),), False),
        ((told_claim(deleting=True),), True),
    ],
)
def test_what_is_held_is_let_go_once_its_claim_wants_it_no_more_here(claims, certain):
    action = next(a for a in decided(held(), *claims, expected=()) if isinstance(a, LetGo))

    assert action.address == held().addresses[IP]
    assert action.certain is certain


def test_a_hold_ends_when_its_time_is_over_and_no_pod_is_in_sight():
    assert decided(held(), told_claim(), expected=(), now=NOW + 299) == []
    (action,) = decided(held(), told_claim(), expected=(), now=NOW + 300)
    assert isinstance(action, LetGo)
    assert decided(held(), told_claim(), now=NOW + 300) == [], "its Pod is here, and gets a sandbox again"


@pytest.mark.parametrize(
    "claims",
    [
        (),
        (told_claim(deleting=True),),
        (told_claim(pod=ClaimPod(uid="pod-2", node="node-b")),),
        (told_claim(uid="claim-2", address=None, binding=None),),
    ],
)
def test_nothing_is_ever_taken_from_a_pod_that_runs(claims):
    assert decided(running(), *claims, expected=()) == []


def test_a_claim_deleted_under_its_pod_keeps_the_address_until_the_pod_goes():
    assert decided(held(), told_claim(deleting=True), expected=(POD,)) == []


def test_what_was_let_go_is_taken_off_and_then_leaves_the_claim():
    address = retired().addresses[IP]

    assert decided(retired(), told_claim(), expected=()) == [UnassignFixed(address=address)]
    assert attach_actions.needs_no_claim(UnassignFixed(address=address))
    assert decided(EMPTY, told_claim(), expected=()) == [WithdrawBinding(claim=told_claim())]


def test_the_binding_stays_while_the_eip_is_still_there():
    leaving = retired().addresses[IP]
    eip = states.Binding(eip_id="eip-1", public_ip="", stage=states.BindStage.UNBINDING)
    unbinding = EMPTY.changed(replace(leaving, state=states.Unbinding(since=NOW), eip=eip)).ledger

    assert decided(unbinding, told_claim(), expected=()) == []


def test_an_address_that_somebody_took_off_a_running_pod_is_assigned_again():
    missing = replace(running().addresses[IP], missing_since=NOW)
    current = EMPTY.changed(missing).ledger

    assert decided(current, told_claim()) == [], "a list may lag"
    (action,) = decided(current, told_claim(), now=NOW + attach_plan.REASSIGN_AFTER)
    assert isinstance(action, AssignFixed)
    assert decided(current, told_claim(), enis=(replace(ENI, broken=True),), now=NOW + 60) == []


def test_what_was_found_after_a_lost_store_is_held_again_for_its_pod():
    found = replace(retired().addresses[IP], state=states.Cooling(until=NOW + 60))
    current = EMPTY.changed(found).ledger

    assert decided(current, told_claim()) == [ReclaimFixed(claim=told_claim(), pod=POD, ip=IP)]
    assert decided(current, told_claim(), expected=()) == []
    assert decided(current) == []


def test_what_was_found_again_is_let_go_at_once_when_another_node_waits_for_it():
    found = replace(retired().addresses[IP], state=states.Cooling(until=NOW + 60))
    current = EMPTY.changed(found).ledger
    moved = told_claim(pod=ClaimPod(uid="pod-2", node="node-b"))

    (action,) = decided(current, moved, expected=())

    assert action == LetGo(address=found, why="its VpcIPClaim is for node node-b", certain=True)
    gone = fixed_addresses.let_go(current, found, NOW).ledger
    assert isinstance(gone.addresses[IP].state, states.Unassigning)


def test_one_that_came_in_as_warm_is_claimed_and_not_taken_from_another_pod():
    warm = ledger.adopt(EMPTY, "eni-1", [IP], NOW).ledger
    attachment = acquisition.Attachment(key=KEY, pod=pod_ref("other", "u9"))
    used = acquisition.acquire(warm, attachment, 30.0, NOW).ledger

    assert decided(warm, told_claim()) == [ReclaimFixed(claim=told_claim(), pod=POD, ip=IP)]
    assert decided(warm, told_claim(), expected=()) == [ReclaimFixed(claim=told_claim(), pod=POD, ip=IP)]
    assert decided(used, told_claim()) == []


def test_an_eni_of_the_binding_that_is_none_of_this_node_is_looked_at_before_another_is_asked():
    of_predecessor = told_claim(binding=AddressBinding(node="node-a", eni_id="eni-8", pod_uid="pod-0"))

    assert decided(EMPTY, of_predecessor) == [WithdrawBinding(claim=of_predecessor)]


def test_a_binding_of_another_node_is_nobody_s_business_here():
    assert (
        decided(EMPTY, told_claim(binding=AddressBinding(node="node-b", eni_id="eni-9")), expected=()) == []
    )


def test_the_pod_has_the_address_of_a_claim_that_serves_it():
    assert attach_waits.fixed_ip(told_claim(), POD, EMPTY) == IP
    assert attach_waits.fixed_ip(told_claim(), NEXT, EMPTY) == ""
    assert attach_waits.fixed_ip(None, POD, EMPTY) == ""


@pytest.mark.parametrize(("current", "ip"), [(EMPTY, ""), (begun(), ""), (held(), IP), (running(), IP)])
def test_of_a_claim_that_is_being_deleted_only_a_pod_that_has_the_address_may_have_it(current, ip):
    assert attach_waits.fixed_ip(told_claim(deleting=True), POD, current) == ip
    assert attach_waits.fixed_ip(told_claim(deleting=True, pod=ON_A_NEXT), NEXT, current) == ""


def test_what_was_asked_for_a_claim_that_is_being_deleted_since_is_let_go():
    (what,) = decided(begun(), vpc_ip_claim(deleting=True, binding=ON_A), expected=(POD,))
    assert isinstance(what, LetGo)
    assert what.certain


def test_the_next_pod_of_the_name_waits_for_no_address_of_a_claim_that_is_being_deleted():
    (what,) = decided(held(), told_claim(deleting=True, pod=ON_A_NEXT), expected=(NEXT,))
    assert isinstance(what, LetGo)


def test_one_that_somebody_else_has_is_replaced_unless_a_pod_had_it():
    said = {"type": "Assigned", "status": "False", "message": "it is in use"}
    in_use = {**said, "reason": VpcIpReason.ADDRESS_IN_USE.value}
    fresh, known = vpc_ip_claim(conditions=(in_use,)), vpc_ip_claim(conditions=(in_use,), assigned_ip=IP)

    assert decided(EMPTY, fresh) == []
    assert "choose another address" in attach_waits.waited_for(fresh, POD, "node-a")
    assert attach_waits.refusal(fresh) == "", "the controller is about to choose another one"
    assert decided(EMPTY, known) == to_eni("eni-1", known)
    assert attach_waits.refusal(known) == "AddressInUse: it is in use"


def test_one_that_was_nominated_and_that_somebody_else_has_is_asked_for_again():
    said = {"type": "Assigned", "status": "False", "message": "it is in use", "reason": "AddressInUse"}
    nominated = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, nominated_ip=IP)
    claim = vpc_ip_claim(request=nominated, conditions=(said,))

    assert decided(EMPTY, claim) == to_eni("eni-1", claim)
    assert attach_waits.refusal(claim) == "AddressInUse: it is in use"


def test_what_only_a_person_mends_is_told_and_not_waited_for():
    said = {"type": "Provisioned", "status": "False", "message": "no address is left"}
    full = {**said, "reason": VpcIpReason.SUBNET_FULL.value}
    passing = {**said, "reason": VpcIpReason.CLOUD_ERROR.value}

    assert (
        attach_waits.refusal(vpc_ip_claim(address=None, conditions=(full,)))
        == "SubnetFull: no address is left"
    )
    assert attach_waits.refusal(vpc_ip_claim(address=None, conditions=(passing,))) == ""
    assert attach_waits.refusal(vpc_ip_claim(conditions=(full,))) == "", "it has one"
