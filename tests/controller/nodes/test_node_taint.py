"""The taint eni-ip-unavailable goes when an agent serves the Node; no Node that was served gets it."""

import contextlib
from types import SimpleNamespace

import pytest

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.nodes.taint import NodeTaints
from ipamd.core.kubernetes.node_taint import KEY, TaintMode
from ipamd.core.kubernetes.nodes import AGENT
from ipamd.kube.resources import NODES, PODS
from tests.runtime.manual_clock import ManualClock

OWNER = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "name": "tke-eni-agent",
    "uid": "ds-1",
    "controller": True,
}
OURS = {"key": KEY, "value": "true", "effect": "NoSchedule"}
OTHER = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}


class Scene:
    """Nodes, and agents in all states of starting."""

    def __init__(self, world):
        self.world = world

    def add_node(self, name, *taints, **changes):
        self.world.add_node(name, agent="", **changes)
        self.world.client.patch(NODES, name, {"spec": {"taints": list(taints)}})

    def place_agent(self, node):
        """A Pod of the DaemonSet that is not ready."""
        pod = {
            "metadata": {"name": f"agent-{node}", "namespace": "kube-system", "ownerReferences": [OWNER]},
            "spec": {"nodeName": node, "hostNetwork": True, "containers": [{"name": "m", "image": "x"}]},
        }
        self.world.client.create(PODS, pod)

    def make_ready(self, node):
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        self.world.client.patch(PODS, f"agent-{node}", ready, "kube-system", subresource="status")

    def write_resources(self, node, addresses="27", *, agent=""):
        """What an agent writes into its Node."""
        offered = {"tke.cloud.tencent.com/eni-ip": addresses}
        patch = {
            "metadata": {"annotations": {AGENT: agent or f"kube-system/agent-{node}"}},
            "status": {"capacity": offered, "allocatable": offered},
        }
        self.world.client.patch(NODES, node, patch, subresource="status")

    def serve(self, node):
        self.place_agent(node)
        self.write_resources(node)
        self.make_ready(node)

    def taints(self, node):
        return self.world.client.get(NODES, node)["spec"].get("taints", [])

    def begin(self, mode=TaintMode.REMOVE):
        replica = self.world.start_controller(node_taint=mode)
        self.world.wait(lambda: replica.leader.leading)

    def settled(self):
        """After the pass that a Node made now brings about, earlier ones have had theirs."""
        self.add_node("last", OURS)
        self.serve("last")
        self.world.wait(lambda: OURS not in self.taints("last"))


@pytest.fixture
def scene(world):
    return Scene(world)


def test_a_served_node_loses_the_taint_and_keeps_those_of_others(scene):
    scene.add_node("node-x", OTHER, OURS)
    scene.begin()
    scene.serve("node-x")

    scene.world.wait(lambda: scene.taints("node-x") == [OTHER])


def test_nodes_that_were_served_before_the_controller_began_lose_it_too(scene):
    for node in ("node-x", "node-y"):
        scene.add_node(node, OURS)
        scene.serve(node)
    scene.begin()

    scene.world.wait(lambda: scene.taints("node-x") == scene.taints("node-y") == [])


def test_an_agent_that_runs_in_no_pod_is_believed(scene):
    scene.add_node("node-x", OURS)
    scene.write_resources("node-x", agent="no-pod")
    scene.begin()

    scene.world.wait(lambda: scene.taints("node-x") == [])


def test_an_agent_that_is_not_ready_yet_or_has_no_addresses_leaves_it(scene):
    scene.begin()
    for node in ("unready", "without-addresses", "without-agent"):
        scene.add_node(node, OURS)
    scene.place_agent("unready")
    scene.write_resources("unready")
    scene.place_agent("without-addresses")
    scene.write_resources("without-addresses", "0")
    scene.make_ready("without-addresses")

    scene.settled()

    for node in ("unready", "without-addresses", "without-agent"):
        assert scene.taints(node) == [OURS]


def test_keep_taints_a_node_that_waits_for_its_first_agent_until_it_is_served(scene):
    scene.begin(TaintMode.KEEP)
    scene.add_node("node-x", OTHER)
    scene.place_agent("node-x")
    scene.world.wait(lambda: scene.taints("node-x") == [OTHER, OURS])

    scene.write_resources("node-x")
    scene.make_ready("node-x")

    scene.world.wait(lambda: scene.taints("node-x") == [OTHER])


def test_keep_never_taints_a_node_that_was_served_and_none_that_has_no_agents_pod(scene):
    scene.begin(TaintMode.KEEP)
    scene.add_node("served")
    scene.write_resources("served", "0")
    scene.place_agent("served")
    scene.add_node("without-agent")
    scene.add_node("super", instance_type="eklet")
    scene.place_agent("super")

    scene.settled()

    for node in ("served", "without-agent", "super"):
        assert OURS not in scene.taints(node)


def test_a_pass_writes_some_nodes_and_the_next_one_comes_soon(scene):
    names = ["n1", "n2", "n3", "n4"]
    for name in names:
        scene.add_node(name, OURS)
        scene.write_resources(name, agent="no-pod")
    client = scene.world.client
    view = ClusterView(client, wake=lambda _: None, outages=Absences(ManualClock().now))
    may_write = SimpleNamespace(deadline=lambda: None)
    taints = NodeTaints(TaintMode.REMOVE, view, client, fence=may_write, teller=None, most=2)
    with contextlib.ExitStack() as ended:
        ended.callback(view.stop)
        view.start()
        assert view.wait_synced(10)

        assert taints.look() == 2.0
        assert sum(OURS in scene.taints(name) for name in names) == 2
        scene.world.wait(lambda: sum(node.tainted for node in view.nodes()) == 2)
        assert taints.look() is None
        assert not any(OURS in scene.taints(name) for name in names)


def test_off_leaves_it_and_says_so_on_the_node(scene):
    scene.add_node("node-x", OURS)
    scene.serve("node-x")
    scene.begin(TaintMode.OFF)

    (event,) = scene.world.wait(lambda: scene.world.events("TaintLeft"))

    assert f"kubectl taint node node-x {KEY}-" in event["message"]
    assert scene.taints("node-x") == [OURS]
