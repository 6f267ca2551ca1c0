"""What a user and a kubelet do with the Kubernetes API: create Pods, report their IPs, delete them.

There is no scheduler and no kubelet in the simulated region, so a Pod is created with its node set and its
status is written here, after the runtime has its network.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from testbed.http_json import HttpError, JsonEndpoint

ANNOTATION = "tke.cloud.tencent.com/"
EIP_RESOURCE = "tke.cloud.tencent.com/eip"
ENI_IP_RESOURCE = "tke.cloud.tencent.com/eni-ip"
CLAIMS = "/apis/networking.tke.cloud.tencent.com/v1"


class Workloads:
    """One cluster as its users see it. Not thread-safe."""

    def __init__(self, api: JsonEndpoint, *, namespace: str = "default") -> None:
        self.api = api
        self.namespace = namespace

    def add_node(self, name: str) -> None:
        """Register a Node, as its kubelet would; nothing happens when it is there."""
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name},
            "status": {"capacity": {"cpu": "8", "pods": "256"}, "allocatable": {"cpu": "8", "pods": "256"}},
        }
        try:
            self.api.post("/api/v1/nodes", node)
        except HttpError as error:
            if error.status != 409:
                raise

    def node(self, name: str) -> dict[str, Any]:
        """The Node object."""
        return dict(self.api.get(f"/api/v1/nodes/{name}"))

    def set_capacity(self, name: str, resource: str, quantity: str | None) -> None:
        """Overwrite a resource of the Node, as a kubelet that registers again does ("0"); None removes it."""
        changed = {"capacity": {resource: quantity}, "allocatable": {resource: quantity}}
        self.api.merge_patch(f"/api/v1/nodes/{name}/status", {"status": changed})

    def remove_node(self, name: str) -> None:
        """Delete the Node object, as an operator does."""
        self.api.delete(f"/api/v1/nodes/{name}")

    def create_pod(
        self, name: str, *, node: str, annotations: Mapping[str, str] | None = None, eip: bool = False
    ) -> dict[str, Any]:
        """Create a Pod that is scheduled to `node`; `annotations` without their prefix."""
        resources = {ENI_IP_RESOURCE: "1", **({EIP_RESOURCE: "1"} if eip else {})}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "annotations": {
                    f"{ANNOTATION}networks": "tke-route-eni",
                    **{f"{ANNOTATION}{key}": value for key, value in (annotations or {}).items()},
                },
            },
            "spec": {
                "nodeName": node,
                "containers": [
                    {
                        "name": "main",
                        "image": "busybox",
                        "resources": {"requests": resources, "limits": resources},
                    }
                ],
            },
        }
        return dict(self.api.post(self._pods(), pod))

    def pod(self, name: str) -> dict[str, Any]:
        """The Pod object; HttpError 404 when it is gone."""
        return dict(self.api.get(self._pods(name)))

    def pods(self) -> Sequence[dict[str, Any]]:
        """All Pods of the namespace."""
        return list(self.api.get(self._pods())["items"])

    def pod_is_running(self, name: str, ip: str) -> None:
        """Report what kubelet reports once the sandbox has its network."""
        status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}
        self.api.merge_patch(f"{self._pods(name)}/status", {"status": status})

    def delete_pod(self, name: str) -> None:
        """Delete the Pod as a user does: it gets a deletionTimestamp and stays until kubelet is done."""
        self._delete(name, "")

    def remove_pod(self, name: str) -> None:
        """Delete the Pod object at once, as kubelet does when the sandbox is gone."""
        self._delete(name, "?gracePeriodSeconds=0")

    def _delete(self, name: str, query: str) -> None:
        try:
            self.api.delete(self._pods(name) + query)
        except HttpError as error:
            if error.status != 404:
                raise

    def claims(self) -> Sequence[dict[str, Any]]:
        """All EIPClaims of the namespace."""
        return list(self.api.get(f"{CLAIMS}/namespaces/{self.namespace}/eipclaims")["items"])

    def delete_claim(self, name: str) -> None:
        """Delete an EIPClaim as an operator does; it stays until its EIP is released."""
        try:
            self.api.delete(f"{CLAIMS}/namespaces/{self.namespace}/eipclaims/{name}")
        except HttpError as error:
            if error.status != 404:
                raise

    def events(self, *, regarding: str = "") -> Sequence[dict[str, Any]]:
        """Events of the namespace, of one object by name when given."""
        query = f"?fieldSelector=involvedObject.name%3D{regarding}" if regarding else ""
        return list(self.api.get(f"/api/v1/namespaces/{self.namespace}/events{query}")["items"])

    def _pods(self, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods" + (f"/{name}" if name else "")
