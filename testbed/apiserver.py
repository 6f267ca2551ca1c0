"""A real API server on loopback: etcd and kube-apiserver, without nodes and scheduler.

For what only the API server decides: RBAC, admission policies, webhooks, CRD validation. It starts in a few
seconds and keeps its state in a directory of the caller. For the main thread only.

`python -m testbed.apiserver COMMAND...` runs a command with such a server, controllers included, in
CONTRACT_KUBECONFIG.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from testbed.kubernetes import locate
from testbed.processes import Child, ChildFailedError, Children

_START_SECONDS = 60.0
_THERE_AT_LAST = (
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:discovery",
    "/api/v1/namespaces/kube-system",
    "/api/v1/namespaces/default",
)


class ApiServer:
    """Runs as children of `children`, which ends it."""

    def __init__(self, children: Children, directory: Path) -> None:
        """Choose ports and credentials; nothing runs yet."""
        self._children = children
        self._directory = directory
        self._token = secrets.token_urlsafe(24)
        self._etcd, self._etcd_peer, port = _free_ports(3)
        self._port = port
        self.url = f"https://127.0.0.1:{port}"
        self.ca_file = str(directory / "certs" / "apiserver.crt")
        self.kubeconfig = directory / "kubeconfig"
        """Of an administrator."""

    def start(self, *options: str) -> None:
        """Start both and wait until requests are answered; `options` are added to kube-apiserver's."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._write_keys()
        self._children.start(
            "etcd",
            [
                str(locate("etcd")),
                f"--data-dir={self._directory / 'etcd'}",
                f"--listen-client-urls=http://127.0.0.1:{self._etcd}",
                f"--advertise-client-urls=http://127.0.0.1:{self._etcd}",
                f"--listen-peer-urls=http://127.0.0.1:{self._etcd_peer}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{self._etcd_peer}",
                f"--initial-cluster=default=http://127.0.0.1:{self._etcd_peer}",
                "--unsafe-no-fsync",
            ],
        )
        server = self._children.start(
            "kube-apiserver",
            [
                str(locate("kube-apiserver")),
                f"--etcd-servers=http://127.0.0.1:{self._etcd}",
                "--bind-address=127.0.0.1",
                f"--secure-port={self._port}",
                f"--cert-dir={self._directory / 'certs'}",
                f"--token-auth-file={self._directory / 'tokens.csv'}",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={self._directory / 'accounts.pub'}",
                f"--service-account-signing-key-file={self._directory / 'accounts.key'}",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--endpoint-reconciler-type=none",
                "--allow-privileged",
                *options,
            ],
        )
        self._wait_until_ready(server)

    def start_controllers(self) -> None:
        """Start kube-controller-manager: garbage collection, the end of namespaces, service accounts."""
        self._children.start(
            "kube-controller-manager",
            [
                str(locate("kube-controller-manager")),
                f"--kubeconfig={self.kubeconfig}",
                f"--service-account-private-key-file={self._directory / 'accounts.key'}",
                f"--cert-dir={self._directory / 'certs'}",
                "--bind-address=127.0.0.1",
                f"--secure-port={_free_ports(1)[0]}",
                "--leader-elect=false",
                # Nodes here are objects of tests, with no kubelet behind them. All releases know these names.
                "--controllers=*,-nodelifecycle,-nodeipam",
            ],
        )

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: str = "application/json",
        token: str = "",
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of a request by the administrator, or by whom `token` says."""
        headers = {"Authorization": f"Bearer {token or self._token}", "Content-Type": content}
        with urllib3.PoolManager(ca_certs=self.ca_file, retries=False) as pool:
            data = None if body is None else json.dumps(body).encode()
            answer = pool.request(method, self.url + path, body=data, headers=headers, timeout=30.0)
            return answer.status, json.loads(answer.data)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object as the administrator and return it; AssertionError when that is refused."""
        status, answer = self.call("POST", path, body)
        assert status == 201, answer
        return answer

    def _wait_until_ready(self, server: Child) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if server.process.poll() is not None:
                break
            try:
                # Not /readyz: the default namespaces and roles come after it.
                if all(self.call("GET", path)[0] == 200 for path in _THERE_AT_LAST):
                    return
            except (OSError, urllib3.exceptions.HTTPError, ValueError):
                pass
            time.sleep(0.1)
        raise ChildFailedError(f"kube-apiserver was not ready in time:\n{server.log_tail()}")

    def _write_keys(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self._directory / "accounts.key").write_bytes(private)
        (self._directory / "accounts.pub").write_bytes(public)
        (self._directory / "tokens.csv").write_text(f'{self._token},admin,admin,"system:masters"\n')
        access = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": self.url, "certificate-authority": self.ca_file}}
            ],
            "users": [{"name": "u", "user": {"token": self._token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        self.kubeconfig.write_text(json.dumps(access))


def _free_ports(number: int) -> list[int]:
    """Return ports of loopback that nobody listens on; all are held until the last is found."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [server.getsockname()[1] for server in held]
    finally:
        for server in held:
            server.close()


def main(command: Sequence[str]) -> int:
    """Run the command with a server of its own; return its exit code."""
    if not command:
        print("usage: python -m testbed.apiserver COMMAND...", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="tke-eni-apiserver-") as directory:
        home = Path(directory)
        with Children(home / "logs") as children:
            server = ApiServer(children, home / "state")
            server.start()
            server.start_controllers()
            environment = {**os.environ, "CONTRACT_KUBECONFIG": str(server.kubeconfig)}
            return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
