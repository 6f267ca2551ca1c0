"""A cluster for `kubectl eni`: a simulated API server, its kubeconfig, and a stand-in for kubectl.

The stand-in does what kubectl does for us: `exec` runs the command, beside the fixture node's agent or as a
probe Pod would, and `logs` prints. What it was asked is in a file.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from ipamd.core.kubernetes import node_condition, nodes
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.gate import RequestGate
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS, VPCIPCLAIMS

KUBECTL = """#!{python}
import json, os, subprocess, sys
arguments = [a for a in sys.argv[1:] if not a.startswith(("--kubeconfig=", "--context="))]
with open({asked!r}, "a") as file:
    file.write(json.dumps(arguments) + chr(10))
if "logs" in arguments:
    if "--previous" in arguments:
        sys.exit("previous terminated container not found")
    print("the controller's log, signed with AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE")
    sys.exit(0)
command = arguments[arguments.index("--") + 1:]
pod = arguments[arguments.index("exec") + 1]
if command[0] == "ipamctl":
    if pod.endswith("-hung"):
        sys.exit("error: unable to upgrade connection")
    command = [{python!r}, "-m", "ipamd.ctl", "--socket", {socket!r}, *command[1:]]
    environment = {{**os.environ, "PATH": "/nowhere"}}
else:
    command[0], environment = {python!r}, dict(os.environ)
sys.exit(subprocess.run(command, env=environment).returncode)
"""
SPEC = {
    "attributes": {"bandwidthMbps": 1, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"},
    "deletePolicy": "Delete",
}


class ClusterBeside:
    """What is in the cluster, and how it is asked."""

    def __init__(self, url: str, directory: Path, socket: Path) -> None:
        self.client = KubeClient(Connection(server=url), gate=RequestGate(rate=1e4, burst=1000))
        self.directory = directory
        self.kubeconfig = directory / "kubeconfig"
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "here",
                    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                    "clusters": [{"name": "here", "cluster": {"server": url}}],
                    "users": [{"name": "me", "user": {}}],
                }
            )
        )
        self._asked = directory / "asked"
        self._programs = directory / "bin"
        self._programs.mkdir()
        kubectl = self._programs / "kubectl"
        kubectl.write_text(KUBECTL.format(python=sys.executable, asked=str(self._asked), socket=str(socket)))
        kubectl.chmod(0o755)

    def close(self) -> None:
        self.client.close()

    def __call__(self, *arguments, kubectl=True):
        """Run `kubectl eni`."""
        path = f"{self._programs}:/usr/bin:/bin" if kubectl else "/nowhere"
        environ = {
            **os.environ,
            "PATH": path,
            "KUBECONFIG": str(self.kubeconfig),
            "TENCENTCLOUD_SECRET_ID": "AKIDdemo",
            "TENCENTCLOUD_SECRET_KEY": "demo-secret-key",
        }
        argv = [sys.executable, "-m", "ipamd.ctl.kubectl.command", *arguments]
        return subprocess.run(
            argv, capture_output=True, text=True, env=environ, timeout=60, check=False, cwd=self.directory
        )

    @property
    def asked(self):
        """What kubectl was asked, one list of arguments for each time."""
        return [json.loads(line) for line in self._asked.read_text().splitlines()]

    def add_node(self, name, *, condition=("True", "Serving", "well"), agent="", ready=True, eip="3"):
        """A Node with what an agent has written into it, and the agent's Pod."""
        offered = {"tke.cloud.tencent.com/eni-ip": "27", "tke.cloud.tencent.com/eip": eip}
        conditions = [{"type": "Ready", "status": "True"}]
        if condition:
            status, reason, message = condition
            verdict = node_condition.NodeVerdict(status=status, reason=reason, message=message)
            conditions += node_condition.patch({}, verdict, 1_700_000_000.0)["status"]["conditions"]
        self.client.create(
            NODES,
            {
                "metadata": {"name": name, "annotations": {nodes.AGENT: f"kube-system/{agent}"}},
                "status": {
                    "allocatable": offered,
                    "capacity": offered,
                    "conditions": conditions,
                    "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                },
            },
        )
        if agent:
            self.add_pod(agent, name, namespace="kube-system", host_network=True, ready=ready)

    def add_pod(
        self,
        name,
        node,
        *,
        namespace="default",
        host_network=False,
        ready=True,
        app="tke-eni-agent",
        annotations=None,
    ):
        labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/part-of": "tke-eni"}
        self.client.create(
            PODS,
            {
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "annotations": annotations or {},
                    "labels": labels if namespace == "kube-system" else {},
                },
                "spec": {
                    **({"nodeName": node} if node else {}),
                    "hostNetwork": host_network,
                    "containers": [{"name": "agent", "image": "registry.example/tke-eni/ipamd:0.1.0"}],
                },
            },
        )
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
        if not ready:
            status["containerStatuses"] = [
                {"name": "agent", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
            ]
        self.client.patch(PODS, name, {"status": status}, namespace, subresource="status")

    def add_claim(self, name, *, node="", bound=True, conditions=()):
        said = [{"type": "Provisioned", "status": "True", "reason": "Allocated"}, *conditions]
        status = {
            "pod": {"uid": "u", "node": node},
            "address": {"id": f"eip-{name}", "ip": "198.18.0.7", "owned": True},
            "conditions": said,
        }
        if bound:
            status["binding"] = {"node": node, "eniID": "eni-1", "privateIP": "10.0.1.4", "podUID": "u"}
            said.append({"type": "Bound", "status": "True", "reason": "Bound"})
        self.client.create(
            EIPCLAIMS, {"metadata": {"name": name, "namespace": "default"}, "spec": SPEC, "status": status}
        )
        self.client.patch(EIPCLAIMS, name, {"status": status}, "default", subresource="status")

    def add_fixed_ip(self, name, *, node="", ip="10.0.1.9", assigned=True, gone=False, **status):
        """A VpcIPClaim whose address is reserved in the VPC; `status` is written over that."""
        ready = {"type": "Ready", "status": str(assigned), "reason": "Assigned" if assigned else "Waiting"}
        whole = {
            "pod": {"uid": "u", "node": node, **({"lastSeen": "2026-11-30T00:00:00Z"} if gone else {})},
            "address": {"ip": ip, "subnetID": "subnet-1", "zone": "z", "reservationID": "rsvip-1"},
            "conditions": [ready, {"type": "Assigned", "status": str(assigned), "reason": ready["reason"]}],
            **({"binding": {"node": node, "eniID": "eni-1", "podUID": "u"}} if assigned else {}),
            **status,
        }
        spec = {"type": "Pod", "deletePolicy": "Never"}
        claim = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
        self.client.create(VPCIPCLAIMS, claim)
        self.client.patch(VPCIPCLAIMS, name, {"status": whole}, "default", subresource="status")
