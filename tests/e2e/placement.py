"""On which node a Pod is, and nodes that take none: cordoned, or without power."""

from collections.abc import Iterator
from contextlib import contextmanager

from testbed.cluster.nodes import Node
from testbed.cluster.observation import is_ready
from testbed.cluster.under_test import ClusterUnderTest

_TAINT = "node.kubernetes.io/out-of-service"


def node_of(cluster: ClusterUnderTest, namespace: str, pod: str) -> str:
    """Wait for the Pod, and give the name of its node."""
    return str(cluster.wait_for_pod(namespace, pod)["spec"]["nodeName"])


@contextmanager
def out_of_service(cluster: ClusterUnderTest, node: Node) -> Iterator[None]:
    """Power off, and the taint by which an operator says that a node is out of service; undone at the end."""
    path = f"/api/v1/nodes/{node.name}"
    node.power_off()
    try:
        cluster.wait("the node is not ready", lambda: not is_ready(cluster.must_get(path)), seconds=120.0)
        cluster.kubectl("taint", "node", node.name, f"{_TAINT}=nodeshutdown:NoExecute")
        yield
    finally:
        node.boot()
        cluster.wait("the node is back", lambda: is_ready(cluster.must_get(path)), seconds=120.0)
        if any(taint["key"] == _TAINT for taint in cluster.must_get(path)["spec"].get("taints", ())):
            cluster.kubectl("taint", "node", node.name, f"{_TAINT}-")


def wait_elsewhere(cluster: ClusterUnderTest, namespace: str, pod: str, node: Node) -> None:
    """Wait until the Pod, or the next one of its name, runs on another node."""

    def look() -> bool:
        found = cluster.pod(namespace, pod)
        return found is not None and found["spec"].get("nodeName") not in (None, node.name)

    cluster.wait("another node has the Pod", look, seconds=180.0)
    cluster.wait_for_pod(namespace, pod, seconds=180.0)
