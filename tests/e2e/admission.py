"""The admission webhook on a cluster under test, as the component of deploy/ brings it."""

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.cluster import deployment
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.workloads import EIP, ENI_IP, Json, forgetful_pod

BOTH = {EIP: "1", ENI_IP: "1"}
_COMPONENTS = (*deployment.COMPONENTS, "admission", "admission/from-1.27")


@contextmanager
def webhook(cluster: ClusterUnderTest, directory: Path) -> Iterator[None]:
    """The component, applied beside what is deployed; taken away at the end."""
    values = deployment.settings(cluster.region.document)
    deployment.deploy(cluster.kubectl, directory / "with", values, components=_COMPONENTS)
    cluster.wait("the API server trusts the webhook", functools.partial(_trusted, cluster))
    # Until the API server has heard of it, Pods pass as they are: a webhook that helps must not hinder.
    cluster.wait("the API server asks the webhook", functools.partial(_asked, cluster))
    yield
    deployment.deploy(cluster.kubectl, directory / "without", values)
    for kind in ("mutatingwebhookconfiguration", "clusterrole", "clusterrolebinding"):
        cluster.kubectl("delete", kind, "tke-eni-admission")
    for kind in ("service", "secret", "role", "rolebinding"):
        cluster.kubectl("delete", kind, "tke-eni-admission", "--namespace=kube-system")


def resources(pod: Json | None) -> Json:
    """What the first container of a Pod asks for."""
    assert pod is not None
    return dict(pod["spec"]["containers"][0]["resources"])


def _trusted(cluster: ClusterUnderTest) -> bool:
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/tke-eni-admission"
    (configured,) = cluster.must_get(path)["webhooks"]
    return bool(configured["clientConfig"].get("caBundle"))


def _asked(cluster: ClusterUnderTest) -> bool:
    pod = json.dumps(forgetful_pod("nobody"))
    answer = cluster.kubectl("create", "--dry-run=server", "--output=json", "--filename=-", stdin=pod)
    return resources(json.loads(answer)) == {"requests": BOTH, "limits": BOTH}
