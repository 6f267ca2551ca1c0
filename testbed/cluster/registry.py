"""An image registry in the VPC, from which the nodes pull whatever an image's name says.

So `imagePullPolicy: Always` works as it does with a registry on the internet. Debian's docker-registry, on
the control plane's CVM.
"""

import subprocess
import time

from testbed.cluster.images import Image
from testbed.cluster.layout import REGISTRY_PORT, Cvm
from testbed.cluster.machine import Machine
from testbed.cluster.program import MachineError, Program

_CONFIGURATION = "/etc/docker-registry.yaml"


class Registry:
    """The registry program and what was pushed to it."""

    def __init__(self, machine: Machine, cvm: Cvm) -> None:
        """Write the configuration onto the machine, which is still off."""
        self._machine = machine
        self.address = f"{cvm.private_ip}:{REGISTRY_PORT}"
        self._program: Program | None = None
        machine.write(_CONFIGURATION, _configuration(self.address))

    def start(self) -> None:
        """Start it; `push` waits until it answers."""
        self._program = self._machine.add("registry", "docker-registry", "serve", _CONFIGURATION)

    def push(self, image: Image) -> None:
        """Put an image into the registry, by its name without its registry's."""
        self._wait()
        _registry, _slash, repository = image.name.partition("/")
        target = f"docker://{self.address}/{repository}"
        copy = ["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]
        done = self._run(*copy, image.source, target)
        if done.returncode != 0:
            raise MachineError(
                f"image {image.name} of {image.archive} cannot be pushed: {done.stderr.strip()}"
            )

    def _wait(self, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        probe = ["curl", "--silent", "--fail", "--max-time", "2", f"http://{self.address}/v2/"]
        while self._run(*probe).returncode != 0:
            if time.monotonic() > end:
                tail = self._program.log_tail() if self._program else ""
                raise MachineError(f"the registry at {self.address} does not answer:\n{tail}")
            time.sleep(0.1)

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run on the host's file system, in the network of the machine."""
        enter = ["nsenter", f"--net=/run/netns/{self._machine.netns}"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False)


def _configuration(address: str) -> str:
    return f"""\
version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: /var/lib/registry
  delete:
    enabled: true
http:
  addr: {address}
"""
