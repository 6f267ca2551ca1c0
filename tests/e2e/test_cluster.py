"""The cluster is what it claims to be: before anything of ours is judged by it."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import cgroups
from testbed.cluster.running import running_cluster
from testbed.cluster.under_test import ClusterUnderTest

POD: dict[str, Any] = {
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

    node = pod["spec"]["nodeName"]
    assert cluster.internet.source_seen_from(namespace, "plain") == public_ip(cluster, node)


def test_a_node_whose_power_was_cut_comes_back_with_its_disk(cluster: ClusterUnderTest, namespace: str):
    node = cluster.nodes[1]
    mark = node.path("/var/lib/kubelet/mark")
    mark.write_text("before")
    pod = {**POD, "spec": {**POD["spec"], "nodeSelector": {"kubernetes.io/hostname": node.name}}}
    cluster.apply(pod, namespace=namespace)
    cluster.wait_for_pod(namespace, "plain")

    node.power_off()
    assert not mark.exists()
    node.boot()

    # A new sandbox for the same Pod, as after a reboot of a node that nobody missed yet.
    cluster.wait("the Pod runs again", lambda: started(cluster, namespace) == 2, seconds=120.0)
    cluster.wait_for_pod(namespace, "plain")
    assert node.path("/var/lib/kubelet/mark").read_text() == "before"
    assert "IP-MASQ-AGENT" in node.run("iptables", "-t", "nat", "-S")
    assert cluster.internet.source_seen_from(namespace, "plain") == public_ip(cluster, node.name)


def test_nothing_is_left_of_a_cluster_that_was_killed(tmp_path: Path):
    killed = tmp_path / "killed"
    with running_cluster(killed, "--control-plane-only") as access:
        pid = access["pid"]
        run = f"tkesim-{pid}-"
        assert leftovers(run)
        os.kill(pid, signal.SIGKILL)

    with running_cluster(tmp_path / "next", "--control-plane-only"):
        assert leftovers(run) == []


def leftovers(run: str) -> list[str]:
    """Give what is named after a run: network namespaces, disks, control groups."""
    places = [Path("/run/netns"), Path("/var/tmp"), *cgroups.hierarchies()]
    return [str(path) for place in places for path in place.glob(f"{run}*")]


def started(cluster: ClusterUnderTest, namespace: str) -> int:
    """How often the container of the Pod was started."""
    [status] = cluster.must_get_pod(namespace, "plain")["status"]["containerStatuses"]
    return int(status["restartCount"]) + 1


def public_ip(cluster: ClusterUnderTest, node: str) -> str:
    cvms = cluster.region.document["instances"]
    return next(str(cvm["public_ip"]) for cvm in cvms if cvm["private_ip"] == node)


def test_nothing_of_the_host_is_on_a_node_that_the_plugin_could_lean_on(cluster: ClusterUnderTest):
    for node in cluster.nodes:
        python = node.path("/usr/bin/python3.11")
        if python.exists():
            assert python.stat().st_size == 0, "the node has a Python interpreter"
        else:
            pytest.skip("the host has no Python at that path")
