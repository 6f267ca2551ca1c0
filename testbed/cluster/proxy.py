"""kube-proxy on a machine, in its iptables mode, as on a TKE node, or in its nftables mode."""

import json

from testbed.cluster.layout import CONFIGURATION, Cvm
from testbed.cluster.machine import Machine, installed
from testbed.cluster.parts import ProxyMode


class KubeProxy:
    """kube-proxy of one machine."""

    def __init__(self, machine: Machine, cvm: Cvm, kubeconfig: str, *, mode: ProxyMode) -> None:
        """Write the configuration onto the machine, which is still off."""
        self._machine = machine
        machine.install("kube-proxy")
        machine.write(f"{CONFIGURATION}/kube-proxy.conf", kubeconfig, mode=0o600)
        machine.write(f"{CONFIGURATION}/kube-proxy.yaml", json.dumps(_configuration(cvm, mode), indent=2))

    def start(self) -> None:
        """Start it; it waits for the API server by itself."""
        configuration = f"--config={CONFIGURATION}/kube-proxy.yaml"
        self._machine.add("kube-proxy", installed("kube-proxy"), configuration)


def _configuration(cvm: Cvm, mode: ProxyMode) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{CONFIGURATION}/kube-proxy.conf"},
        "hostnameOverride": cvm.private_ip,
        "mode": mode,
        mode: {"minSyncPeriod": "0s"},
        # The table of connections is the whole host's: kube-proxy is not to resize it.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            # Of this network namespace.
            "tcpCloseWaitTimeout": "1h0m0s",
        },
    }
