"""The Pod of a claim goes: the claim is deleted, kept, or passed on to the next Pod of the name."""

from dataclasses import replace

import pytest

from ipamd.core.claim import actions as do
from ipamd.core.claim.eipclaim import Allocation, ClaimPod
from ipamd.core.claim.facts import LivePod
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.state_machine import decide
from ipamd.core.kubernetes.annotation_names import DELETE_POLICY, EIP_ATTRIBUTES
from tests.testkit.claims import NOW, ON_A, OWN, claim, eip, facts, pod


@pytest.mark.parametrize("stage", [{}, {"address": OWN}, {"address": OWN, "binding": ON_A}])
@pytest.mark.parametrize("gone", [None, pod(phase="Succeeded"), pod("pod-2"), pod("pod-2", wants=False)])
def test_a_claim_is_deleted_only_after_a_live_look_at_its_pod(stage, gone):
    assert decide(facts(claim(**stage), gone)) == do.LookAtPod()
    assert isinstance(decide(facts(claim(**stage), gone, live_pod=LivePod(None))), do.DeleteClaim)
    assert isinstance(decide(facts(claim(**stage), gone, live_pod=LivePod(pod("pod-2")))), do.DeleteClaim)
    assert isinstance(decide(facts(claim(**stage), gone, live_pod=LivePod(pod()))), do.Wait)


def test_a_pod_that_ended_counts_as_gone_also_live():
    ended = pod(phase="Failed")

    assert isinstance(decide(facts(claim(address=OWN), ended, live_pod=LivePod(ended))), do.DeleteClaim)


def test_a_retained_claim_notes_once_when_its_pod_went_and_then_rests():
    kept = claim(never=True, address=OWN)

    noted = decide(facts(kept, None, live_pod=LivePod(None)))
    rests = decide(facts(replace(kept, pod=ClaimPod(uid="pod-1", node="node-a", last_seen=NOW - 5)), None))

    assert noted == do.RecordPod(pod=ClaimPod(uid="pod-1", node="node-a", last_seen=NOW))
    assert rests == do.Idle()


def test_a_retained_claim_serves_the_next_pod_of_its_name():
    kept = claim(never=True, address=OWN, pod=ClaimPod(uid="pod-1", node="node-a", last_seen=NOW - 5))
    successor = pod("pod-2", node="node-b")

    served = decide(facts(kept, successor))
    moved = decide(facts(replace(kept, pod=ClaimPod(uid="pod-2", node="node-b")), successor))

    assert served == do.RecordPod(pod=ClaimPod(uid="pod-2", node="node-b"))
    assert moved == do.SetNodeLabel(node="node-b")


def test_a_claim_stays_in_sight_of_the_node_that_has_its_eip_until_that_has_let_it_go():
    successor = pod("pod-2", node="node-b")
    served = claim(never=True, address=OWN, binding=ON_A, pod=ClaimPod(uid="pod-2", node="node-b"))

    assert decide(facts(served, successor)) == do.LookAtNode(node="node-a")
    assert decide(facts(replace(served, node="node-b"), successor)) == do.SetNodeLabel(node="node-a")
    assert decide(facts(replace(served, binding=None), successor)) == do.SetNodeLabel(node="node-b")


def test_a_retained_claim_without_an_eip_gives_way_to_a_pod_that_asks_for_something_else():
    empty = claim(never=True, pod=ClaimPod(uid="pod-1", last_seen=NOW))
    same = replace(pod("pod-2"), annotations={EIP_ATTRIBUTES: "", DELETE_POLICY: "Never"})
    other = replace(same, annotations={EIP_ATTRIBUTES: '{"Bandwidth":5}', DELETE_POLICY: "Never"})

    assert isinstance(decide(facts(empty, same)), do.RecordPod)
    assert decide(facts(empty, other)) == do.LookAtPod()
    assert isinstance(decide(facts(empty, other, live_pod=LivePod(other))), do.DeleteClaim)
    for worth_something in (
        replace(empty, address=OWN),
        replace(empty, made_for=""),
        replace(empty, allocation=Allocation(attempt=1, started=NOW)),
    ):
        assert isinstance(decide(facts(worth_something, other)), do.RecordPod)


def test_a_claim_that_a_person_made_for_no_pod_is_deleted_with_a_hint():
    by_hand = claim(pod=None, made_for="")

    action = decide(facts(by_hand, None, live_pod=LivePod(None)))

    assert isinstance(action, do.DeleteClaim)
    assert action.event == "UnusedClaim"
    assert "deletePolicy Never" in action.reason


def test_a_retained_claim_is_not_given_to_a_pod_that_wants_none():
    kept = claim(never=True, address=OWN, pod=ClaimPod(uid="pod-1", last_seen=NOW))

    assert decide(facts(kept, pod("pod-2", wants=False))) == do.Idle()


def test_an_order_that_was_begun_for_a_retained_claim_is_finished_but_no_new_one_given():
    kept = claim(
        never=True,
        allocation=Allocation(attempt=1, started=NOW - 5),
        pod=ClaimPod(uid="pod-1", last_seen=NOW),
    )

    assert decide(facts(kept, None)) == do.LookAtCloud()
    assert decide(facts(kept, None, eips=(eip(),))) == do.RecordAddress(address=OWN, reason=Reason.ADOPTED)
    assert decide(facts(kept, None, eips=())) == do.Idle()
