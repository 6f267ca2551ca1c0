"""The node of a bound EIP goes: the controller unbinds in its place, and only then."""

from dataclasses import replace

import pytest

from ipamd.core.claim import actions as do
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.claim.facts import LivePod, NodeState
from ipamd.core.claim.state_machine import decide
from ipamd.core.model import EipStatus
from tests.testkit.claims import NOW, ON_A, OWN, claim, eip, facts, pod

MOVED = claim(
    never=True,
    address=OWN,
    binding=ON_A,
    pod=ClaimPod(uid="pod-2", node="node-b"),
)
ABANDONED = claim(
    never=True, address=OWN, binding=ON_A, pod=ClaimPod(uid="pod-1", node="node-a", last_seen=NOW)
)
DELETED = claim(deleting=True, address=OWN, binding=ON_A)


@pytest.mark.parametrize(
    ("stuck", "bearer"), [(MOVED, pod("pod-2", node="node-b")), (ABANDONED, None), (DELETED, None)]
)
def test_only_the_agent_unbinds_while_its_node_lives_and_only_a_look_tells_that(stuck, bearer):
    assert decide(facts(stuck, bearer)) == do.LookAtNode(node="node-a")
    assert isinstance(decide(facts(stuck, bearer, node_fate=NodeState.ALIVE)), do.Wait)
    assert decide(facts(stuck, bearer, node_fate=NodeState.GONE)) == do.LookAtCloud()


@pytest.mark.parametrize(
    ("stuck", "bearer"), [(MOVED, pod("pod-2", node="node-b")), (ABANDONED, None), (DELETED, None)]
)
def test_on_a_node_that_is_lost_the_pod_has_to_be_gone_too(stuck, bearer):
    lost = facts(stuck, bearer, node_fate=NodeState.LOST)
    at_place = (eip(status=EipStatus.BIND, eni="eni-a", ip="10.0.1.5"),)

    assert decide(lost) == do.LookAtPod()
    for running in (pod("pod-1"), pod("pod-1", deleting=True), pod("pod-1", phase="Failed")):
        assert isinstance(decide(replace(lost, live_pod=LivePod(running))), do.Wait)
    for gone in (LivePod(None), LivePod(pod("pod-2"))):
        assert decide(replace(lost, live_pod=gone)) == do.LookAtCloud()
        assert decide(replace(lost, live_pod=gone, eips=at_place)) == do.DisassociateEip(eip_id="eip-1")


def test_a_claim_without_the_label_of_the_node_that_has_to_unbind_gets_it():
    relabelled = replace(DELETED, node="node-b")

    assert decide(facts(relabelled, None, node_fate=NodeState.ALIVE)) == do.SetNodeLabel(node="node-a")


def test_a_binding_that_names_no_pod_is_left_alone_on_a_node_that_is_lost():
    unnamed = replace(ABANDONED, binding=replace(ON_A, pod_uid=""))

    action = decide(facts(unnamed, None, node_fate=NodeState.LOST, live_pod=LivePod(None)))

    assert isinstance(action, do.Wait)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((eip(status=EipStatus.BIND, eni="eni-a", ip="10.0.1.5"),), do.DisassociateEip),
        ((eip(status=EipStatus.BIND_ENI, eni="eni-a", ip="10.0.1.5"),), do.DisassociateEip),
        ((eip(status=EipStatus.BIND, eni="eni-b", ip="10.0.1.5"),), do.ClearBinding),
        ((eip(status=EipStatus.BIND, eni="eni-a", ip="10.0.1.6"),), do.ClearBinding),
        ((eip(status=EipStatus.UNBINDING),), do.Wait),
        ((eip(status=EipStatus.BINDING, eni="eni-a", ip="10.0.1.5"),), do.Wait),
        ((eip(status=EipStatus.UNBIND),), do.ClearBinding),
        ((), do.ClearBinding),
    ],
)
def test_for_a_node_that_is_gone_just_its_own_binding_is_unbound(seen, expected):
    for stuck in (ABANDONED, DELETED):
        assert isinstance(decide(facts(stuck, None, node_fate=NodeState.GONE, eips=seen)), expected)
