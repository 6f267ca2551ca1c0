"""The control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, on a CVM of its own.

They are in the VPC, so that the API server reaches kubelets and webhooks as it does in a real cluster;
kube-proxy runs there too, for Services. RBAC and the Node authorizer are on, every connection is TLS.
"""

from testbed.cluster.certificates import Authority, KeyPair, signing_key
from testbed.cluster.kubeconfig import kubeconfig
from testbed.cluster.layout import (
    API_PORT,
    API_SERVICE,
    CONFIGURATION,
    NODE_MONITOR_GRACE,
    NOT_READY_TOLERATION_SECONDS,
    SERVICE_CIDR,
    Cvm,
)
from testbed.cluster.machine import Machine, installed
from testbed.cluster.parts import Parts
from testbed.cluster.proxy import KubeProxy

_PKI = f"{CONFIGURATION}/pki"
_ETCD = "https://127.0.0.1:2379"
_CONTROLLERS = "kube-controller-manager", "kube-scheduler"


class ControlPlane:
    """The programs of the control plane; they live and end with their machine."""

    def __init__(self, machine: Machine, cvm: Cvm, authority: Authority, parts: Parts) -> None:
        """Write keys and configuration onto the machine, which is still off."""
        self._machine = machine
        self._cvm = cvm
        self._authority = authority
        self.server = f"https://{cvm.private_ip}:{API_PORT}"
        """Where the API server is inside the VPC."""
        self._proxy = KubeProxy(machine, cvm, self.kubeconfig("system:kube-proxy"), mode=parts.proxy_mode)
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
        addresses = [*names, "127.0.0.1", API_SERVICE, cvm.private_ip]
        for name in ("etcd", "kube-apiserver", *_CONTROLLERS):
            machine.install(name)
        self._write_key("apiserver", authority.issue("kube-apiserver", addresses=addresses))
        self._write_key("kubelet-client", authority.issue("kube-apiserver", groups=["system:masters"]))
        self._write_key("etcd", authority.issue("etcd", addresses=["127.0.0.1", "localhost"]))
        self._write_key("service-accounts", signing_key())
        machine.write(f"{_PKI}/ca.crt", authority.certificate)
        for name in _CONTROLLERS:
            machine.write(f"{CONFIGURATION}/{name}.conf", self.kubeconfig(f"system:{name}"), mode=0o600)

    def kubeconfig(self, user: str, *groups: str, server: str = "") -> str:
        """Give a kubeconfig for `user`, for the address inside the VPC unless `server` says otherwise."""
        identity = self._authority.issue(user, groups=groups)
        return kubeconfig(
            server or self.server, authority=self._authority.certificate, user=user, identity=identity
        )

    def start(self) -> None:
        """Start etcd, API server and controller manager; the API server answers some seconds later."""
        self._start_etcd()
        self._start_apiserver()
        self._start_controller(
            "kube-controller-manager",
            f"--root-ca-file={_PKI}/ca.crt",
            f"--service-account-private-key-file={_PKI}/service-accounts.key",
            "--use-service-account-credentials",
            "--allocate-node-cidrs=false",
            "--node-monitor-period=1s",
            f"--node-monitor-grace-period={NODE_MONITOR_GRACE}",
        )

    def start_scheduling(self) -> None:
        """Start what brings Pods to nodes and packets to Services: scheduler and kube-proxy."""
        self._start_controller("kube-scheduler")
        self._proxy.start()

    def _start_controller(self, name: str, *options: str) -> None:
        """Start a client of the API server that ends when there is none."""
        ready = f"curl --silent --fail --cacert {_PKI}/ca.crt {self.server}/readyz >/dev/null"
        self._machine.add(
            name,
            installed(name),
            f"--kubeconfig={CONFIGURATION}/{name}.conf",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            *options,
            after=ready,
        )

    def _start_etcd(self) -> None:
        self._machine.add(
            "etcd",
            installed("etcd"),
            "--data-dir=/var/lib/etcd",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            f"--cert-file={_PKI}/etcd.crt",
            f"--key-file={_PKI}/etcd.key",
            f"--trusted-ca-file={_PKI}/ca.crt",
            "--client-cert-auth",
        )

    def _start_apiserver(self) -> None:
        self._machine.add(
            "kube-apiserver",
            installed("kube-apiserver"),
            f"--advertise-address={self._cvm.private_ip}",
            f"--secure-port={API_PORT}",
            f"--etcd-servers={_ETCD}",
            f"--etcd-cafile={_PKI}/ca.crt",
            f"--etcd-certfile={_PKI}/etcd.crt",
            f"--etcd-keyfile={_PKI}/etcd.key",
            f"--client-ca-file={_PKI}/ca.crt",
            f"--tls-cert-file={_PKI}/apiserver.crt",
            f"--tls-private-key-file={_PKI}/apiserver.key",
            f"--kubelet-certificate-authority={_PKI}/ca.crt",
            f"--kubelet-client-certificate={_PKI}/kubelet-client.crt",
            f"--kubelet-client-key={_PKI}/kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={_PKI}/service-accounts.crt",
            f"--service-account-signing-key-file={_PKI}/service-accounts.key",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--default-not-ready-toleration-seconds={NOT_READY_TOLERATION_SECONDS}",
            f"--default-unreachable-toleration-seconds={NOT_READY_TOLERATION_SECONDS}",
        )

    def _write_key(self, name: str, pair: KeyPair) -> None:
        self._machine.write(f"{_PKI}/{name}.crt", pair.certificate)
        self._machine.write(f"{_PKI}/{name}.key", pair.key, mode=0o600)
