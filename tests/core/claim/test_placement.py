"""Where a Pod can have an EIP, and what is said where it can have none."""

import pytest

from ipamd.core.claim import actions as do
from ipamd.core.claim import placement
from ipamd.core.claim.eipclaim import Allocation
from ipamd.core.claim.placement import Obstacle
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.release import ATTEMPT_WINDOW
from ipamd.core.claim.state_machine import decide
from ipamd.core.kubernetes import nodes
from ipamd.core.kubernetes.nodes import NodeView
from tests.testkit.claims import NOW, OWN, claim, eip, facts, listing, pod

WAITING = Obstacle(Reason.NOT_SCHEDULED, "no Node")


def node(agent="kube-system/tke-eni-agent-x", instance_type="S5.MEDIUM4"):
    return NodeView(
        name="node-a",
        ready=True,
        outage="",
        instance_id="ins-1",
        agent=agent,
        instance_type=instance_type,
    )


def obstacle(pod_node, view, *, agent_exists=False, early=False):
    return placement.obstacle(pod(node=pod_node), view, agent_exists=agent_exists, early=early)


@pytest.mark.parametrize("agent", ["kube-system/tke-eni-agent-x", "no-pod"])
def test_a_pod_on_a_node_that_an_agent_serves_can_have_one(agent):
    assert obstacle("node-a", node(agent), agent_exists=True) is None


def test_a_node_is_served_by_an_agent_of_a_release_that_does_not_say_so():
    assert obstacle("node-a", node(""), agent_exists=True) is None


@pytest.mark.parametrize(
    ("view", "reason", "words"),
    [
        (None, Reason.NODE_NOT_SERVED, "does not exist"),
        (node(""), Reason.NODE_NOT_SERVED, "has ever served Node node-a"),
        (node("", "eklet"), Reason.NODE_NOT_SERVED, "super node"),
        (node(), Reason.AGENT_GONE, "kube-system/tke-eni-agent-x"),
    ],
)
def test_a_node_without_agent_is_told_apart_from_one_whose_agent_has_gone(view, reason, words):
    found = obstacle("node-a", view)

    assert found.reason is reason
    assert words in found.message


def test_a_pod_without_node_can_have_one_early_only():
    assert obstacle("", None).reason is Reason.NOT_SCHEDULED
    assert obstacle("", None, early=True) is None
    assert obstacle("node-a", node("", "eklet"), early=True).reason is Reason.NODE_NOT_SERVED


def test_of_a_node_its_agent_its_type_and_the_labels_that_select_it_are_kept():
    obj = {
        "metadata": {
            "name": "node-a",
            "labels": {nodes.INSTANCE_TYPE: "S5.MEDIUM4", "team": "a"},
            "annotations": {nodes.AGENT: "kube-system/tke-eni-agent-x", "other": "x"},
        }
    }

    kept = nodes.trim(obj)

    assert nodes.view(kept).agent_pod == ("kube-system", "tke-eni-agent-x")
    assert nodes.view(kept) == nodes.view(obj)
    assert nodes.view(kept).labels["team"] == "a"
    assert "other" not in str(kept)


# -- what is done about it


@pytest.mark.parametrize("asking", [claim(), listing("eip-9")])
@pytest.mark.parametrize("known", [{}, {"eips": ()}])
def test_a_claim_says_what_it_waits_for_and_neither_orders_nor_chooses(asking, known):
    action = decide(facts(asking, pod(), obstacle=WAITING, obstructed_for=10.0, **known))

    assert action == do.Postpone(obstacle=WAITING)


def test_what_passes_in_a_moment_is_not_spoken_of():
    action = decide(facts(claim(), pod(), obstacle=WAITING, obstructed_for=1.0))

    assert isinstance(action, do.Wait)
    assert 0 < action.seconds <= 3.0


def test_an_order_that_was_begun_is_looked_for_and_not_given_again():
    begun = claim(allocation=Allocation(attempt=1, started=NOW - 1))
    spent = claim(allocation=Allocation(attempt=1, started=NOW - 10 * ATTEMPT_WINDOW))

    assert decide(facts(begun, pod(), obstacle=WAITING)) == do.LookAtCloud()
    assert isinstance(decide(facts(begun, pod(), eips=(eip(),), obstacle=WAITING)), do.RecordAddress)
    for each in (begun, spent):
        assert isinstance(decide(facts(each, pod(), eips=(), obstacle=WAITING)), do.Postpone)


def test_a_claim_that_has_its_eip_keeps_it_wherever_its_pod_is():
    kept = claim(never=True, address=OWN)

    assert decide(facts(kept, pod(), obstacle=WAITING)) == do.Idle()
