"""A new agent is rolled out while Pods start and stop: none is lost, and those that run notice nothing."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from testbed.cluster import deployment
from testbed.cluster.nodes import Node
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.workloads import eip_pod, plain_pod

AGENTS = (
    f"/api/v1/namespaces/{deployment.NAMESPACE}/pods?labelSelector=app.kubernetes.io%2Fname%3Dtke-eni-agent"
)
ROUNDS = 3
"""How many Pods at least start and stop on each node, so that some do beside the restart of its agent."""


def test_an_agent_is_rolled_out_while_pods_start_and_stop(cluster: ClusterUnderTest, namespace: str):
    first, second = cluster.nodes
    cluster.apply(eip_pod("steady", node=first.name), namespace=namespace)
    cluster.wait_for_pod(namespace, "steady")
    eip = cluster.must_get_claim(namespace, "steady")["status"]["address"]["ip"]
    links = {node.name: pod_links(node) for node in cluster.nodes}
    old = agents(cluster)
    rolled_out = threading.Event()

    with ThreadPoolExecutor() as threads, watched(cluster, eip) as misses:
        churning: list[Future[int]] = [
            threads.submit(churn, cluster, namespace, node, rolled_out) for node in (first, second)
        ]
        try:
            cluster.kubectl("rollout", "restart", deployment.AGENT, f"--namespace={deployment.NAMESPACE}")
            status = ("rollout", "status", deployment.AGENT, "--timeout=150s")
            cluster.kubectl(*status, f"--namespace={deployment.NAMESPACE}", seconds=160.0)
        finally:
            rolled_out.set()
        assert all(future.result() >= ROUNDS for future in churning)

    assert not old & agents(cluster)
    assert misses == []
    assert cluster.internet.source_seen_from(namespace, "steady") == eip
    cluster.wait(
        "the links of the Pods that ended are gone",
        lambda: {node.name: pod_links(node) for node in cluster.nodes} == links,
    )
    claims = cluster.kubectl("get", "eipclaims", f"--namespace={namespace}", "--output=name").split()
    assert [claim.partition("/")[2] for claim in claims] == ["steady"]


def churn(cluster: ClusterUnderTest, namespace: str, node: Node, stop: threading.Event) -> int:
    """Start a Pod on the node, look that it has its network, end it, and again; give how many there were."""
    count = 0
    while count < ROUNDS or not stop.is_set():
        name = f"{node.name.replace('.', '-')}-{count}"
        wants_eip = count % 2 == 0
        cluster.apply((eip_pod if wants_eip else plain_pod)(name, node=node.name), namespace=namespace)
        cluster.wait_for_pod(namespace, name, seconds=120.0)
        seen = cluster.internet.source_seen_from(namespace, name)
        if wants_eip:
            assert seen == cluster.must_get_claim(namespace, name)["status"]["address"]["ip"]
        else:
            assert seen == public_ip(cluster, node)
        cluster.delete("pod", name, namespace=namespace)
        cluster.wait_until_gone(cluster.claim_path(namespace, name))
        count += 1
    return count


@contextmanager
def watched(cluster: ClusterUnderTest, eip: str) -> Iterator[list[float]]:
    """Ask the Pod behind the EIP from the internet all the time; gives the moments when it did not answer."""
    misses: list[float] = []
    done = threading.Event()

    def ask() -> None:
        began = time.monotonic()
        while not done.wait(0.1):
            if not cluster.internet.reaches(eip, 80):
                misses.append(time.monotonic() - began)

    thread = threading.Thread(target=ask, name="watch-eip")
    thread.start()
    try:
        yield misses
    finally:
        done.set()
        thread.join()


def agents(cluster: ClusterUnderTest) -> set[str]:
    """Give the UIDs of the agents' Pods."""
    return {pod["metadata"]["uid"] for pod in cluster.client.get(AGENTS)["items"]}


def pod_links(node: Node) -> set[str]:
    """Give the names of the links that lead to Pods (docs/data-plane.md)."""
    links = json.loads(node.run("ip", "-json", "link", "show", "type", "veth"))
    return {link["ifname"] for link in links if link["ifname"].startswith("eni")}


def public_ip(cluster: ClusterUnderTest, node: Node) -> str:
    """Give the address behind which a Pod without EIP leaves."""
    cvms = cluster.region.document["instances"]
    return next(str(cvm["public_ip"]) for cvm in cvms if cvm["private_ip"] == node.name)
