"""The scheduler knows how many EIPs a node still takes, and goes on knowing it."""

import json
from functools import partial
from typing import Any

import pytest

from testbed.cluster.layout import CONFIGURATION
from testbed.cluster.under_test import ClusterUnderTest
from testbed.cluster.worker import UNAVAILABLE
from tests.e2e.workloads import EIP, ENI_IP, eip_pod, plain_pod

EIPS = 2
"""A CVM of 8 vCPUs takes three public IPs; TKE's rule is one less."""
RESOURCES = EIP, ENI_IP
KUBELET = f"{CONFIGURATION}/kubelet.yaml"


def allocatable(cluster: ClusterUnderTest, node: str) -> dict[str, str]:
    """What the Node offers of our resources, empty when it is not there."""
    found = cluster.get(f"/api/v1/nodes/{node}")
    offered = found["status"].get("allocatable", {}) if found else {}
    return {resource: offered[resource] for resource in RESOURCES if resource in offered}


def offers_all(cluster: ClusterUnderTest, node: str) -> bool:
    offered = allocatable(cluster, node)
    return offered.get(EIP) == str(EIPS) and int(offered.get(ENI_IP, "0")) > 0


def message_of(pod: dict[str, Any]) -> str:
    return " ".join(condition.get("message", "") for condition in pod["status"].get("conditions", []))


def test_each_node_offers_one_eip_less_than_its_cvm_can_bind(cluster: ClusterUnderTest):
    for node in cluster.nodes:
        assert allocatable(cluster, node.name)[EIP] == str(EIPS)
        assert int(allocatable(cluster, node.name)[ENI_IP]) > 50


def test_the_taint_with_which_kubelets_register_is_gone_where_an_agent_serves(cluster: ClusterUnderTest):
    for node in cluster.nodes:
        assert UNAVAILABLE in json.loads(node.path(KUBELET).read_text())["registerWithTaints"]
        cluster.wait("Pods may be scheduled", partial(is_open, cluster, node.name))


def test_the_scheduler_refuses_the_pod_too_many_until_another_goes(cluster: ClusterUnderTest, namespace: str):
    node = cluster.nodes[0].name
    for number in range(EIPS):
        cluster.apply(eip_pod(f"web-{number}", node=node), namespace=namespace)
        cluster.wait_for_pod(namespace, f"web-{number}")

    cluster.apply(eip_pod("extra", node=node), namespace=namespace)
    cluster.wait(
        "the scheduler says why",
        lambda: f"Insufficient {EIP}" in message_of(cluster.must_get_pod(namespace, "extra")),
    )
    assert not cluster.must_get_pod(namespace, "extra")["spec"].get("nodeName")
    # Other Pods are not refused.
    cluster.apply(plain_pod("plain", node=node), namespace=namespace)
    cluster.wait_for_pod(namespace, "plain")

    cluster.delete("pod", "web-0", namespace=namespace)
    cluster.wait_for_pod(namespace, "extra")
    eip = cluster.must_get_claim(namespace, "extra")["status"]["address"]["ip"]
    assert cluster.internet.source_seen_from(namespace, "extra") == eip


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_kubelet_that_starts_again_does_not_lose_the_resources(
    cluster: ClusterUnderTest, namespace: str, end: str
):
    node = cluster.nodes[0]
    cluster.apply(eip_pod("before", node=node.name), namespace=namespace)
    cluster.wait_for_pod(namespace, "before")

    getattr(node.kubelet, end)()
    last_beat = heartbeat(cluster, node.name)
    node.kubelet.start()
    cluster.wait("the kubelet is back", lambda: heartbeat(cluster, node.name) != last_beat)
    cluster.wait("the node offers all", lambda: offers_all(cluster, node.name))

    # The scheduler looks at the Node, the kubelet at what it believes itself.
    cluster.apply(eip_pod("after", node=node.name), namespace=namespace)
    cluster.wait_for_pod(namespace, "after")
    assert_undisturbed(cluster, namespace, "before")


def test_a_node_that_is_deleted_and_registers_again_offers_the_resources_again(
    cluster: ClusterUnderTest, namespace: str
):
    node = cluster.nodes[0]
    pod = eip_pod("before", node=node.name)
    # A new Node is not ready for a moment. This Pod waits for it as long as Kubernetes' default is.
    not_ready = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
    pod["spec"]["tolerations"] = [{**not_ready, "tolerationSeconds": 300}]
    cluster.apply(pod, namespace=namespace)
    cluster.wait_for_pod(namespace, "before")
    uid = cluster.must_get(f"/api/v1/nodes/{node.name}")["metadata"]["uid"]

    cluster.delete("node", node.name)
    node.kubelet.restart()
    cluster.wait("the node is back", lambda: cluster.get(f"/api/v1/nodes/{node.name}"))
    cluster.wait("the node offers all", lambda: offers_all(cluster, node.name), seconds=120.0)
    cluster.wait("Pods may be scheduled", partial(is_open, cluster, node.name))

    assert cluster.must_get(f"/api/v1/nodes/{node.name}")["metadata"]["uid"] != uid
    cluster.apply(eip_pod("after", node=node.name), namespace=namespace)
    cluster.wait_for_pod(namespace, "after")
    eip = cluster.must_get_claim(namespace, "after")["status"]["address"]["ip"]
    assert cluster.internet.source_seen_from(namespace, "after") == eip
    assert_undisturbed(cluster, namespace, "before")


def is_open(cluster: ClusterUnderTest, node: str) -> bool:
    taints = cluster.must_get(f"/api/v1/nodes/{node}")["spec"].get("taints", ())
    return all(taint["key"] != UNAVAILABLE["key"] for taint in taints)


def heartbeat(cluster: ClusterUnderTest, node: str) -> str:
    """When the kubelet renewed its Lease last."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}"
    return str(cluster.must_get(path)["spec"]["renewTime"])


def assert_undisturbed(cluster: ClusterUnderTest, namespace: str, name: str) -> None:
    """The Pod runs in its first container, and its EIP works both ways."""
    pod = cluster.wait_for_pod(namespace, name)
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    eip = cluster.must_get_claim(namespace, name)["status"]["address"]["ip"]
    assert cluster.internet.source_seen_from(namespace, name) == eip
    assert cluster.internet.get(eip, 80) == f"{name}\n"
