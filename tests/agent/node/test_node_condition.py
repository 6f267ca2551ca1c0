"""What the agent writes into its Node: one condition beside those of others, seldom; and Events."""

import pytest

import ipamd
from ipamd.agent.enis import NodeEni
from ipamd.agent.node.condition import NodeCondition, NodeSources, all_well
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.core.kubernetes import node_condition
from ipamd.core.kubernetes.node_condition import NodeProblem, Weight
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.events import EventPace, EventRecorder
from ipamd.kube.gate import RequestGate
from ipamd.kube.resources import EVENTS, NODES
from simulator.kube import KubeServer, Store, listen
from tests.testkit.eventually import eventually

NODE = "node-a"
HARM = NodeProblem(reason="RepairFailed", message="table 4002 is gone: see the log", weight=Weight.HARM)
FULL = NodeProblem(reason="NodeFull", message="all 5 addresses are taken", weight=Weight.FACT)


class Scene:
    def __init__(self, url):
        self.now = 1_700_000_000.0
        self.problems = []
        self.client = KubeClient(Connection(server=url), gate=RequestGate(rate=1e4, burst=1000))
        self.client.create(NODES, {"metadata": {"name": NODE}})
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        self.client.patch(NODES, NODE, ready, subresource="status", content="strategic")
        self.recorder = EventRecorder(self.client, "tke-eni-agent", NODE, pace=EventPace(rate=100))
        self.recorder.start()
        self.agent = self.new_agent()
        self.agent.look()

    def new_agent(self):
        return NodeCondition(
            self.client,
            NODE,
            sources=NodeSources(
                present=self.node,
                problems=lambda: self.problems,
                well=lambda: "agent 0.1.0 serves Pods with 1 ENI",
            ),
            events=self.recorder,
            clock=lambda: self.now,
            monotonic=lambda: self.now,
        )

    def look(self, *problems, after=10.0):
        self.now += after
        self.problems = list(problems)
        self.agent.look()
        return self.condition()

    def node(self):
        return self.client.get(NODES, NODE)

    def condition(self):
        return node_condition.shown(self.node())

    def events(self):
        items = self.client.list(EVENTS).items
        return {(event["type"], event["reason"]): event for event in items}

    def close(self):
        self.recorder.stop()
        self.client.close()


@pytest.fixture
def scene():
    with KubeServer(Store(), [listen()]) as server:
        scene = Scene(server.url)
        yield scene
        scene.close()


def test_it_stands_beside_the_kubelets_conditions(scene):
    scene.look()

    kinds = {c["type"]: c["status"] for c in scene.node()["status"]["conditions"]}
    assert kinds == {"Ready": "True", "TkeEniReady": "True"}
    assert scene.condition()["message"] == "agent 0.1.0 serves Pods with 1 ENI"


def test_the_first_look_is_told_as_an_event_of_the_node(scene):
    scene.look()

    event = eventually(lambda: scene.events().get(("Normal", "AgentStarted")))
    assert event["involvedObject"]["kind"] == "Node"
    assert event["involvedObject"]["uid"] == scene.node()["metadata"]["uid"]


def test_a_problem_that_stays_is_written_with_its_reason_and_told_once(scene):
    scene.look()
    scene.look(HARM, after=60.0)
    assert scene.condition()["status"] == "True", "it may be mended at once"

    found = scene.look(HARM)
    scene.look(HARM)

    assert (found["status"], found["reason"]) == ("False", "RepairFailed")
    assert "table 4002" in found["message"]
    event = eventually(lambda: scene.events().get(("Warning", "RepairFailed")))
    assert event["count"] == 1


def test_a_problem_that_is_gone_at_the_next_look_makes_no_noise(scene):
    scene.look()
    for _ in range(10):
        scene.look(HARM)
        assert scene.look()["status"] == "True"

    eventually(scene.events)
    assert ("Warning", "RepairFailed") not in scene.events()


def test_a_mended_node_is_ready_again_and_says_so(scene):
    for after in (60.0, 60.0, 60.0):
        scene.look(HARM, after=after)
    assert scene.condition()["status"] == "False"

    assert scene.look(after=60.0)["status"] == "True"

    assert eventually(lambda: scene.events().get(("Normal", "NodeReady")))


def test_a_full_node_is_ready(scene):
    scene.look(FULL)
    found = scene.look(FULL, after=60.0)

    assert (found["status"], found["reason"]) == ("True", "NodeFull")
    assert eventually(lambda: scene.events().get(("Normal", "NodeFull")))


def test_nothing_is_written_while_nothing_changes_but_a_heartbeat_each_half_hour(scene):
    first = scene.look()["lastHeartbeatTime"]
    for _ in range(170):
        assert scene.look()["lastHeartbeatTime"] == first

    assert scene.look(after=120.0)["lastHeartbeatTime"] > first


def test_what_somebody_else_wrote_is_put_right(scene):
    scene.look()
    unknown = node_condition.abandoned(NODE, 200.0)
    patch = node_condition.patch(scene.condition(), unknown, scene.now)
    scene.client.patch(NODES, NODE, patch, subresource="status", content="strategic")

    assert scene.look(after=60.0)["status"] == "True"


def test_repairs_of_one_kind_are_one_event(scene):
    for number in range(50):
        scene.agent.repaired(
            Difference(code=FindingCode.POLICY_RULE, subject=f"rule/{number}", text="it is gone")
        )

    event = eventually(lambda: scene.events().get(("Warning", "NodeRepaired")))
    assert "PolicyRule: a policy rule of ours is gone" in event["message"]
    assert event["count"] <= 50
    assert len(scene.events()) == 1


def test_a_node_that_does_not_exist_is_waited_for(scene):
    scene.client.delete(NODES, NODE)
    scene.agent = NodeCondition(
        scene.client,
        NODE,
        sources=NodeSources(present=lambda: None, problems=list, well=str),
        events=scene.recorder,
        clock=lambda: scene.now,
    )

    scene.agent.look()
    scene.agent.repaired(Difference(code=FindingCode.NFT_TABLE, subject="table/x", text="it is gone"))

    assert scene.events() == {}


def test_an_agent_that_has_just_started_says_nothing_yet(scene):
    scene.agent = scene.new_agent()

    assert scene.look(HARM) == {}
    assert scene.look(HARM)["status"] == "False"


def reasons_of_node(node):
    events = node.kube.get("/api/v1/events")["items"]
    return {event["reason"] for event in events if event["involvedObject"]["kind"] == "Node"}


@pytest.mark.netns
@pytest.mark.scenario
def test_a_real_agent_says_of_its_node_what_is_wrong(own_node):
    """Somebody's rule takes the Pods' packets; then it is gone, and the next agent says that all is well."""
    node = own_node.begin()
    node.on_node("ip", "rule", "add", "priority", "100", "from", "10.0.0.0/8", "lookup", "77")
    node.stop(node.agent)
    node.start_agent(options=node.options, launcher=node.launcher)
    said = lambda: node_condition.shown(node.workloads.node(node.node.name))  # noqa: E731

    node.eventually("the rule is told", lambda: said().get("status") == "False", seconds=40)
    assert said()["reason"] == "ForeignRule"
    assert "100" in said()["message"]

    node.on_node("ip", "rule", "del", "priority", "100")
    node.on_node("nft", "delete", "table", "ip", "tke_eni")
    node.eventually("the repair is told", lambda: "NodeRepaired" in reasons_of_node(node))
    node.stop(node.agent)
    node.start_again()
    node.eventually("all is well", lambda: said().get("status") == "True", seconds=40)
    assert said()["reason"] == "Serving"
    assert "serves Pods with 1 ENI" in said()["message"]


def eni(problem=""):
    return NodeEni(eni_id="eni-1", mac="52:54:00:00:00:01", subnet_id="subnet-1", gateway="", problem=problem)


@pytest.mark.parametrize(
    ("enis", "said"),
    [
        ([], "0 ENIs"),
        ([eni()], "1 ENI"),
        ([eni(), eni("no link")], "1 ENI"),
        ([eni(), eni()], "2 ENIs"),
        ([eni(), eni(), eni()], "3 ENIs"),
    ],
)
def test_a_node_without_problems_says_with_how_many_enis_it_serves_pods(enis, said):
    assert all_well(enis) == f"agent {ipamd.__version__} serves Pods with {said}"
