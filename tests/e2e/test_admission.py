"""Pods that forgot the resource, on a cluster with the admission webhook, which the API server itself calls.

The Pods here have nothing but the annotation. That the scheduler counts them, that their EIP is bound and
that hosts of the internet see it, is what the resource is for.
"""

import functools
from collections.abc import Iterator

import pytest

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e import admission
from tests.e2e.admission import BOTH, resources
from tests.e2e.workloads import EIP, forgetful_pod


@pytest.fixture(scope="module")
def webhook(cluster: ClusterUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with admission.webhook(cluster, tmp_path_factory.mktemp("overlay")):
        yield


def test_a_pod_with_the_annotation_alone_gets_the_resources_and_its_eip(
    cluster: ClusterUnderTest, webhook: None, namespace: str
):
    cluster.apply(forgetful_pod("web"), namespace=namespace)

    assert resources(cluster.pod(namespace, "web")) == {"requests": BOTH, "limits": BOTH}
    cluster.wait_for_pod(namespace, "web")
    eip = cluster.must_get_claim(namespace, "web")["status"]["address"]["ip"]
    assert cluster.internet.source_seen_from(namespace, "web") == eip
    assert cluster.internet.get(eip, 80) == "web\n"


def test_the_scheduler_refuses_the_one_too_many(cluster: ClusterUnderTest, webhook: None, namespace: str):
    room = sum(
        int(cluster.must_get(f"/api/v1/nodes/{node.name}")["status"]["allocatable"][EIP])
        for node in cluster.nodes
    )
    names = [f"web-{number}" for number in range(room + 1)]
    cluster.apply([forgetful_pod(name) for name in names], namespace=namespace)

    def refused() -> list[str]:
        return [name for name in names if EIP in _scheduling(cluster, namespace, name)]

    (left,) = cluster.wait("one Pod is told that there is no EIP", refused)
    for name in names:
        if name != left:
            cluster.wait_for_pod(namespace, name)
    assert refused() == [left]


def _scheduling(cluster: ClusterUnderTest, namespace: str, name: str) -> str:
    """Why the scheduler has found no node yet."""
    found = cluster.pod(namespace, name) or {"status": {}}
    conditions = found["status"].get("conditions", [])
    return " ".join(c.get("message", "") for c in conditions if c["type"] == "PodScheduled")


def test_a_pod_without_the_annotation_is_as_it_was_written(
    cluster: ClusterUnderTest, webhook: None, namespace: str
):
    plain = forgetful_pod("plain")
    del plain["metadata"]["annotations"]
    cluster.apply(plain, namespace=namespace)
    assert resources(cluster.pod(namespace, "plain")) == {}


def test_every_replica_serves(cluster: ClusterUnderTest, webhook: None):
    selector = "--selector=app.kubernetes.io/name=tke-eni-ipamd"
    pods = cluster.kubectl("get", "pods", "--namespace=kube-system", selector, "--output=name").split()
    assert len(pods) == 2
    for name in pods:
        cluster.wait(f"{name} serves", functools.partial(_serves, cluster, name))


def _serves(cluster: ClusterUnderTest, pod: str) -> bool:
    return "the admission webhook serves" in cluster.kubectl("logs", "--namespace=kube-system", pod)
