"""A running cluster as tests use it, whoever started it.

A test works with `kubectl`, with the API server as JSON (`client`), with the region's admin API, with hosts
of the internet, and with the power switches of the nodes. Every wait has an end, and says what it waited for
and what it saw last.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from testbed.cluster.internet import Internet
from testbed.cluster.nodes import Node
from testbed.cluster.observation import ClusterError, await_true, is_ready
from testbed.http_json import HttpError, JsonEndpoint, ThreadEndpoints
from testbed.kubernetes import locate

T = TypeVar("T")

Manifest = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""YAML or JSON text, one object, or several."""

_KINDS = "nodes,pods,statefulsets,deployments,daemonsets,eipclaims,vpcipclaims,vpcips"


class Region:
    """The simulated region that the cluster is in."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """`document` is what the simulator's ready file says."""
        self.document = document
        self._endpoints = ThreadEndpoints(document["admin"])

    def close(self) -> None:
        """Close the connections; the region goes on."""
        self._endpoints.close()

    @property
    def admin(self) -> JsonEndpoint:
        """The admin API of the simulator, a connection for each thread."""
        return self._endpoints.mine()

    def eips(self) -> list[dict[str, Any]]:
        """Every EIP of the account, with the names of DescribeAddresses, without the CVMs' own public IPs."""
        return [eip for eip in self.admin.get("/state")["eips"] if eip["AddressType"] == "EIP"]


class ClusterUnderTest:
    """One cluster. Methods may be called from any thread."""

    def __init__(self, access: Mapping[str, Any]) -> None:
        """`access` is the document that `python -m testbed.cluster` writes as cluster.json."""
        self.kubeconfig = str(access["kubeconfig"])
        self.region = Region(access["region"])
        self.logs = Path(access["logs"]) if access.get("logs") else None
        self._kubectl = str(locate("kubectl"))
        self._proxy, url = self._open_proxy()
        self._endpoints = ThreadEndpoints(url)
        control = str(access.get("control", ""))
        netns = {cvm["private_ip"]: cvm["netns"] for cvm in access["region"]["instances"]}
        self.nodes = [
            Node(name, machine, netns=netns[name], control=control)
            for name, machine in access["nodes"].items()
        ]
        """The worker nodes, by name in order."""
        self.internet = Internet(self.region.document["internet"], self.exec)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the cluster goes on."""
        self._endpoints.close()
        self.region.close()
        with self._proxy:
            self._proxy.terminate()

    @property
    def client(self) -> JsonEndpoint:
        """The API server as administrator, JSON in and out, a connection for each thread."""
        return self._endpoints.mine()

    def kubectl(self, *arguments: str, stdin: str = "", seconds: float = 60.0) -> str:
        """Run kubectl as administrator and give what it printed; ClusterError with its message."""
        command = [self._kubectl, f"--kubeconfig={self.kubeconfig}", *arguments]
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"kubectl {' '.join(arguments)} took longer than {seconds:.0f} s") from error
        if done.returncode != 0:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, manifest: Manifest, *, namespace: str = "") -> None:
        """`kubectl apply` YAML text, an object, or several."""
        text = manifest if isinstance(manifest, str) else _as_json(manifest)
        self.kubectl("apply", *_in(namespace), "--filename=-", stdin=text)

    def delete(self, kind: str, name: str, *, namespace: str = "", wait: bool = True) -> None:
        """`kubectl delete`, by default until the object is gone."""
        self.kubectl("delete", kind, name, *_in(namespace), f"--wait={str(wait).lower()}", seconds=120.0)

    def get(self, path: str) -> dict[str, Any] | None:
        """An object by its path, such as "/api/v1/nodes/10.0.1.3"; None when there is none."""
        try:
            return dict(self.client.get(path))
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    def pod(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The Pod, None when there is none."""
        return self.get(f"/api/v1/namespaces/{namespace}/pods/{name}")

    @staticmethod
    def claim_path(namespace: str, name: str) -> str:
        """Path of an EIPClaim in the API."""
        return f"/apis/networking.tke.cloud.tencent.com/v1/namespaces/{namespace}/eipclaims/{name}"

    def claim(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The EIPClaim, None when there is none."""
        return self.get(self.claim_path(namespace, name))

    def must_get_pod(self, namespace: str, name: str) -> dict[str, Any]:
        """The Pod, which has to be there."""
        return self.must_get(f"/api/v1/namespaces/{namespace}/pods/{name}")

    def must_get_claim(self, namespace: str, name: str) -> dict[str, Any]:
        """The EIPClaim, which has to be there."""
        return self.must_get(self.claim_path(namespace, name))

    def events(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """The events about the objects of that name."""
        path = f"/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3D{name}"
        return list(self.client.get(path)["items"])

    def exec(self, namespace: str, pod: str, *command: str, seconds: float = 30.0) -> str:
        """Run a command in the first container of a Pod and give what it printed."""
        return self.kubectl("exec", *_in(namespace), pod, "--", *command, seconds=seconds)

    def must_get(self, path: str) -> dict[str, Any]:
        """An object that has to be there; HttpError when it is not."""
        return dict(self.client.get(path))

    @staticmethod
    def processes_of(pod: Mapping[str, Any]) -> list[int]:
        """Ids, on this host, of the processes of a Pod that runs on one of the cluster's machines."""
        mark = f"pod{pod['metadata']['uid']}"
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                groups = (directory / "cgroup").read_text()
            except OSError:
                continue
            if mark in groups:
                found.append(int(directory.name))
        return sorted(found)

    def node(self, name: str) -> Node:
        """The node with that name."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise ClusterError(
            f"there is no node {name}; there are {', '.join(node.name for node in self.nodes)}"
        )

    def wait(self, what: str, look: Callable[[], T | None], *, seconds: float = 60.0) -> T:
        """Look until there is something true, and give it; ClusterError with `what` when time is over."""
        return await_true(what, look, seconds=seconds)

    def wait_for_pod(self, namespace: str, name: str, *, seconds: float = 90.0) -> dict[str, Any]:
        """Wait until the Pod is Ready and not being deleted; ClusterError with its description otherwise."""

        def ready() -> dict[str, Any] | None:
            pod = self.pod(namespace, name)
            return pod if pod and is_ready(pod) and "deletionTimestamp" not in pod["metadata"] else None

        try:
            return self.wait(f"Pod {namespace}/{name} is Ready", ready, seconds=seconds)
        except ClusterError as error:
            raise ClusterError(f"{error}\n{self._describe(namespace, name)}") from error

    def wait_until_gone(self, path: str, *, seconds: float = 60.0) -> None:
        """Wait until there is no object at `path`."""
        self.wait(f"{path} is gone", lambda: self.get(path) is None, seconds=seconds)

    def empty_namespace(self, name: str) -> None:
        """Delete workloads, Pods (which get a second to end) and claims; wait until none holds an EIP or IP.

        The namespace itself goes some seconds later; nobody waits for it.
        """
        workloads = ["statefulsets,deployments,daemonsets,replicasets,jobs", "--all"]
        self.kubectl("delete", *workloads, *_in(name), "--cascade=orphan", "--wait=false")
        self.kubectl("delete", "pods", "--all", *_in(name), "--grace-period=1", "--wait=false")
        self.kubectl("delete", "eipclaims,vpcipclaims", "--all", *_in(name), "--wait=false")
        left = ["get", "pods,eipclaims,vpcipclaims", *_in(name), "--output=name"]
        self.wait(f"{name} is empty", lambda: not self.kubectl(*left), seconds=120.0)
        self.kubectl("delete", "namespace", name, "--wait=false")

    def dump(self, directory: Path) -> None:
        """Write what helps to understand a failure: objects, events, logs of our containers."""
        directory.mkdir(parents=True, exist_ok=True)
        commands = {
            "objects": ["get", _KINDS, "-A", "-o", "wide"],
            "claims.yaml": ["get", "eipclaims,vpcipclaims,vpcips", "-A", "-o", "yaml"],
            "events": ["get", "events", "-A", "--sort-by=.lastTimestamp"],
            "pods": ["describe", "pods", "-A"],
            "nodes": ["describe", "nodes"],
        }
        for pod in self._own_pods():
            arguments = ["logs", "--namespace=kube-system", pod, "--all-containers", "--tail=2000"]
            name = pod.removeprefix("pod/")
            commands[f"{name}.log"] = arguments
            commands[f"{name}.previous.log"] = [*arguments, "--previous"]
        for name, arguments in commands.items():
            try:
                (directory / name).write_text(self.kubectl(*arguments))
            except ClusterError as error:
                (directory / f"{name}.failed").write_text(f"{error}\n")
        (directory / "cloud.json").write_text(
            json.dumps(self.region.admin.get("/state"), indent=2, default=str)
        )

    def _own_pods(self) -> list[str]:
        try:
            return self.kubectl("get", "pods", "--namespace=kube-system", "--output=name").split()
        except ClusterError:
            return []

    def _describe(self, namespace: str, name: str) -> str:
        try:
            return self.kubectl("describe", "pod", name, *_in(namespace))
        except ClusterError as error:
            return str(error)

    def _open_proxy(self) -> tuple["subprocess.Popen[str]", str]:
        """`kubectl proxy` does all of a kubeconfig's ways to authenticate, so that none is done here."""
        command = ["setpriv", "--pdeathsig", "TERM", self._kubectl, f"--kubeconfig={self.kubeconfig}"]
        process = subprocess.Popen(
            [*command, "proxy", "--port=0"], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        # It prints: Starting to serve on 127.0.0.1:40813
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise ClusterError(f"kubectl proxy with {self.kubeconfig} ended with {process.wait()}")
        return process, "http://" + line.rsplit(maxsplit=1)[-1]


def _in(namespace: str) -> list[str]:
    return [f"--namespace={namespace}"] if namespace else []


def _as_json(manifest: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    if isinstance(manifest, Mapping):
        return json.dumps(manifest)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifest)})


def given_access() -> dict[str, Any] | None:
    """The access document of a cluster that runs already, None when the tests are to start one.

    With KUBECONFIG set, that cluster is used; TKE_ENI_CLUSTER names its access document (by default
    cluster.json beside the kubeconfig), which tells where the region is.
    """
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        return None
    path = Path(os.environ.get("TKE_ENI_CLUSTER") or Path(kubeconfig).with_name("cluster.json"))
    if not path.exists():
        raise ClusterError(
            f"KUBECONFIG is {kubeconfig}, but there is no {path}: set TKE_ENI_CLUSTER to the file that says "
            "where the cluster's region is (docs/e2e.md), or unset KUBECONFIG"
        )
    return {**json.loads(path.read_text()), "kubeconfig": kubeconfig}
