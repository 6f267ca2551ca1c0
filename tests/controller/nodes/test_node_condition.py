"""A Node whose agent is gone says Unknown after a while; whoever is replaced or comes back is left alone."""

import pytest
import urllib3

from ipamd.controller.events import ClaimEvents
from ipamd.controller.nodes.condition import PATIENCE, AbandonedNodes
from ipamd.core.kubernetes import node_condition
from ipamd.kube.events import EventRecorder
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.resources import NODES, PODS
from simulator.kube import Fault, FaultKind

OWNER = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "tke-eni-agent", "uid": "ds-1"}


class Scene:
    """A controller, Nodes with their agents' Pods, and looks at moments of the test's choice."""

    def __init__(self, world):
        self.world = world
        self.replica = world.start_controller()
        self.now = 0.0
        self.recorder = EventRecorder(world.client, "test")
        self.recorder.start()
        self.abandoned = AbandonedNodes(
            self.replica.leader.cluster,
            world.client,
            fence=self.replica.election,
            teller=ClaimEvents(self.recorder),
            clock=lambda: 1_700_000_000.0,
            steady=lambda: self.now,
        )
        world.wait(lambda: self.replica.leader.leading)

    def serve(self, node, agent, status="True"):
        """A Node as an agent in the Pod `agent` leaves it."""
        self.world.add_node(node, agent=f"kube-system/{agent}")
        self.write(node, node_condition.NodeVerdict(status=status, reason="Serving", message="well"))
        self.start_agent(node, agent)

    def write(self, node, verdict):
        patch = node_condition.patch({}, verdict, 1_600_000_000.0)
        self.world.client.patch(NODES, node, patch, subresource="status", content="strategic")

    def start_agent(self, node, agent):
        self.world.client.create(
            PODS,
            {
                "metadata": {
                    "name": agent,
                    "namespace": "kube-system",
                    "ownerReferences": [{**OWNER, "controller": True}],
                },
                "spec": {"nodeName": node, "hostNetwork": True, "containers": [{"name": "m", "image": "x"}]},
            },
        )
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        self.world.client.patch(PODS, agent, ready, "kube-system", subresource="status")
        self.world.wait(lambda: self.replica.leader.cluster.is_served(node))

    def end_agent(self, node, agent):
        path = PODS.path("kube-system", agent) + "?gracePeriodSeconds=0"
        assert urllib3.request("DELETE", self.world.kube.url + path, retries=False).status == 200
        self.world.wait(lambda: not self.replica.leader.cluster.is_served(node))

    def look(self, after=30.0):
        self.now += after
        self.abandoned.look()

    def seen(self, node):
        """The condition's status as the controller's watch shows it; None before it shows the Node."""
        found = self.replica.leader.cluster.node(node)
        return found and found.condition

    def condition(self, node):
        return node_condition.shown(self.world.client.get(NODES, node))


@pytest.fixture
def scene(world):
    scene = Scene(world)
    yield scene
    scene.recorder.stop()


def test_an_agent_that_stays_away_makes_its_node_unknown(scene):
    scene.serve("node-x", "agent-x")
    scene.look()
    scene.end_agent("node-x", "agent-x")
    scene.look()
    scene.look(PATIENCE - 1)
    assert scene.condition("node-x")["status"] == "True"

    scene.look(1)

    found = scene.condition("node-x")
    assert (found["status"], found["reason"]) == ("Unknown", "AgentGone")
    assert "spec.nodeName=node-x" in found["message"]
    (event,) = scene.world.wait(lambda: scene.world.events("AgentGone"))
    assert event["involvedObject"]["uid"] == scene.world.client.get(NODES, "node-x")["metadata"]["uid"]


def test_an_agent_that_is_replaced_in_time_changes_nothing(scene):
    scene.serve("node-x", "agent-x")
    for _ in range(3):
        scene.end_agent("node-x", "agent-x")
        scene.look()
        scene.look(PATIENCE - 1)
        scene.start_agent("node-x", "agent-x")
        scene.look()

    assert scene.condition("node-x")["status"] == "True"


def test_a_node_that_is_deleted_meanwhile_holds_up_no_other(scene):
    for node in ("node-x", "node-y"):
        scene.serve(node, f"agent-of-{node}")
        scene.end_agent(node, f"agent-of-{node}")
    scene.look()
    gone = Fault(kind=FaultKind.STATUS, verb="patch", resource="nodes/status", name="node-x", code=404)
    scene.world.kube.inject(gone)

    scene.look(PATIENCE)

    assert scene.condition("node-x")["status"] == "True"
    assert scene.condition("node-y")["status"] == "Unknown"


def test_it_is_written_once(scene):
    scene.serve("node-x", "agent-x")
    scene.end_agent("node-x", "agent-x")
    for _ in range(2):
        scene.look(PATIENCE)
    scene.world.wait(lambda: scene.seen("node-x") == "Unknown")
    version = scene.world.client.get(NODES, "node-x")["metadata"]["resourceVersion"]

    scene.look(PATIENCE)

    assert scene.world.client.get(NODES, "node-x")["metadata"]["resourceVersion"] == version


def test_a_whole_zone_that_goes_away_is_told_of_over_some_looks(scene):
    """So that one look does not fill the API server with writes."""
    names = [f"zone-{n}" for n in range(52)]
    well = node_condition.NodeVerdict(status="True", reason="Serving", message="well")
    for name in names:
        scene.world.add_node(name, agent="kube-system/gone")
        scene.write(name, well)
    scene.world.wait(lambda: all(scene.seen(name) == "True" for name in names))

    def unknown():
        return sum(scene.condition(name)["status"] == "Unknown" for name in names)

    scene.look()
    scene.look(PATIENCE)
    assert unknown() == 50
    scene.world.wait(lambda: sum(scene.seen(name) == "Unknown" for name in names) == 50)
    scene.look()
    assert unknown() == 52


def test_a_node_that_was_never_served_and_one_whose_agent_is_no_pod_are_left_alone(scene):
    scene.world.add_node("never", agent="")
    scene.world.add_node("by-hand", agent="no-pod")
    scene.write("by-hand", node_condition.NodeVerdict(status="True", reason="Serving", message="well"))
    scene.world.wait(lambda: scene.seen("by-hand") == "True")
    for _ in range(3):
        scene.look(PATIENCE)

    assert scene.condition("never") == {}
    assert scene.condition("by-hand")["status"] == "True"


def test_a_controller_that_does_not_lead_writes_nothing(scene):
    scene.serve("node-x", "agent-x")
    scene.end_agent("node-x", "agent-x")
    scene.look()
    scene.replica.leader.stop()

    with pytest.raises(NotLeaderError):
        scene.look(PATIENCE)

    assert scene.condition("node-x")["status"] == "True"
