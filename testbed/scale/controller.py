"""The real `ipamd controller` as a process, with the flags that deploy/ gives it, beside the surroundings."""

import http.client
import json
import os
import socket
import sys
import time
from pathlib import Path

from testbed.processes import Child, ChildFailedError, Children
from testbed.scale.load import CLUSTER_ID
from testbed.scale.surroundings import Surroundings

COMPONENT = "tke-eni-ipamd"
"""In its user agent."""
_READY_SECONDS = 120.0
_PROBE_SECONDS = 0.05


class Controller:
    """One replica. For one thread."""

    def __init__(self, children: Children, around: Surroundings, directory: Path) -> None:
        """Start it."""
        self._address = _free_address()
        self._begun = time.monotonic()
        self._child: Child = children.start(
            "controller",
            [
                sys.executable,
                "-m",
                "ipamd",
                "controller",
                f"--cluster-id={CLUSTER_ID}",
                "--region=ap-guangzhou",
                f"--kubeconfig={_kubeconfig(around.kube_url, directory)}",
                f"--cloud-endpoint={around.cloud_url}",
                f"--health-address={self._address}",
            ],
            environment={"TENCENTCLOUD_SECRET_ID": "AKIDdemo", "TENCENTCLOUD_SECRET_KEY": "demo-secret-key"},
        )

    def wait_ready(self) -> float:
        """Return for how many seconds the process has run when it says that it is ready."""
        while not self._is_ready():
            if self._child.process.poll() is not None or time.monotonic() - self._begun > _READY_SECONDS:
                raise ChildFailedError(f"the controller did not become ready:\n{self._child.log_tail()}")
            time.sleep(_PROBE_SECONDS)
        return time.monotonic() - self._begun

    def cpu_seconds(self) -> float:
        """Return how much of a processor it has used: how fast it is whatever else the machine does."""
        fields = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """Return the most resident memory that it has had."""
        status = Path(f"/proc/{self._child.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(self._address, timeout=2.0)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def _kubeconfig(server: str, directory: Path) -> Path:
    path = (directory / "kubeconfig").absolute()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "scale",
        "clusters": [{"name": "scale", "cluster": {"server": server}}],
        "contexts": [{"name": "scale", "context": {"cluster": "scale", "user": "controller"}}],
        "users": [{"name": "controller", "user": {}}],
    }
    path.write_text(json.dumps(config))
    return path


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"
