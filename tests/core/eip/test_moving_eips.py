"""An EIP that is kept stays at an ENI that moves with its Pod, wherever its claim is just now."""

from dataclasses import replace

import pytest

from ipamd.core import model
from ipamd.core.claim import eipclaim
from ipamd.core.eip import binding_plan
from ipamd.core.ledger import acquisition, eip_records, fixed_addresses, ledger, states
from tests.testkit import claims
from tests.testkit.claims import OWN
from tests.testkit.pods import pod_ref

NODE, IP, NOW = "node-1", "10.0.1.10", 1000.0
BINDING = states.BindStage.BINDING
POD = pod_ref(uid="u1")
HOLD = fixed_addresses.FixedHold(claim_uid="vipc-1", pod=POD, until=NOW + 300)
LISTED = model.EniAddress(
    ip=IP, primary=True, state=model.IpState.AVAILABLE, eip_id=OWN.eip_id, public_ip=OWN.public_ip
)
ELSEWHERE = eipclaim.ClaimPod(uid="u0", node="node-2")
HERE = eipclaim.ClaimPod(uid="u1", node=NODE)


def claim(*, retained=True, **changes):
    served = {"node": NODE, "made_for": "u1", "pod": HERE, "address": OWN}
    return claims.claim(never=retained, **{**served, **changes})


def come(listed=LISTED):
    """The ENI has just been attached, and its EIP was listed with it."""
    begun = fixed_addresses.begin_assign(ledger.Ledger(), IP, "eni-1", HOLD, NOW, exclusive=True).ledger
    return fixed_addresses.confirm_attached(begun, IP, "vipc-1", listed, NOW).ledger


def known(current, **eip):
    address = current.addresses[IP]
    record = replace(address.eip, **{"claim": "default/web-0", "retained": True, **eip})
    return ledger.Ledger.of([replace(address, eip=record)])


def running(current):
    key = model.SandboxKey(container_id="c1", ifname="eth0")
    attachment = acquisition.Attachment(key=key, pod=POD, exclusive=True, fixed_ip=IP)
    return acquisition.acquire(current, attachment, 30.0, NOW).ledger


def decided(current, *all_claims, without_eip=()):
    facts = binding_plan.BindingFacts(
        node=NODE,
        ledger=current,
        claims={str(c): c for c in all_claims},
        expected=frozenset([POD]),
        without_eip=frozenset(without_eip),
    )
    return binding_plan.decide(facts)


def test_what_has_come_with_its_eni_is_told_without_a_call_of_the_cloud():
    for current in (come(), running(come())):
        (action,) = decided(current, claim())
        assert isinstance(action, binding_plan.PublishBinding)


def test_held_and_told_is_the_resting_state():
    assert decided(known(come()), claim()) == []


def test_a_claim_that_is_still_for_the_last_node_takes_nothing_away():
    behind = claim(pod=ELSEWHERE)
    assert decided(come(), behind) == []
    assert decided(running(come()), behind) == []


def test_a_claim_that_the_watch_does_not_show_is_looked_at_first():
    (action,) = decided(running(come()))
    assert isinstance(action, binding_plan.Disassociate)
    assert not action.certain


def test_of_a_pod_that_runs_and_asks_for_none_it_is_unbound_after_a_look():
    (action,) = decided(running(known(come())), claim(pod=ELSEWHERE), without_eip=[POD])
    assert (action.why, action.certain) == ("its Pod asks for no EIP", False)
    assert decided(running(known(come())), claim(**told()), without_eip=[POD]) == [], "it has asked"


def test_one_that_ends_with_its_pod_goes_as_from_every_address():
    (action,) = decided(known(come(), retained=False), claim(retained=False, pod=ELSEWHERE))
    assert isinstance(action, binding_plan.Disassociate)


@pytest.mark.parametrize(
    ("eip", "actions"), [({}, 0), ({"retained": False}, 1), ({"retained": False, "stage": BINDING}, 1)]
)
def test_of_an_eni_that_leaves_it_is_left_where_it_is(eip, actions):
    current = known(come(), **eip)
    leaving = fixed_addresses.let_go(current, current.addresses[IP], NOW).ledger
    found = decided(leaving, claim(pod=ELSEWHERE))
    assert len(found) == actions
    assert all(isinstance(action, binding_plan.Disassociate) for action in found)


def test_of_an_eni_that_leaves_one_on_its_way_is_looked_at_and_not_unbound():
    current = known(come(), stage=BINDING)
    leaving = fixed_addresses.let_go(current, current.addresses[IP], NOW).ledger
    there = claim(pod=ELSEWHERE)
    assert decided(leaving, there) == [binding_plan.SettleBinding(address=leaving.addresses[IP])]

    bound = eip_records.confirm_bound(leaving, IP, OWN.eip_id).ledger
    assert decided(bound, there) == []
    assert fixed_addresses.detached(bound, IP, "vipc-1").ledger == ledger.Ledger()
    loose = eip_records.confirm_unbound(leaving, IP, OWN.eip_id, 30.0, NOW).ledger
    assert isinstance(loose.addresses[IP].state, states.Unassigning)


@pytest.mark.parametrize("begun", [False, True], ids=["before it is looked for", "while it is looked for"])
def test_one_that_was_not_listed_with_its_eni_stays_at_it_when_the_pod_goes(begun):
    current = come(replace(LISTED, eip_id="", public_ip=""))
    (action,) = decided(running(current), claim())
    assert isinstance(action, binding_plan.Associate), "which finds out that it has come along"
    if begun:
        record = states.Binding(
            eip_id=OWN.eip_id, public_ip="", stage=BINDING, claim="default/web-0", retained=True
        )
        current = eip_records.begin_bind(current, IP, record).ledger

    leaving = fixed_addresses.let_go(current, current.addresses[IP], NOW).ledger

    found = decided(leaving, claim(pod=ELSEWHERE))
    assert found == ([binding_plan.SettleBinding(address=leaving.addresses[IP])] if begun else [])


def test_its_claim_is_free_of_the_node_once_the_eni_is():
    binding = eipclaim.ClaimBinding(node=NODE, eni_id="eni-1", private_ip=IP, pod_uid="u0", sandbox="c1")
    there = claim(pod=ELSEWHERE, binding=binding)
    current = known(come())
    leaving = fixed_addresses.let_go(current, current.addresses[IP], NOW).ledger
    assert decided(leaving, there) == []
    gone = fixed_addresses.detached(leaving, IP, "vipc-1").ledger
    assert decided(gone, there) == [binding_plan.ClearPublishedBinding(claim=there)]


def told():
    binding = eipclaim.ClaimBinding(node=NODE, eni_id="eni-1", private_ip=IP, pod_uid="u1", sandbox="c1")
    return {"binding": binding, "conditions": ({"type": "Bound", "status": "True"},)}


def test_an_eip_that_is_being_unbound_is_no_longer_kept():
    current = known(come(), stage=states.BindStage.UNBINDING)
    (action,) = decided(current, claim())
    assert isinstance(action, binding_plan.Disassociate)
    assert action.certain
