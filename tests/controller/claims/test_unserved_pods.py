"""No EIP is ordered or chosen for a Pod that can have none: without a Node, or where no agent serves."""

import pytest

from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.kubernetes import nodes
from ipamd.kube.resources import NODES, PODS
from tests.controller.world import PREFIX

PENDING = [f"pending-{number}" for number in range(25)]


@pytest.fixture
def controller(world):
    return world.start_controller()


def says(world, name, reason):
    """Whether the claim says so; it must not have an EIP."""
    return world.condition(name).get("reason") == reason and not world.claim(name).address


def told(world, name, reason):
    return [e for e in world.events(reason) if e["involvedObject"]["name"] == name]


def mark(world, node, agent):
    """What an agent writes into its Node."""
    patch = {"metadata": {"annotations": {nodes.AGENT: agent}}}
    world.client.patch(NODES, node, patch, subresource="status")


def agent_pod(world, name, node):
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "tke-eni-agent", "uid": "ds-1"}
    world.client.create(
        PODS,
        {
            "metadata": {
                "name": name,
                "namespace": "kube-system",
                "ownerReferences": [{**owner, "controller": True}],
            },
            "spec": {"nodeName": node, "hostNetwork": True, "containers": [{"name": "m", "image": "x"}]},
        },
    )


def becomes_ready(world, agent):
    patch = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    world.client.patch(PODS, agent, patch, "kube-system", subresource="status")


def test_25_pending_pods_take_nothing_of_the_quota(world, controller):
    for name in PENDING:
        world.create_pod(name, node="")
    world.wait(lambda: all(says(world, name, "NotScheduled") for name in PENDING))

    world.create_pod("scheduled")

    world.wait_provisioned("scheduled")
    assert world.orders() == 1
    (event,) = world.wait(lambda: told(world, PENDING[0], "NotScheduled"))
    assert event["involvedObject"]["kind"] == "Pod"
    assert "not scheduled to a Node" in event["message"]


def test_a_pod_gets_its_eip_when_it_is_scheduled(world, controller):
    world.create_pod("web-0", node="")
    world.wait(lambda: says(world, "web-0", "NotScheduled"))

    world.schedule("web-0", "node-a")

    assert world.wait_provisioned("web-0").pod.node == "node-a"
    assert world.condition("web-0")["status"] == "True"


def test_a_pod_that_is_scheduled_at_once_is_told_nothing(world, controller):
    world.create_pod("web-0", node="")
    world.schedule("web-0", "node-a")

    world.wait_provisioned("web-0")

    assert not world.events("NotScheduled")


def test_a_pod_on_a_super_node_gets_none(world, controller):
    world.add_node("eklet-subnet-1", agent="", instance_type="eklet")
    world.create_pod("web-0", node="eklet-subnet-1")

    world.wait(lambda: says(world, "web-0", "NodeNotServed"))
    (event,) = world.wait(lambda: told(world, "web-0", "NodeNotServed"))

    assert "super node" in event["message"]
    assert world.orders() == 0


def test_a_node_that_joins_is_served_when_its_agent_says_so(world, controller):
    world.create_pod("web-0", node="node-b")
    world.wait(lambda: says(world, "web-0", "NodeNotServed"))
    world.add_node("node-b", agent="")
    agent_pod(world, "agent-b", "node-b")

    mark(world, "node-b", "kube-system/agent-b")

    world.wait_provisioned("web-0")


def test_a_node_whose_agent_has_gone_is_told_from_one_that_never_had_one(world, controller):
    world.add_node("node-b", agent="kube-system/agent-b")
    world.add_node("node-c", agent="")
    world.create_pod("web-b", node="node-b")
    world.create_pod("web-c", node="node-c")

    world.wait(lambda: says(world, "web-b", "AgentGone"))
    world.wait(lambda: says(world, "web-c", "NodeNotServed"))
    (event,) = world.wait(lambda: told(world, "web-b", "AgentGone"))
    assert "kube-system/agent-b" in event["message"]

    agent_pod(world, "agent-b", "node-b")

    world.wait_provisioned("web-b")
    assert world.orders() == 1


def test_a_node_is_served_by_a_ready_agent_of_a_release_that_does_not_mark_its_node(world, controller):
    world.add_node("node-b", agent="")
    agent_pod(world, "agent-b", "node-b")
    world.create_pod("web-0", node="node-b")
    world.wait(lambda: says(world, "web-0", "NodeNotServed"))

    becomes_ready(world, "agent-b")

    world.wait_provisioned("web-0")


def test_a_node_whose_agent_was_put_back_to_such_a_release_is_served(world, controller):
    world.add_node("node-b", agent="kube-system/agent-of-newer")
    world.create_pod("web-0", node="node-b")
    world.wait(lambda: says(world, "web-0", "AgentGone"))

    agent_pod(world, "agent-b", "node-b")
    becomes_ready(world, "agent-b")

    world.wait_provisioned("web-0")


def test_a_node_that_is_made_anew_is_served_by_the_agent_that_stayed(world, controller):
    agent_pod(world, "agent-b", "node-b")
    becomes_ready(world, "agent-b")
    world.create_pod("web-0", node="node-b")
    world.wait(lambda: says(world, "web-0", "NodeNotServed"))

    world.add_node("node-b", agent="")

    world.wait_provisioned("web-0")


def test_a_kept_claim_keeps_its_eip_until_its_next_pod_is_scheduled(world, controller):
    world.create_pod("web-0", never=True)
    first = world.wait_provisioned("web-0")
    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").pod.last_seen is not None)

    world.create_pod("web-0", node="", never=True)
    world.wait(lambda: world.claim("web-0").pod.uid not in ("", first.pod_uid))
    world.schedule("web-0", "node-a")

    world.wait(lambda: world.claim("web-0").pod.node == "node-a")
    assert world.claim("web-0").address == first.address
    assert world.orders() == 1


def test_a_pod_without_node_keeps_no_eip_of_a_list_from_others(world, controller):
    eip_id = world.users_eip()
    world.create_pod("pending", {"eip-id-list": eip_id}, node="")
    world.wait(lambda: says(world, "pending", "NotScheduled"))

    world.create_pod("scheduled", {"eip-id-list": eip_id})

    assert world.wait_provisioned("scheduled").address.eip_id == eip_id
    assert not world.claim("pending").address


def test_with_early_orders_an_eip_is_there_before_its_pod_is_scheduled(world):
    world.start_controller(rules=ClusterRules(early_orders=True))
    world.create_pod("web-0", node="")
    assert world.wait_provisioned("web-0").node == ""

    world.schedule("web-0", "node-a")

    world.wait(lambda: world.claim("web-0").node == "node-a")
    world.wait(lambda: world.claim("web-0").pod.node == "node-a")


@pytest.mark.parametrize(
    ("annotation", "default", "words"),
    [("tke-bridge", "tke-route-eni", "tke-bridge"), ("", "tke-bridge", "--default-network")],
)
def test_a_pod_on_the_network_of_another_plugin_is_told_and_gets_no_claim(world, annotation, default, words):
    world.start_controller(rules=ClusterRules(default_network=default))
    world.create_pod("web-0", {"eip-attributes": "", **({"networks": annotation} if annotation else {})})

    (event,) = world.wait(lambda: world.events("InvalidAttributes"))

    assert words in event["message"]
    assert f"name tke-route-eni in annotation {PREFIX}networks" in event["message"]
    assert not world.claim("web-0")


def test_where_another_network_is_the_default_a_pod_that_names_ours_gets_its_eip(world):
    world.start_controller(rules=ClusterRules(default_network="tke-bridge"))
    world.create_pod("web-0", {"eip-attributes": "", "networks": "tke-bridge,tke-route-eni"})

    world.wait_provisioned("web-0")
