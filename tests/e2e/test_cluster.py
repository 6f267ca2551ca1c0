"""The cluster is what it claims to be: before anything of ours is judged by it."""

import pytest

from testbed.cluster.under_test import ClusterUnderTest

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "plain"},
    "spec": {
        "containers": [
            {
                "name": "main",
                "image": "busybox",
                "imagePullPolicy": "Always",
                "command": ["sh", "-c", "echo started; sleep 1000000"],
            }
        ]
    },
}


def test_nodes_are_named_and_identified_as_in_tke(cluster: ClusterUnderTest):
    instances = {i["private_ip"]: i for i in cluster.region.document["instances"]}
    for node in cluster.nodes:
        found = cluster.must_get(f"/api/v1/nodes/{node.name}")
        zone, instance_id = instances[node.name]["zone"], instances[node.name]["instance_id"]
        assert found["spec"]["providerID"] == f"qcloud:///{zone}/{instance_id}"
        assert found["metadata"]["labels"]["topology.kubernetes.io/zone"] == zone


def test_a_pod_runs_and_kubectl_reaches_into_it(cluster: ClusterUnderTest, namespace: str):
    cluster.apply(POD, namespace=namespace)
    pod = cluster.wait_for_pod(namespace, "plain")

    assert cluster.kubectl("logs", "--namespace", namespace, "plain") == "started\n"
    addresses = cluster.exec(namespace, "plain", "ip", "-4", "addr", "show", "dev", "eth0")
    assert f" {pod['status']['podIP']}/32 " in addresses


def test_a_pod_reaches_the_api_server_by_its_service(cluster: ClusterUnderTest, namespace: str):
    cluster.apply(POD, namespace=namespace)
    cluster.wait_for_pod(namespace, "plain")

    command = ["timeout", "5", "wget", "-q", "--no-check-certificate", "-O", "-"]
    answer = cluster.exec(namespace, "plain", *command, "https://10.96.0.1/version")
    assert '"major": "1"' in answer


def test_a_pod_without_eip_leaves_with_its_nodes_address(cluster: ClusterUnderTest, namespace: str):
    cluster.apply(POD, namespace=namespace)
    pod = cluster.wait_for_pod(namespace, "plain")

    public = {i["private_ip"]: i["public_ip"] for i in cluster.region.document["instances"]}
    assert cluster.internet.source_seen_from(namespace, "plain") == public[pod["spec"]["nodeName"]]


def test_nothing_of_the_host_is_on_a_node_that_the_plugin_could_lean_on(cluster: ClusterUnderTest):
    for node in cluster.nodes:
        python = node.path("/usr/bin/python3.11")
        if python.exists():
            assert python.stat().st_size == 0, "the node has a Python interpreter"
        else:
            pytest.skip("the host has no Python at that path")
