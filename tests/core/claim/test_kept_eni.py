"""The EIP of a Pod that keeps an ENI of its own: it stays there, and leaves when claim, ENI or Pod part."""

from dataclasses import replace

import pytest

from ipamd.core.claim import actions as do
from ipamd.core.claim.eipclaim import Allocation, ClaimBinding, ClaimPod
from ipamd.core.claim.facts import NodeState
from ipamd.core.claim.kept_eni import KeptEni
from ipamd.core.claim.state_machine import decide
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES, NETWORKS, VPC_IP_DELETE_POLICY
from ipamd.core.model import EipStatus
from tests.testkit.claims import GIVEN, NOW, ON_A, OWN, claim, eip, facts, pod

KEPT = KeptEni("eni-a", ends=False)
ENDS = KeptEni("eni-a", ends=True)
EXCLUSIVE = {VPC_IP_DELETE_POLICY: "Never", NETWORKS: "tke-direct-eni"}
WAITING = ClaimPod(uid="pod-2", node="node-b")
AWAY = ClaimPod(uid="pod-1", node="node-a", last_seen=NOW)
RESTS = eip(status=EipStatus.BIND_ENI, eni="eni-a", ip="10.0.1.5")
AT_NODE = replace(RESTS, status=EipStatus.BIND, instance_id="ins-a")
LEAVES = do.DisassociateEip(eip_id="eip-1", leaves_eni="eni-a")


def bearer(**annotations):
    """Pod web-0 in its next incarnation, on another node, with its EIP and an ENI of its own."""
    found = pod("pod-2", node="node-b")
    return replace(found, annotations={EIP_ATTRIBUTES: "", **EXCLUSIVE, **annotations})


# -- a node that is gone


def gone(kept, served, pod_, **changes):
    moved = claim(**{"never": True, "address": OWN, "binding": ON_A, "pod": served, **changes})
    return decide(facts(moved, pod_, node_fate=NodeState.GONE, eips=(AT_NODE,), kept_eni=kept))


@pytest.mark.parametrize(("served", "pod_"), [(WAITING, bearer()), (AWAY, None)])
def test_the_eip_stays_at_the_kept_eni_of_a_gone_node(served, pod_):
    what = gone(KEPT, served, pod_)

    assert isinstance(what, do.ClearBinding)
    assert "eip-1 stays at eni-a" in what.message


@pytest.mark.parametrize(
    ("kept", "changes"),
    [
        (None, {}),
        (ENDS, {}),
        (KeptEni("eni-other", ends=False), {}),
        (KEPT, {"deleting": True}),
    ],
)
def test_the_eip_of_a_gone_node_is_unbound_where_nothing_keeps_its_eni(kept, changes):
    assert gone(kept, AWAY, None, **changes) == do.DisassociateEip(eip_id="eip-1")


def test_the_eip_is_unbound_if_its_next_pod_keeps_no_eni():
    plain = replace(bearer(), annotations={EIP_ATTRIBUTES: ""})

    assert gone(KEPT, WAITING, plain) == do.DisassociateEip(eip_id="eip-1")


def test_an_eip_that_goes_with_its_pod_does_not_stay():
    assert gone(KEPT, ClaimPod(uid="pod-1", node="node-b"), pod("pod-1", node="node-b"), never=False) == (
        do.DisassociateEip(eip_id="eip-1")
    )


# -- an ENI that no node has


def resting(kept, pod_=None, served=AWAY, *, seen=(RESTS,), **changes):
    known = {"never": True, "address": OWN, "pod": served, "node": served.node}
    kept_claim = claim(**{**known, **changes})
    return decide(facts(kept_claim, pod_, eips=seen, kept_eni=kept))


@pytest.mark.parametrize(("served", "pod_"), [(WAITING, bearer()), (AWAY, None)])
def test_the_eip_rests_at_the_kept_eni_and_the_cloud_is_not_asked(served, pod_):
    assert resting(KEPT, pod_, served, seen=None) == do.Idle()


@pytest.mark.parametrize(("served", "pod_"), [(WAITING, bearer()), (AWAY, None)])
def test_the_eip_leaves_an_eni_that_ends(served, pod_):
    assert resting(ENDS, pod_, served, seen=None) == do.LookAtCloud()
    assert resting(ENDS, pod_, served) == LEAVES
    assert resting(ENDS, pod_, served, seen=()) == do.Idle()


@pytest.mark.parametrize("names", [VPC_IP_DELETE_POLICY, NETWORKS])
def test_the_eip_leaves_the_eni_for_a_pod_that_does_not_ask_for_one(names):
    plain = bearer(**{names: ""})
    begun = ClaimBinding(node="node-b", eni_id="eni-b", private_ip="10.0.1.9", pod_uid="pod-2")

    assert resting(KEPT, plain, WAITING) == LEAVES
    assert resting(KEPT, plain, WAITING, binding=begun) == LEAVES  # the agent there waits for it
    ended = replace(WAITING, last_seen=NOW)
    assert resting(KEPT, replace(plain, phase="Succeeded"), ended) == do.Idle()


def test_an_eip_at_a_node_is_left_to_its_agent():
    assert resting(ENDS, seen=(AT_NODE,)) == do.Idle()
    assert resting(ENDS, seen=(replace(RESTS, instance_id="ins-a"),)) == do.Idle()
    assert resting(ENDS, bearer(), WAITING, binding=replace(ON_A, node="node-b")) == do.Idle()


def test_an_eip_at_another_place_is_left_there():
    assert resting(ENDS, seen=(replace(RESTS, eni_id="eni-b"),)) == do.Idle()
    assert resting(ENDS, seen=(eip("eip-7", EipStatus.BIND_ENI, eni="eni-a"),)) == do.Idle()


# -- a deleted claim


@pytest.mark.parametrize("kept", [KEPT, ENDS])
def test_the_eip_of_a_deleted_claim_is_unbound_from_the_eni_and_then_released(kept):
    leaving = claim(
        deleting=True, address=OWN, allocation=Allocation(attempt=1, started=NOW - 3600), pod=AWAY
    )

    assert decide(facts(leaving, eips=(RESTS,), kept_eni=kept)) == LEAVES
    at_node = decide(facts(leaving, eips=(AT_NODE,), kept_eni=kept, node_fate=NodeState.ALIVE))
    assert isinstance(at_node, do.Wait)
    assert at_node.warning == "EIPStillBound"
    assert isinstance(decide(facts(leaving, eips=(eip(),), kept_eni=kept)), do.Release)


def test_a_user_s_eip_leaves_the_eni_before_its_claim_goes():
    leaving = claim(deleting=True, address=GIVEN, pod=AWAY)
    theirs = eip("eip-9", EipStatus.BIND_ENI, tagged=False, eni="eni-a", ip="10.0.1.5")

    assert decide(facts(leaving, kept_eni=KEPT)) == do.LookAtCloud()
    assert decide(facts(leaving, kept_eni=KEPT, eips=(theirs,))) == replace(LEAVES, eip_id="eip-9")
    assert decide(facts(leaving, kept_eni=KEPT, eips=(eip("eip-9", tagged=False),))) == do.DropFinalizer()
