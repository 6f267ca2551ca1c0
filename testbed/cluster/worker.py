"""A worker node: containerd, kubelet and kube-proxy, as a TKE node has them before any of ours is installed.

The Node's name is its private address and its providerID names the CVM, as in TKE; ip-masq-agent's rule is
there.
"""

import json

from testbed import masquerade
from testbed.cluster import runtime
from testbed.cluster.certificates import Authority
from testbed.cluster.kubeconfig import kubeconfig
from testbed.cluster.layout import CLUSTER_DNS, CONFIGURATION, NODE_LEASE_SECONDS, Cvm, Site
from testbed.cluster.machine import Machine, installed
from testbed.cluster.proxy import KubeProxy

UNAVAILABLE = {"key": "tke.cloud.tencent.com/eni-ip-unavailable", "value": "true", "effect": "NoSchedule"}
"""The taint with which TKE registers its nodes."""


class Worker:
    """The programs of one node; they live and end with their machine."""

    def __init__(self, machine: Machine, cvm: Cvm, authority: Authority, site: Site) -> None:
        """Write keys and configuration onto the machine, which is still off."""
        self.machine = machine
        self.cvm = cvm
        server = site.server
        machine.install("kubelet")
        user = f"system:node:{cvm.private_ip}"
        pair = authority.issue(user, groups=["system:nodes"], addresses=[cvm.private_ip])
        access = kubeconfig(server, authority=authority.certificate, user=user, identity=pair)
        machine.at_boot.append(lambda: masquerade.install(machine.netns, vpc_cidrs=site.vpc_cidrs))
        machine.write(f"{CONFIGURATION}/kubelet.conf", access, mode=0o600)
        machine.write(f"{CONFIGURATION}/kubelet.yaml", json.dumps(self._kubelet_configuration(), indent=2))
        machine.write(f"{CONFIGURATION}/pki/ca.crt", authority.certificate)
        machine.write(f"{CONFIGURATION}/pki/kubelet.crt", pair.certificate)
        machine.write(f"{CONFIGURATION}/pki/kubelet.key", pair.key, mode=0o600)
        machine.write("/etc/resolv.conf", "")
        self._runtime = runtime.Containerd(machine, site.parts.containerd, registry=site.registry)
        self._proxy_access = authority.issue("system:kube-proxy")
        proxy = kubeconfig(
            server, authority=authority.certificate, user="system:kube-proxy", identity=self._proxy_access
        )
        self._proxy = KubeProxy(machine, cvm, proxy, mode=site.parts.proxy_mode)

    def start(self) -> None:
        """Start everything; the node registers itself when the API server answers."""
        self._runtime.start()
        labels = {
            "node.kubernetes.io/instance-type": self.cvm.instance_type,
            "topology.kubernetes.io/zone": self.cvm.zone,
        }
        self.machine.add(
            "kubelet",
            installed("kubelet"),
            f"--config={CONFIGURATION}/kubelet.yaml",
            f"--kubeconfig={CONFIGURATION}/kubelet.conf",
            f"--hostname-override={self.cvm.private_ip}",
            f"--node-ip={self.cvm.private_ip}",
            "--node-labels=" + ",".join(f"{key}={value}" for key, value in labels.items()),
            after=runtime.SERVES,
        )
        self._proxy.start()

    def _kubelet_configuration(self) -> dict[str, object]:
        pki = f"{CONFIGURATION}/pki"
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{pki}/ca.crt"}},
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{pki}/kubelet.crt",
            "tlsPrivateKeyFile": f"{pki}/kubelet.key",
            "providerID": f"qcloud:///{self.cvm.zone}/{self.cvm.instance_id}",
            # As TKE registers its nodes: tke-eni has to take it away.
            "registerWithTaints": [dict(UNAVAILABLE)],
            "containerRuntimeEndpoint": f"unix://{runtime.SOCKET}",
            "clusterDomain": "cluster.local",
            "clusterDNS": [CLUSTER_DNS],
            "resolvConf": "/etc/resolv.conf",
            "volumePluginDir": "/var/lib/kubelet/plugins-exec",
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            # All nodes share the host's disk and memory: what is scarce there is not theirs to act on.
            "evictionHard": {
                "memory.available": "0%",
                "nodefs.available": "0%",
                "nodefs.inodesFree": "0%",
                "imagefs.available": "0%",
                "imagefs.inodesFree": "0%",
            },
            "imageGCHighThresholdPercent": 100,
            "nodeStatusUpdateFrequency": "2s",
            "nodeLeaseDurationSeconds": NODE_LEASE_SECONDS,
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            "eventRecordQPS": 0,
        }
