"""The API server that the contract tests talk to: the simulator, or a real one.

With CONTRACT_KUBERNETES=real (`make e2e` does this) it is a kube-apiserver with etcd and the controller
manager (garbage collection and the deletion of namespaces are part of the contract), started here. With
CONTRACT_KUBECONFIG it is the server of that kubeconfig, whose user must be an administrator. KUBECONFIG
itself is not looked at, so that nobody's cluster is written to by accident. Every test works in a namespace
of its own; cluster-wide objects carry its name.
"""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kubernetes
import pytest

from simulator.kube import KubeServer, Store, listen
from testbed.cluster.running import running_cluster
from tests.contract.kube.differences import DIFFERENCES
from tests.contract.kube.endpoint import CLAIM_GROUP, Endpoint, Obj
from tests.testkit.eventually import eventually

CLAIM_CRD: Obj = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"eipclaims.{CLAIM_GROUP}"},
    "spec": {
        "group": CLAIM_GROUP,
        "scope": "Namespaced",
        "names": {"kind": "EIPClaim", "plural": "eipclaims", "singular": "eipclaim", "shortNames": ["eipc"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}


@dataclass(frozen=True)
class Place:
    """A namespace of its own, and the paths in it."""

    name: str

    def core(self, plural: str, name: str = "", subresource: str = "") -> str:
        return self._path(f"/api/v1/namespaces/{self.name}", plural, name, subresource)

    def claims(self, name: str = "", subresource: str = "") -> str:
        return self._path(f"/apis/{CLAIM_GROUP}/v1/namespaces/{self.name}", "eipclaims", name, subresource)

    def leases(self, name: str = "") -> str:
        return self._path(f"/apis/coordination.k8s.io/v1/namespaces/{self.name}", "leases", name, "")

    def apps(self, plural: str, name: str = "") -> str:
        return self._path(f"/apis/apps/v1/namespaces/{self.name}", plural, name, "")

    @staticmethod
    def _path(*parts: str) -> str:
        return "/".join(part for part in parts if part)


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[str]:
    """The kubeconfig of the real server under test, empty for the simulator."""
    if os.environ.get("CONTRACT_KUBERNETES") == "real":
        with running_cluster(Path("build/contract"), "--control-plane-only") as access:
            yield access["kubeconfig"]
    else:
        yield os.environ.get("CONTRACT_KUBECONFIG", "")


@pytest.fixture(scope="session")
def kube_endpoint(kubeconfig: str) -> Iterator[Endpoint]:
    """The server under test, as an administrator."""
    if kubeconfig:
        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(kubeconfig, client_configuration=configuration)
        api = Endpoint(configuration)
        _install_claims(api)
        yield api
        api.close()
        return
    with KubeServer(Store(), [listen()], bookmark_seconds=0.5) as server:
        api = Endpoint(kubernetes.client.Configuration(host=server.url))
        yield api
        api.close()


@pytest.fixture(scope="session")
def minor(kubeconfig: str, kube_endpoint: Endpoint) -> int:
    """N of Kubernetes 1.N; 0 for the simulator."""
    return int(kube_endpoint.get("/version").body["minor"].rstrip("+")) if kubeconfig else 0


@pytest.fixture
def api(kube_endpoint: Endpoint, minor: int, request: pytest.FixtureRequest) -> Endpoint:
    if different := DIFFERENCES.get(minor, {}).get(request.node.name):
        pytest.skip(f"Kubernetes 1.{minor}: {different}")
    return kube_endpoint


@pytest.fixture
def place(api: Endpoint) -> Iterator[Place]:
    """A fresh namespace in which Pods can be created."""
    place = Place(f"contract-{uuid.uuid4().hex[:10]}")
    assert api.create("/api/v1/namespaces", {"metadata": {"name": place.name}}).code == 201
    # Where the admission plugin ServiceAccount is on, Pods need it; a controller may have been faster.
    assert api.create(place.core("serviceaccounts"), {"metadata": {"name": "default"}}).code in (201, 409)
    yield place
    api.delete(f"/api/v1/namespaces/{place.name}")


@pytest.fixture
def node(api: Endpoint, place: Place) -> Iterator[str]:
    """The name of a fresh Node."""
    body = {"metadata": {"name": place.name}, "status": {"capacity": {"cpu": "2"}}}
    assert api.create("/api/v1/nodes", body).code == 201
    yield place.name
    api.delete(f"/api/v1/nodes/{place.name}")


def _install_claims(api: Endpoint) -> None:
    """Make sure that the server serves EIPClaims."""
    code = api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CLAIM_CRD).code
    assert code in (201, 409)
    path = f"/apis/{CLAIM_GROUP}/v1/eipclaims"
    eventually(lambda: api.get(path).code == 200, "EIPClaims are served")
