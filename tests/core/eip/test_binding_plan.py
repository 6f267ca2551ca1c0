"""Which EIP goes where: claims and ledger in, actions out."""

from dataclasses import replace

import pytest

from ipamd.core import model
from ipamd.core.claim import eipclaim
from ipamd.core.eip import binding_plan
from ipamd.core.ledger import acquisition, eip_records, ledger, states
from tests.testkit import claims
from tests.testkit.claims import OWN
from tests.testkit.pods import pod_ref

NODE = "node-1"
IP = "10.0.1.10"
NOW = 1000.0


def claim(*, retained=False, **changes):
    served = {"node": NODE, "made_for": "u1", "pod": eipclaim.ClaimPod(uid="u1", node=NODE), "address": OWN}
    return claims.claim(never=retained, **{**served, **changes})


def told(*, node=NODE, ip=IP, uid="u1", true=True):
    binding = eipclaim.ClaimBinding(node=node, eni_id="eni-1", private_ip=ip, pod_uid=uid, sandbox="c1")
    conditions = ({"type": "Bound", "status": "True" if true else "False"},)
    return {"binding": binding, "conditions": conditions}


def assigned(stage=None, *, eip_id="eip-1", claim_name="default/web-0", uid="u1"):
    key = model.SandboxKey(container_id="c1", ifname="eth0")
    current = ledger.adopt(ledger.Ledger(), "eni-1", [IP], NOW).ledger
    current = acquisition.acquire(
        current, acquisition.Attachment(key=key, pod=pod_ref(uid=uid)), 30.0, NOW
    ).ledger
    if stage is None:
        return current
    binding = states.Binding(eip_id=eip_id, public_ip="", stage=stage, claim=claim_name)
    return current.changed(replace(current.addresses[IP], eip=binding)).ledger


def released(current, hold=None):
    return ledger.release(current, current.addresses[IP].state.key, hold, 30.0, NOW).ledger


def decided(current, *known, expected=()):
    facts = binding_plan.BindingFacts(
        node=NODE, ledger=current, claims={str(c): c for c in known}, expected=frozenset(expected)
    )
    return binding_plan.decide(facts)


def one(current, *known, expected=()):
    (action,) = decided(current, *known, expected=expected)
    return action


BINDING, BOUND, UNBINDING = states.BindStage


def test_provisioned_claim_of_a_wired_pod_is_associated():
    action = one(assigned(), claim())

    assert isinstance(action, binding_plan.Associate)
    assert (action.address.ip, action.claim.address.eip_id, action.pod) == (IP, "eip-1", pod_ref())


def test_pod_without_a_claim_needs_nothing():
    assert decided(assigned()) == []


def test_nothing_is_associated_before_everything_is_certain():
    assert decided(assigned(), claim(address=None)) == []
    assert decided(assigned(), claim(deleting=True)) == []
    assert decided(assigned(), claim(pod=eipclaim.ClaimPod(uid="u0"))) == []
    assert decided(assigned(), claim(node="node-2")) == []
    assert decided(assigned(), claim(**told(node="node-2"))) == []


def test_bound_and_told_is_the_resting_state():
    assert decided(assigned(BOUND), claim(**told())) == []


def test_what_is_bound_but_not_told_is_announced_without_touching_the_cloud():
    for state in (dict[str, object](), told(ip="10.0.1.99"), told(true=False), told(uid="u0")):
        assert isinstance(one(assigned(BOUND), claim(**state)), binding_plan.PublishBinding)


def test_interrupted_association_is_resumed():
    assert isinstance(one(assigned(BINDING), claim(**told(true=False))), binding_plan.Associate)


def test_interrupted_disassociation_is_resumed_even_if_the_claim_wants_it_again():
    action = one(assigned(UNBINDING), claim())

    assert isinstance(action, binding_plan.Disassociate)
    assert action.certain


def test_freed_address_gives_its_eip_back_whatever_the_claim_says():
    for known in ([], [claim()], [claim(deleting=True)]):
        actions = decided(released(assigned(BOUND)), *known)
        (action,) = [a for a in actions if isinstance(a, binding_plan.Disassociate)]
        assert action.certain


def test_unknown_eip_on_a_free_address_is_looked_into_first():
    current = released(assigned(BOUND, claim_name=""))

    assert not one(current).certain


def test_an_eip_that_this_agent_has_not_bound_is_looked_at_whatever_the_pods_claim_says():
    found = assigned(BOUND, eip_id="eip-x", claim_name="")

    for known in (claim(), claim(deleting=True), claim(address=None, pod=eipclaim.ClaimPod(uid="u2"))):
        action = one(found, known)
        assert isinstance(action, binding_plan.Disassociate)
        assert not action.certain


def test_claim_that_is_deleted_or_serves_another_node_loses_its_binding():
    assert one(assigned(BOUND), claim(deleting=True)).certain
    assert not one(assigned(BOUND), claim(node="node-2", pod=None)).certain
    # The label follows when the binding is gone: until then it shows the claim to the agent that has it.
    moved = claim(pod=eipclaim.ClaimPod(uid="u2", node="node-2"), retained=True)
    assert isinstance(one(assigned(BOUND), moved), binding_plan.Disassociate)


def test_binding_is_withdrawn_though_the_claim_already_serves_a_pod_of_another_node():
    moving = claim(pod=eipclaim.ClaimPod(uid="u2", node="node-2"), retained=True, **told())

    assert decided(ledger.Ledger(), moving) == [binding_plan.ClearPublishedBinding(claim=moving)]


def test_claim_that_vanished_from_the_cache_is_looked_into_first():
    action = one(assigned(BOUND))

    assert isinstance(action, binding_plan.Disassociate)
    assert not action.certain


def test_new_eip_of_the_claim_replaces_the_old_one():
    other = eipclaim.ClaimAddress(eip_id="eip-2", public_ip="", owned=True)

    action = one(assigned(BOUND), claim(address=other))

    assert isinstance(action, binding_plan.Disassociate)
    assert action.address.eip.eip_id == "eip-1"


def test_claim_without_address_keeps_what_is_recorded():
    assert decided(assigned(BOUND), claim(address=None, **told())) == []


def test_eip_leaves_its_old_address_before_it_goes_to_the_new_one():
    old = released(assigned(BOUND, uid="u0"))
    key = model.SandboxKey(container_id="c2", ifname="eth0")
    both = ledger.adopt(old, "eni-1", ["10.0.1.11"], NOW).ledger
    both = acquisition.acquire(both, acquisition.Attachment(key=key, pod=pod_ref()), 30.0, NOW).ledger

    action = one(both, claim())
    assert isinstance(action, binding_plan.Disassociate)

    unbound = eip_records.confirm_unbound(both, IP, "eip-1", 30.0, NOW).ledger
    action = one(unbound, claim())
    assert isinstance(action, binding_plan.Associate)
    assert action.address.ip == "10.0.1.11"


def test_held_address_keeps_its_eip_without_any_action():
    hold = ledger.AddressHold(until=NOW + 120, by_name=False)

    assert decided(released(assigned(BOUND), hold), claim(**told())) == []
    assert decided(released(assigned(BOUND), hold), claim(**told(ip="10.0.1.99"))) == []


def test_retained_claim_that_already_serves_the_next_pod_keeps_the_hold():
    hold = ledger.AddressHold(until=NOW + 120, by_name=True)
    current = released(assigned(BOUND), hold)

    assert decided(current, claim(retained=True, pod=eipclaim.ClaimPod(uid="u2"), **told())) == []


def test_claim_that_serves_another_pod_without_retention_takes_its_eip_along():
    action = one(assigned(BOUND), claim(pod=eipclaim.ClaimPod(uid="u2")))

    assert isinstance(action, binding_plan.Disassociate)


def test_hold_of_a_pod_that_is_expected_back_goes_on_binding():
    current = released(assigned(), ledger.AddressHold(until=NOW + 120, by_name=False))

    assert isinstance(one(current, claim(), expected=[pod_ref()]), binding_plan.Associate)
    assert decided(current, claim()) == []


def test_binding_of_this_node_without_an_address_is_withdrawn():
    known = claim(deleting=True, **told())

    assert decided(ledger.Ledger(), known) == [binding_plan.ClearPublishedBinding(claim=known)]
    assert decided(ledger.Ledger(), claim(**told(node="node-2"))) == []


@pytest.mark.parametrize("other", ["default/web-1", "default/db-0"])
def test_binding_is_withdrawn_though_another_pod_of_the_node_has_an_eip(other):
    others = assigned(BOUND, eip_id="eip-2", claim_name=other)
    known = claim(deleting=True, **told())

    assert binding_plan.ClearPublishedBinding(claim=known) in decided(others, known)
    assert not binding_plan.is_here(others, known)
    assert binding_plan.is_here(assigned(BOUND), known)


def test_binding_that_is_about_to_be_made_again_is_not_withdrawn():
    assert [type(a) for a in decided(assigned(), claim(**told()))] == [binding_plan.Associate]


def test_quarantined_address_gets_no_eip():
    current = assigned()
    current = current.changed(replace(current.addresses[IP], missing_since=NOW)).ledger

    assert decided(current, claim()) == []


def test_occupied_address_of_a_lost_store_keeps_its_eip():
    occupant = states.Occupied(host_interface="eni0", host_mac="0a:e2:01:02:03:04", pod=pod_ref(), since=NOW)
    eip = states.Binding(eip_id="eip-1", public_ip="", stage=BOUND)
    current = ledger.Ledger.of([states.Address(ip=IP, eni_id="eni-1", state=occupant, added_at=NOW, eip=eip)])

    assert not any(isinstance(a, binding_plan.Disassociate) for a in decided(current, claim(**told())))


def test_every_wait_is_told_in_words():
    words = {
        "create": None,
        "being deleted": claim(deleting=True),
        "provision": claim(address=None),
        "UID u0": claim(pod=eipclaim.ClaimPod(uid="u0")),
        "node node-2": claim(node="node-2"),
        "agent of node node-3": claim(**told(node="node-3")),
    }
    for expected, known in words.items():
        assert expected in binding_plan.waited_for(known, pod_ref(), NODE)
    assert binding_plan.waited_for(claim(), pod_ref(), NODE) == ""


def test_condition_of_the_claim_is_part_of_the_words():
    failed = {
        "type": "Provisioned",
        "status": "False",
        "reason": "QuotaExceeded",
        "message": "AddressQuotaLimitExceeded, RequestId r-1: ask for more",
    }
    known = claim(address=None, conditions=(failed,))

    assert "RequestId r-1" in binding_plan.waited_for(known, pod_ref(), NODE)
    assert (
        binding_plan.refusal(known) == "QuotaExceeded: AddressQuotaLimitExceeded, RequestId r-1: ask for more"
    )
    assert binding_plan.refusal(claim(conditions=(failed,))) == ""
    assert binding_plan.refusal(claim(address=None, conditions=({**failed, "reason": "CloudError"},))) == ""
    assert binding_plan.refusal(None) == ""


def test_add_is_ready_only_with_the_right_eip_bound_for_the_right_pod():
    address = assigned(BOUND).addresses[IP]

    assert binding_plan.is_ready(address, claim(), pod_ref())
    assert not binding_plan.is_ready(address, claim(pod=eipclaim.ClaimPod(uid="u0")), pod_ref())
    assert not binding_plan.is_ready(address, claim(deleting=True), pod_ref())
    assert not binding_plan.is_ready(address, None, pod_ref())
    assert not binding_plan.is_ready(assigned(BINDING).addresses[IP], claim(), pod_ref())
    assert not binding_plan.is_ready(assigned(BOUND, eip_id="eip-2").addresses[IP], claim(), pod_ref())


def test_the_log_has_what_an_action_is_about():
    of_claim = one(assigned(), claim())
    of_address = one(assigned(UNBINDING), claim())
    bare = replace(of_address, address=replace(released(assigned()).addresses[IP], eip=None))

    assert binding_plan.about(of_claim) == {"claim": "default/web-0", "eip": "eip-1"}
    assert binding_plan.about(replace(of_claim, claim=claim(address=None)))["eip"] == ""
    assert binding_plan.about(of_address) == {
        "eni": "eni-1",
        "namespace": "default",
        "pod": "web-0",
        "eip": "eip-1",
        "claim": "default/web-0",
    }
    assert {name for name, value in binding_plan.about(bare).items() if value} == {"eni"}
