"""By which Pods the agents of nodes are known."""

import pytest

from ipamd.controller.claims.agents import Agents
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.nodes import NodeView


def node(agent):
    return NodeView(name="node-a", ready=True, outage="", instance_id="", agent=agent)


def agent_pod(name="agent-1", *, ready="True", phase="Running", owner="tke-eni-agent"):
    daemon_set = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": owner, "uid": "ds-1"}
    return pods.trim(
        {
            "metadata": {
                "namespace": "kube-system",
                "name": name,
                "ownerReferences": [{**daemon_set, "controller": True}],
            },
            "spec": {"nodeName": "node-a"},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
        }
    )


def test_a_ready_pod_of_the_daemon_set_serves_its_node_until_it_goes():
    agents = Agents()

    assert agents.pod_changed(agent_pod(), gone=False) == "node-a"
    assert agents.ready_on("node-a")
    assert agents.pod_changed(agent_pod(), gone=False) == ""
    assert agents.pod_changed(agent_pod(), gone=True) == "node-a"
    assert not agents.ready_on("node-a")


def test_one_of_two_pods_that_goes_takes_the_other_nothing():
    agents = Agents()
    agents.pod_changed(agent_pod("agent-1"), gone=False)
    agents.pod_changed(agent_pod("agent-2"), gone=False)

    agents.pod_changed(agent_pod("agent-1"), gone=True)

    assert agents.ready_on("node-a")


@pytest.mark.parametrize(
    "other", [{"ready": "False"}, {"ready": "Unknown"}, {"phase": "Failed"}, {"owner": "another-agent"}]
)
def test_any_other_pod_serves_nobody(other):
    agents = Agents()

    assert agents.pod_changed(agent_pod(**other), gone=False) == ""
    assert not agents.ready_on("node-a")


def test_a_pod_that_is_not_ready_is_placed_until_it_goes():
    agents = Agents()

    agents.pod_changed(agent_pod(ready="False"), gone=False)
    assert agents.placed_on("node-a")
    assert not agents.ready_on("node-a")

    agents.pod_changed(agent_pod(ready="False"), gone=True)
    assert not agents.placed_on("node-a")


def test_any_change_of_the_pod_that_the_node_names_is_told():
    agents = Agents()

    assert agents.node_changed(node("kube-system/agent-1"), gone=False)
    assert not agents.node_changed(node("kube-system/agent-1"), gone=False)
    assert agents.pod_changed(agent_pod(ready="False"), gone=False) == "node-a"
    assert agents.node_changed(node("kube-system/agent-1"), gone=True)
    assert agents.pod_changed(agent_pod(ready="False"), gone=True) == ""
