"""NodeENIConfigs: each node is told on its Node what they say of it, each object what has become of it."""

import contextlib
import json
from types import SimpleNamespace

import pytest

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.nodes.eni_config import NodeEniConfigs
from ipamd.core.kubernetes.nodes import ENI_CONFIG, ENI_STATE
from ipamd.kube.resources import NODE_ENI_CONFIGS, NODES
from simulator.kube.faults import Fault, FaultKind
from tests.runtime.manual_clock import ManualClock

GPU = {"gpu": "yes"}


class Scene:
    def __init__(self, world):
        self.world = world

    def add_node(self, name, **labels):
        self.world.add_node(name)
        self.world.client.patch(NODES, name, {"metadata": {"labels": labels}})

    def create(self, name, **spec):
        self.world.client.create(NODE_ENI_CONFIGS, {"metadata": {"name": name}, "spec": spec})

    def patch(self, name, **spec):
        self.world.client.patch(NODE_ENI_CONFIGS, name, {"spec": spec})

    def told(self, node):
        annotations = self.world.client.get(NODES, node)["metadata"].get("annotations") or {}
        try:
            return json.loads(annotations[ENI_CONFIG]) if ENI_CONFIG in annotations else None
        except RecursionError:
            return None

    def status(self, name):
        return self.world.client.get(NODE_ENI_CONFIGS, name).get("status") or {}

    def condition(self, name):
        [condition] = self.status(name).get("conditions") or [{}]
        return condition

    def begin(self):
        replica = self.world.start_controller()
        self.world.wait(lambda: replica.leader.leading)

    def wait_told(self, node, expected):
        self.world.wait(lambda: self.told(node) == expected)


@pytest.fixture
def scene(world):
    return Scene(world)


def test_groups_and_nodes_are_told_and_told_again_when_something_changes(scene):
    scene.add_node("n1", **GPU)
    scene.add_node("n2")
    scene.create("gpus", nodeSelector={"matchLabels": GPU}, minWarmTarget=1)
    scene.begin()
    scene.wait_told("n1", {"minWarmTarget": [1, "NodeENIConfig gpus"]})
    scene.wait_told("n2", {})
    scene.world.wait(lambda: scene.status("gpus").get("nodes") == 1)
    assert scene.condition("gpus")["status"] == "True"

    scene.create("n2", maxRouteENI=1)
    scene.patch("gpus", minWarmTarget=2)
    scene.wait_told("n2", {"maxRouteENI": [1, "NodeENIConfig n2"]})
    scene.wait_told("n1", {"minWarmTarget": [2, "NodeENIConfig gpus"]})

    scene.world.client.patch(NODES, "n1", {"metadata": {"labels": {"gpu": None}}})
    scene.wait_told("n1", {})
    scene.world.wait(lambda: scene.status("gpus").get("nodes") == 0)


def test_a_node_that_comes_is_told_at_once(scene):
    scene.create("all", nodeSelector={}, minWarmTarget=1)
    scene.begin()
    scene.add_node("late")
    scene.wait_told("late", {"minWarmTarget": [1, "NodeENIConfig all"]})


def test_without_objects_no_node_is_written(scene):
    scene.add_node("n1")
    scene.begin()
    scene.create("n2", minWarmTarget=1)
    scene.world.wait(lambda: scene.status("n2").get("nodes") == 0)
    scene.world.client.delete(NODE_ENI_CONFIGS, "n2")
    scene.add_node("late")
    scene.world.wait(lambda: scene.world.client.get(NODES, "late") is not None)
    assert scene.told("late") in (None, {})


def test_what_a_server_without_cel_takes_is_refused_here_and_the_last_good_stays(scene):
    """The simulated API server knows no rules of CRDs at all, as Kubernetes 1.22 knows none in CEL."""
    scene.add_node("n1")
    scene.create("n1", minWarmTarget=2)
    scene.begin()
    scene.wait_told("n1", {"minWarmTarget": [2, "NodeENIConfig n1"]})

    scene.patch("n1", minWarmTarget=5, maxWarmTarget=4)

    scene.world.wait(lambda: scene.condition("n1").get("status") == "False")
    assert scene.condition("n1")["reason"] == "Invalid"
    assert scene.condition("n1")["message"].startswith(
        "NodeENIConfig n1: maxWarmTarget is 4 and minWarmTarget 5; choose them"
    )
    scene.world.wait(lambda: scene.world.events("NodeENIConfigRefused"))
    assert scene.told("n1") == {"minWarmTarget": [2, "NodeENIConfig n1"]}

    scene.patch("n1", maxWarmTarget=6)
    scene.wait_told(
        "n1", {"maxWarmTarget": [6, "NodeENIConfig n1"], "minWarmTarget": [5, "NodeENIConfig n1"]}
    )
    scene.world.wait(lambda: scene.condition("n1").get("status") == "True")


def test_two_groups_that_contradict_each_other_are_both_told(scene):
    scene.add_node("n1")
    scene.create("a", nodeSelector={}, minWarmTarget=1)
    scene.create("b", nodeSelector={}, minWarmTarget=2)
    scene.begin()
    for name in "ab":
        scene.world.wait(lambda name=name: scene.condition(name).get("reason") == "Contradiction")
    assert scene.told("n1") is None

    scene.patch("b", priority=1)
    scene.wait_told("n1", {"minWarmTarget": [2, "NodeENIConfig b"]})


def test_the_status_of_a_nodes_object_says_what_the_agent_has_told(scene):
    scene.add_node("n1")
    scene.create("n1", minWarmTarget=2)
    scene.begin()
    state = {"enis": 2, "addresses": 9, "limit": 18, "refused": "", "values": {"minWarmTarget": [2, "x"]}}
    scene.world.client.patch(NODES, "n1", {"metadata": {"annotations": {ENI_STATE: json.dumps(state)}}})

    scene.world.wait(lambda: scene.status("n1").get("node", {}).get("addresses") == 9)
    assert scene.status("n1")["node"]["values"] == [{"field": "minWarmTarget", "value": "2", "source": "x"}]


def test_an_object_that_the_server_refuses_to_write_keeps_no_other_from_being_told(scene):
    for name in ("n1", "n2"):
        scene.add_node(name)
        scene.create(name, minWarmTarget=2)
    for refused in ({"resource": "nodes"}, {"resource": "nodeeniconfigs/status"}):
        fault = Fault(kind=FaultKind.STATUS, verb="patch", name="n1", code=422, **refused)
        scene.world.kube.faults.add(fault)
    scene.begin()

    scene.wait_told("n2", {"minWarmTarget": [2, "NodeENIConfig n2"]})
    scene.world.wait(lambda: scene.status("n2").get("nodes") == 1)
    assert scene.told("n1") is None

    scene.world.kube.heal()
    scene.wait_told("n1", {"minWarmTarget": [2, "NodeENIConfig n1"]})


@pytest.mark.parametrize("text", ['{"values":{"subnets":[[1],"flag"]}}', "[" * 10_000])
def test_annotations_that_no_one_of_us_wrote_stop_nothing(scene, text):
    for name in ("n1", "n2"):
        scene.add_node(name)
        scene.create(name, minWarmTarget=2)
    annotations = {ENI_STATE: text, ENI_CONFIG: text}
    scene.world.client.patch(NODES, "n1", {"metadata": {"annotations": annotations}})
    scene.begin()

    for name in ("n1", "n2"):
        scene.wait_told(name, {"minWarmTarget": [2, f"NodeENIConfig {name}"]})
        scene.world.wait(lambda name=name: scene.status(name).get("nodes") == 1)


def test_of_nodes_only_those_about_which_something_is_to_be_written_have_a_look_made(scene):
    scene.add_node("n1")
    scene.create("n1", minWarmTarget=2)
    clock = ManualClock().now
    view = ClusterView(scene.world.client, wake=lambda _: None, outages=Absences(clock))
    may_write = SimpleNamespace(deadline=lambda: None)
    asked: list[bool] = []
    configs = NodeEniConfigs(
        view,
        scene.world.client,
        fence=may_write,
        teller=None,
        clock=clock,
        trigger=lambda: asked.append(True),
    )

    def asks(node):
        asked.clear()
        configs.on_node(node)
        return bool(asked)

    with contextlib.ExitStack() as ended:
        for watch in (view, configs.watch):
            ended.callback(watch.stop)
            watch.start()
        assert view.wait_synced(10)
        scene.world.wait(lambda: asked)
        assert not asks("n1"), "no look has been made yet that says what is due"

        asked.clear()
        configs.look()
        scene.world.wait(lambda: asked)  # the watch has told what was written into the object's status
        configs.look()
        scene.world.wait(lambda: view.node("n1").eni_config)
        assert not asks("n1")

        state = {"enis": 2, "addresses": 9, "limit": 18, "refused": "", "values": {}}
        scene.world.client.patch(NODES, "n1", {"metadata": {"annotations": {ENI_STATE: json.dumps(state)}}})
        scene.world.wait(lambda: view.node("n1").eni_state)
        assert asks("n1")

        scene.add_node("n2")
        scene.world.add_node("super", instance_type="eklet")
        scene.world.wait(lambda: view.node("n2") and view.node("super"))
        assert asks("n2")
        assert not asks("super")
        assert not asks("unknown")
