"""The whole cluster, brought up and taken down: region, control plane, registry, workers, tke-eni on them.

For the main thread only: its children die with the thread that starts them.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from simulator.fabric import ownership
from testbed import processes
from testbed.cluster import cgroups, deployment, dns, policies, shape
from testbed.cluster.certificates import Authority
from testbed.cluster.control_plane import ControlPlane
from testbed.cluster.forwarder import Forwarder
from testbed.cluster.images import Image, base_images
from testbed.cluster.layout import API_PORT, Cvm, Site
from testbed.cluster.machine import Machine
from testbed.cluster.parts import Parts
from testbed.cluster.program import MachineError
from testbed.cluster.registry import Registry
from testbed.cluster.worker import Worker
from testbed.kubernetes import VERSION, locate

_RUNS = Path("/var/tmp")
"""Where the disks of the machines are while the cluster runs."""


class Cluster:
    """One cluster in one directory.

    Invariant: whatever was started is on the exit stack, so that a failing start leaves nothing behind.
    """

    def __init__(self, directory: Path, parts: Parts, tell: Callable[[str], None] = print) -> None:
        """Prepare to run with logs and access files in `directory`, which no other cluster uses meanwhile."""
        self._parts = parts
        self.directory = directory.absolute()
        self.machines: dict[str, Machine] = {}
        self._tell = tell
        self._began = time.monotonic()
        self._region: dict[str, Any] = {}
        with contextlib.ExitStack() as stack:
            self._prepare_directories(stack)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take everything down, the region last; safe to repeat."""
        self._stack.close()

    def start(self, images: Sequence[Image]) -> dict[str, Any]:
        """Bring up everything until the nodes are registered; `images` can be pulled, and the base ones.

        Gives what cluster.json is to say.
        """
        images = [*base_images(), *self._images_of_parts(), *images]
        control, *workers = self._start_region(shape.region())
        authority = Authority("kubernetes")
        plane = ControlPlane(self._machine(control), control, authority, self._parts)
        registry = Registry(self.machines[control.name], control)
        site = Site(
            server=plane.server,
            registry=registry.address,
            vpc_cidrs=self._region["vpc_cidrs"],
            parts=self._parts,
        )
        nodes = [Worker(self._machine(cvm), cvm, authority, site) for cvm in workers]
        for machine in self.machines.values():
            machine.boot()
        plane.start()
        plane.start_scheduling()
        registry.start()
        for node in nodes:
            node.start()
        self._say("region, machines, programs started")
        for image in images:
            registry.push(image)
        self._say(f"{len(images)} images in the registry")
        self._await_api(control, plane)
        paths = [f"/api/v1/nodes/{cvm.private_ip}" for cvm in workers]
        self._wait("the nodes register", lambda: all(self._raw(path) for path in paths))
        self._say(f"{len(workers)} nodes registered")
        return {**self._access(), "nodes": {cvm.private_ip: cvm.name for cvm in workers}}

    def start_control_plane(self) -> dict[str, Any]:
        """Bring up etcd, API server and controller manager alone: nobody schedules or runs a Pod."""
        [control] = self._start_region(shape.region(workers=0))
        plane = ControlPlane(self._machine(control), control, Authority("kubernetes"), self._parts)
        self.machines[control.name].boot()
        plane.start()
        self._await_api(control, plane)
        return {**self._access(), "nodes": {}}

    def deploy(self) -> None:
        """Install tke-eni with the settings of this cluster, and wait until it is ready on every node."""
        deployment.deploy(self.kubectl, self.directory / "overlay", deployment.settings(self._region))
        self._say("tke-eni is deployed and ready")
        if self._parts.dns:
            dns.deploy(self.kubectl, self.directory)
            self._say("CoreDNS answers")
        if self._parts.policies == "kube-router":
            policies.deploy(self.kubectl, self.directory)
            self._say("kube-router enforces NetworkPolicies")

    def kubectl(self, *arguments: str, seconds: float = 60.0) -> str:
        """Run kubectl as administrator and give what it printed; MachineError when it fails."""
        command = [str(locate("kubectl")), f"--kubeconfig={self._kubeconfig}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise MachineError(f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}".strip())
        return done.stdout

    @property
    def access_file(self) -> Path:
        """Where those who use the cluster look for it; written by whoever runs it."""
        return self.directory / "cluster.json"

    @property
    def _kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    def _images_of_parts(self) -> Iterator[Image]:
        if self._parts.dns:
            yield dns.image()
        if self._parts.policies == "kube-router":
            yield policies.image()

    def _access(self) -> dict[str, Any]:
        return {
            "kubeconfig": str(self._kubeconfig),
            "region": self._region,
            "logs": str(self._logs),
            "pid": os.getpid(),
        }

    def _prepare_directories(self, stack: contextlib.ExitStack) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = stack.enter_context((self.directory / ".lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MachineError(f"a cluster runs in {self.directory} already: end it first") from error
        # What a killed run left.
        self.access_file.unlink(missing_ok=True)
        for leftover in _RUNS.glob("tkesim-*"):
            if ownership.is_orphan(leftover.name):
                shutil.rmtree(leftover, ignore_errors=True)
        cgroups.sweep()
        self._run_name = f"{ownership.new_prefix()}cluster"
        self._logs = self.directory / "logs"
        shutil.rmtree(self._logs, ignore_errors=True)
        self._logs.mkdir()
        self._disks = _RUNS / self._run_name
        self._disks.mkdir(mode=0o700)
        stack.callback(shutil.rmtree, self._disks, ignore_errors=True)

    def _start_region(self, config: dict[str, Any]) -> list[Cvm]:
        children = self._stack.enter_context(processes.Children(self._logs))
        ready = self._disks / "region.json"
        description = self._disks / "config.json"
        description.write_text(json.dumps(config))
        options = ["--ready-file", str(ready), "--config", str(description)]
        simulator = children.start("simulator", [sys.executable, "-m", "simulator", *options])
        processes.wait_for_file(simulator, ready, seconds=60)
        self._region = json.loads(ready.read_text())
        return shape.cvms(self._region)

    def _machine(self, cvm: Cvm) -> Machine:
        machine = Machine(cvm, run_name=self._run_name, directory=self._disks, logs=self._logs)
        self._stack.callback(machine.close)
        self.machines[cvm.name] = machine
        return machine

    def _await_api(self, control: Cvm, plane: ControlPlane) -> None:
        """Let the host reach the API server, and wait until it is ready."""
        forwarder = Forwarder(control.netns, control.private_ip, API_PORT)
        self._stack.callback(forwarder.close)
        server = f"https://127.0.0.1:{forwarder.port}"
        self._kubeconfig.write_text(plane.kubeconfig("admin", "system:masters", server=server))
        self._kubeconfig.chmod(0o600)
        self._stack.callback(self._kubeconfig.unlink, missing_ok=True)
        self._wait("the API server is ready", lambda: self._raw("/readyz") == "ok")
        self._say(f"API server of Kubernetes {VERSION}")

    def _raw(self, path: str) -> str:
        """What the API server answers, empty when it does not."""
        try:
            return self.kubectl("get", "--raw", path, "--request-timeout=5s")
        except MachineError:
            return ""

    def _wait(self, what: str, done: Callable[[], bool], *, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            dead = [
                f"{machine.name}: {program.name} ended:\n{program.log_tail()}"
                for machine in self.machines.values()
                for program in machine.programs.values()
                if not program.is_running
            ]
            if dead or time.monotonic() > end:
                failure = f"{what}: not within {seconds:.0f} s; logs are in {self._logs}"
                raise MachineError("\n".join([failure, *dead]))
            time.sleep(0.1)

    def _say(self, what: str) -> None:
        self._tell(f"  {time.monotonic() - self._began:5.1f} s  {what}")
