"""containerd 2.x, which asks the plugin for STATUS: a node stays in service while its agent is away.

These tests have a cluster of their own, unless the one that KUBECONFIG names runs containerd 2.x.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import deployment
from testbed.cluster.nodes import Node
from testbed.cluster.running import running_cluster
from testbed.cluster.under_test import ClusterUnderTest, given_access
from tests.e2e.conftest import tke_eni_options
from tests.e2e.workloads import plain_pod

DIRECTORY = Path("build/e2e-containerd-2")
AGENTS = "app.kubernetes.io/name=tke-eni-agent"
IN_KUBE_SYSTEM = f"--namespace={deployment.NAMESPACE}"
STATUSES = 3
"""How often containerd is to ask while the agent is away; a kubelet lets it ask every five seconds."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterUnderTest]:
    access = given_access()
    if access is not None:
        with ClusterUnderTest(access) as cluster:
            if all(runtime.startswith("containerd://2.") for runtime in runtimes(cluster)):
                yield cluster
                return
    options = ["--containerd", "2", *tke_eni_options()]
    with (
        running_cluster(Path("build/e2e-containerd-2"), *options) as access,
        ClusterUnderTest(access) as cluster,
    ):
        yield cluster


@pytest.fixture
def service(cluster: ClusterUnderTest, namespace: str) -> str:
    """A Service with a Pod on each node behind it; gives its namespace."""
    for number, node in enumerate(cluster.nodes):
        pod = plain_pod(f"web-{number}", node=node.name)
        pod["metadata"]["labels"] = {"app": "web"}
        cluster.apply(pod, namespace=namespace)
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    cluster.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec},
        namespace=namespace,
    )
    for number in range(len(cluster.nodes)):
        cluster.wait_for_pod(namespace, f"web-{number}")
    cluster.wait("both Pods are in the Service", lambda: len(addresses_in_service(cluster, namespace)) == 2)
    return namespace


def test_containerd_asks_for_status_and_never_for_gc(cluster: ClusterUnderTest, namespace: str):
    node = cluster.nodes[0]
    with verbs(node) as asked:
        cluster.apply(plain_pod("short", node=node.name), namespace=namespace)
        cluster.wait_for_pod(namespace, "short")
        cluster.delete("pod", "short", namespace=namespace)
        node.containerd.restart()
        cluster.wait("STATUS is asked after a start", lambda: asked()[-1:] == ["STATUS"] and "DEL" in asked())

    assert set(asked()) == {"STATUS", "ADD", "DEL"}


def test_a_restart_of_all_agents_takes_no_node_out_of_service(cluster: ClusterUnderTest, service: str):
    before = in_service(cluster, service)
    old = agents(cluster)

    cluster.kubectl("delete", "pods", IN_KUBE_SYSTEM, f"--selector={AGENTS}", "--grace-period=1")
    cluster.wait("new agents are ready", lambda: ready_agents(cluster, but=old) == len(cluster.nodes))

    assert in_service(cluster, service) == before


def test_a_roll_out_that_is_stuck_takes_no_node_out_of_service(cluster: ClusterUnderTest, service: str):
    before = in_service(cluster, service)
    with contextlib.ExitStack() as stack:
        asked = {node.name: stack.enter_context(verbs(node)) for node in cluster.nodes}
        image = f"*={deployment.IMAGE}:no-such-version"
        cluster.kubectl("set", "image", deployment.AGENT, image, IN_KUBE_SYSTEM)
        name = cluster.wait("an agent's image cannot be pulled", lambda: node_without_agent(cluster))
        already = len(asked[name]())
        cluster.wait(
            f"containerd has asked {STATUSES} times without an agent",
            lambda: asked[name]()[already:].count("STATUS") >= STATUSES,
        )
        assert in_service(cluster, service) == before

    cluster.kubectl("rollout", "undo", deployment.AGENT, IN_KUBE_SYSTEM)
    status = ("rollout", "status", deployment.AGENT, "--timeout=150s")
    cluster.kubectl(*status, IN_KUBE_SYSTEM, seconds=160.0)
    assert in_service(cluster, service) == before


def in_service(cluster: ClusterUnderTest, namespace: str) -> dict[str, Any]:
    """Give what changes whenever a node was not ready or a Pod was not in its Service, however shortly."""
    nodes = {node.name: ready_condition(cluster, node) for node in cluster.nodes}
    return {
        "nodes": {name: (ready["status"], ready["lastTransitionTime"]) for name, ready in nodes.items()},
        # A generation counts the changes of a slice.
        "slices": {
            found["metadata"]["name"]: found["metadata"]["generation"] for found in slices(cluster, namespace)
        },
        "addresses": addresses_in_service(cluster, namespace),
    }


def ready_condition(cluster: ClusterUnderTest, node: Node) -> dict[str, Any]:
    conditions = cluster.must_get(f"/api/v1/nodes/{node.name}")["status"]["conditions"]
    return next(dict(condition) for condition in conditions if condition["type"] == "Ready")


def slices(cluster: ClusterUnderTest, namespace: str) -> list[dict[str, Any]]:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    return list(cluster.client.get(f"{path}?labelSelector=kubernetes.io%2Fservice-name%3Dweb")["items"])


def addresses_in_service(cluster: ClusterUnderTest, namespace: str) -> set[str]:
    """Give the addresses that a Service sends packets to."""
    return {
        address
        for found in slices(cluster, namespace)
        for endpoint in found["endpoints"] or []
        if endpoint["conditions"]["ready"]
        for address in endpoint["addresses"]
    }


def agent_pods(cluster: ClusterUnderTest) -> list[dict[str, Any]]:
    path = f"/api/v1/namespaces/{deployment.NAMESPACE}/pods?labelSelector={AGENTS.replace('=', '%3D')}"
    return list(cluster.client.get(path)["items"])


def agents(cluster: ClusterUnderTest) -> set[str]:
    """Give the UIDs of the agents' Pods."""
    return {pod["metadata"]["uid"] for pod in agent_pods(cluster)}


def ready_agents(cluster: ClusterUnderTest, *, but: set[str]) -> int:
    """Give how many agents are ready, without those whose UIDs are in `but`."""
    return sum(
        condition["type"] == "Ready" and condition["status"] == "True"
        for pod in agent_pods(cluster)
        if pod["metadata"]["uid"] not in but
        for condition in pod["status"].get("conditions", [])
    )


def node_without_agent(cluster: ClusterUnderTest) -> str:
    """Give the name of a node whose agent waits for its image; empty: there is none."""
    for pod in agent_pods(cluster):
        containers = pod["status"].get("initContainerStatuses", [])
        waiting = [container["state"].get("waiting", {}).get("reason", "") for container in containers]
        if any(reason in ("ErrImagePull", "ImagePullBackOff") for reason in waiting):
            return str(pod["spec"]["nodeName"])
    return ""


def runtimes(cluster: ClusterUnderTest) -> list[str]:
    nodes = cluster.client.get("/api/v1/nodes")["items"]
    return [node["status"]["nodeInfo"]["containerRuntimeVersion"] for node in nodes]


@contextlib.contextmanager
def verbs(node: Node) -> Iterator[Callable[[], list[str]]]:
    """Note what the runtime asks the plugin for; the next start of the node's agent ends that."""
    plugin, log = node.path("/opt/cni/bin/tke-route-eni"), node.path("/run/verbs")
    real, aside = plugin.with_name("tke-route-eni-itself"), plugin.with_name(".noting")
    log.write_text("")
    shutil.copy2(plugin, real)
    aside.write_text(f'#!/bin/sh\necho "$CNI_COMMAND" >>/run/verbs\nexec /opt/cni/bin/{real.name}\n')
    aside.chmod(0o755)
    # Never without a plugin: a runtime that finds none says that the node is not ready.
    aside.rename(plugin)
    try:
        yield lambda: log.read_text().split()
    finally:
        real.rename(plugin)
