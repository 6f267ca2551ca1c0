"""The page: ip-masq-agent gives outbound traffic the node's address; and how a Pod keeps its EIP."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.workloads import eip_pod, plain_pod

CONTROLLER = ("deployment", "tke-eni-ipamd", "--namespace=kube-system")
CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/ip-masq-agent-config"
OF_PEOPLE = {
    "NonMasqueradeCIDRs": ["10.0.0.0/16"],
    "NonMasqueradeSrcCIDRs": ["10.99.0.0/24"],
    "MasqLinkLocal": True,
    "ResyncInterval": "1m0s",
    "MasqLinkLocalIPv6": False,
}


def test_the_outbound_traffic_of_a_pod_with_eip_is_not_masqueraded_and_that_of_its_neighbour_is(
    cluster: ClusterUnderTest, namespace: str
):
    cluster.apply(eip_pod("with-eip"), namespace=namespace)
    node = cluster.wait_for_pod(namespace, "with-eip")["spec"]["nodeName"]
    cluster.apply(plain_pod("without-eip", node=node), namespace=namespace)
    cluster.wait_for_pod(namespace, "without-eip")

    eip = cluster.must_get_claim(namespace, "with-eip")["status"]["address"]["ip"]
    assert cluster.internet.source_seen_from(namespace, "with-eip") == eip
    public = {i["private_ip"]: i["public_ip"] for i in cluster.region.document["instances"]}
    assert cluster.internet.source_seen_from(namespace, "without-eip") == public[node]


@pytest.fixture
def kept(cluster: ClusterUnderTest) -> Iterator[None]:
    """ip-masq-agent's ConfigMap as TKE makes it, and controllers that keep it in step."""
    metadata = {"name": "ip-masq-agent-config", "namespace": "kube-system"}
    data = {"config": json.dumps(OF_PEOPLE, separators=(",", ":"))}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    before = json.loads(cluster.kubectl("get", *CONTROLLER, "--output=json"))
    arguments = before["spec"]["template"]["spec"]["containers"][0]["args"]
    start_with(cluster, [*arguments, "--ip-masq-agent-config=keep"])
    yield
    start_with(cluster, arguments)
    cluster.delete("configmap", "ip-masq-agent-config", namespace="kube-system")


@pytest.mark.usefixtures("kept")
def test_non_masquerade_src_cidrs_names_the_pod_while_it_has_its_eip(
    cluster: ClusterUnderTest, namespace: str
):
    """With the rights of deploy/ and no others."""
    cluster.apply(eip_pod("web-0"), namespace=namespace)
    pod = cluster.wait_for_pod(namespace, "web-0")
    entry = f"{pod['status']['podIP']}/32"

    cluster.wait("the entry", lambda: config(cluster)["NonMasqueradeSrcCIDRs"] == ["10.99.0.0/24", entry])
    assert {**config(cluster), "NonMasqueradeSrcCIDRs": ["10.99.0.0/24"]} == OF_PEOPLE

    cluster.delete("pod", "web-0", namespace=namespace)

    cluster.wait("no entry", lambda: config(cluster) == OF_PEOPLE)


def config(cluster: ClusterUnderTest) -> dict[str, Any]:
    found = cluster.get(CONFIG_MAP)
    assert found is not None
    return dict(json.loads(found["data"]["config"]))


def start_with(cluster: ClusterUnderTest, arguments: list[str]) -> None:
    path = "/spec/template/spec/containers/0/args"
    patch = json.dumps([{"op": "replace", "path": path, "value": arguments}])
    cluster.kubectl("patch", *CONTROLLER, "--type=json", f"--patch={patch}")
    cluster.kubectl("rollout", "status", *CONTROLLER, "--timeout=120s", seconds=130.0)
