"""Pods that forgot the resource, on a cluster with the admission webhook, which the API server itself calls.

The Pods here have nothing but the annotation. That the scheduler counts them, that their EIP is bound and
that hosts of the internet see it, is what the resource is for.
"""

import functools
import json
from collections.abc import Iterator

import pytest

from testbed.cluster import deployment
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.workloads import EIP, ENI_IP, Json, forgetful_pod

BOTH = {EIP: "1", ENI_IP: "1"}
COMPONENTS = (*deployment.COMPONENTS, "admission", "admission/from-1.27")


@pytest.fixture(scope="module")
def webhook(cluster: ClusterUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The component, applied beside what is deployed; taken away at the end."""
    values = deployment.settings(cluster.region.document)
    directory = tmp_path_factory.mktemp("overlay")
    deployment.deploy(cluster.kubectl, directory / "with", values, components=COMPONENTS)
    cluster.wait("the API server trusts the webhook", functools.partial(_trusted, cluster))
    # Until the API server has heard of it, Pods pass as they are: a webhook that helps must not hinder.
    cluster.wait("the API server asks the webhook", functools.partial(_asked, cluster))
    yield
    deployment.deploy(cluster.kubectl, directory / "without", values)
    for kind in ("mutatingwebhookconfiguration", "clusterrole", "clusterrolebinding"):
        cluster.kubectl("delete", kind, "tke-eni-admission")
    for kind in ("service", "secret", "role", "rolebinding"):
        cluster.kubectl("delete", kind, "tke-eni-admission", "--namespace=kube-system")


def _trusted(cluster: ClusterUnderTest) -> bool:
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/tke-eni-admission"
    (configured,) = cluster.must_get(path)["webhooks"]
    return bool(configured["clientConfig"].get("caBundle"))


def _asked(cluster: ClusterUnderTest) -> bool:
    pod = json.dumps(forgetful_pod("nobody"))
    answer = cluster.kubectl("create", "--dry-run=server", "--output=json", "--filename=-", stdin=pod)
    return resources(json.loads(answer)) == {"requests": BOTH, "limits": BOTH}


def resources(pod: Json | None) -> Json:
    assert pod is not None
    return dict(pod["spec"]["containers"][0]["resources"])


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
