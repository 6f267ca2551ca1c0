"""The two replicas of the controller: which one leads, and what it does to the cloud.

Replicas are told apart by the node that a call to the cloud came from; they run on different ones.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testbed.cluster import deployment
from testbed.cluster.observation import is_ready
from testbed.cluster.under_test import ClusterUnderTest

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{deployment.NAMESPACE}/leases/tke-eni-ipamd"
PODS = f"/api/v1/namespaces/{deployment.NAMESPACE}/pods"
SELECTOR = "?labelSelector=app.kubernetes.io%2Fname%3Dtke-eni-ipamd"
EIP_WRITES = "AllocateAddresses", "ReleaseAddresses"
"""What only the controller asks of the cloud."""
USER = 65532
"""As the Deployment has it."""


def replicas(cluster: ClusterUnderTest) -> list[dict[str, Any]]:
    """Give the controller's Pods that are not being deleted."""
    pods = cluster.client.get(PODS + SELECTOR)["items"]
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def leader(cluster: ClusterUnderTest) -> dict[str, Any]:
    """Wait until a Pod that is there holds the Lease, and give it."""

    def holder() -> dict[str, Any] | None:
        identity = cluster.must_get(LEASE)["spec"].get("holderIdentity") or ""
        pods = {pod["metadata"]["name"]: pod for pod in replicas(cluster)}
        return next((pod for name, pod in pods.items() if identity.startswith(name)), None)

    return cluster.wait("a replica of the controller leads", holder)


def wait_for_both(cluster: ClusterUnderTest) -> None:
    """Wait until two replicas are ready again, so that the next test finds a whole controller."""

    def ready() -> bool:
        pods = replicas(cluster)
        return len(pods) == 2 and all(is_ready(pod) for pod in pods)

    cluster.wait("two replicas of the controller are ready", ready, seconds=120.0)


def eip_writes(cluster: ClusterUnderTest, node: str = "") -> list[dict[str, Any]]:
    """Give the controller's calls so far, refused ones too; those from `node` when it is named."""
    writes = cluster.region.admin.get("/audit")["writes"]
    return [w for w in writes if w["action"] in EIP_WRITES and node in ("", w["source"])]


@contextmanager
def frozen(cluster: ClusterUnderTest, pod: dict[str, Any]) -> Iterator[None]:
    """Let all processes of a Pod hang, as on a machine that does not get its turn, and go on at the end."""
    pids = cluster.processes_of(pod)
    assert pids, f"no process of {pod['metadata']['name']} was found"
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def without_api_server(cluster: ClusterUnderTest, node: str) -> Iterator[None]:
    """Drop what the controller on `node` sends to the API server; the cloud stays in its reach."""
    rule = ["OUTPUT", "-p", "tcp", "--dport", "6443", "-m", "owner", "--uid-owner", str(USER), "-j", "DROP"]
    cluster.node(node).run("iptables", "-w", "-I", *rule)
    try:
        yield
    finally:
        cluster.node(node).run("iptables", "-w", "-D", *rule)
