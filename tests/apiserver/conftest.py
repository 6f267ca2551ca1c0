"""A real API server with deploy/ applied as shipped, and the identities that pods of a node have there.

For what the simulated API does not do: RBAC, admission policies and webhooks, the validation of the CRD.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from testbed.apiserver import ApiServer
from testbed.kubernetes import locate
from testbed.processes import Children

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CLAIMS = "/apis/networking.tke.cloud.tencent.com/v1/namespaces/default/eipclaims"
Obj = dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """The API server as tests use it."""

    server: ApiServer

    @property
    def minor(self) -> int:
        """N of Kubernetes 1.N: `make oldest` runs these tests with a server that lacks what came later."""
        return int(self.server.call("GET", "/version")[1]["minor"].rstrip("+"))

    def kubectl(self, *arguments: str) -> str:
        command = [str(locate("kubectl")), f"--kubeconfig={self.server.kubeconfig}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *names: str) -> None:
        """Apply files of deploy/."""
        self.kubectl("apply", *(f"--filename={DEPLOY / name}" for name in names))

    def pod(self, name: str, *, node: str, namespace: str = "default", account: str = "default") -> Obj:
        """A Pod that was scheduled to a node; nothing runs it."""
        return self.server.create(
            f"/api/v1/namespaces/{namespace}/pods",
            {
                "metadata": {"name": name},
                "spec": {
                    "nodeName": node,
                    "serviceAccountName": account,
                    "containers": [{"name": "main", "image": "registry.example/app:1"}],
                },
            },
        )

    def token(self, account: str, pod: Obj | None = None) -> str:
        """What the kubelet mounts: a token of kube-system's account, bound to the Pod if one is given."""
        spec: Obj = {}
        if pod:
            metadata = pod["metadata"]
            spec["boundObjectRef"] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "uid": metadata["uid"],
            }
        answer = self.server.create(
            f"/api/v1/namespaces/kube-system/serviceaccounts/{account}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
        )
        return str(answer["status"]["token"])

    def client(self, token: str) -> KubeClient:
        connection = Connection(
            server=self.server.url, ca_file=self.server.ca_file, authorization=lambda: f"Bearer {token}"
        )
        return KubeClient(connection, component="test")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """One server for all tests, with CRD and RBAC of deploy/."""
    directory = tmp_path_factory.mktemp("apiserver")
    with Children(directory / "logs") as children:
        server = ApiServer(children, directory / "state")
        server.start()
        cluster = Cluster(server)
        server.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        cluster.apply("crd.yaml", "crd-eippool.yaml", "rbac.yaml")
        cluster.kubectl(
            "wait", "--for=condition=Established", "crd/eipclaims.networking.tke.cloud.tencent.com"
        )
        yield cluster
