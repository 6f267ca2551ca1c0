"""A region with one node: simulator, agent and controller as processes, and a runtime on the node.

The product runs as it does in production, in its own processes and with its own flags; only its end points
are the simulator's. Everything is removed by `close`, whatever failed before.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc

from ipamd.ctl import command_line, plain
from ipamd.ctl import node as listings
from testbed import processes
from testbed.http_json import JsonEndpoint
from testbed.processes import Child, Children
from testbed.runtime import Outcome, Runtime, Sandbox
from testbed.workloads import EIP_RESOURCE, Workloads

PLUGIN = Path("build/cni/tke-route-eni")
LAUNCHER = ("-m", "ipamd")
"""Arguments of the interpreter that make it a daemon of the product; `testbed.faults` has another."""
NETWORK = {"cniVersion": "1.1.0", "name": "tke-eni", "type": "tke-route-eni"}
Answer = TypeVar("Answer")
_NOBODY_ELSES: Final = [("grpc.use_local_subchannel_pool", 1)]
"""Options of a channel: it is not held back because an earlier one found nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the region is: on loopback for us, inside the VPC for the node."""

    admin: str
    cloud: str
    kube: str
    node_cloud: str
    node_kube: str
    node_metadata: str
    secret_id: str
    secret_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The CVM under test."""

    name: str
    instance_id: str
    netns: str
    private_ip: str
    public_ip: str


class Bed:
    """Invariant: every process and sandbox of the bed is known to it until `close`."""

    forks = False
    """Whether its processes share what they import (`testbed.forked`), which saves most of their start."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        # Apart from the logs: a new region knows nothing of the last one's addresses, and the path of a unix
        # socket has at most 107 bytes.
        self._run_directory = Path(tempfile.mkdtemp(prefix="tke-eni-"))
        self._children = Children(directory / "logs")
        self.agent: Child | None = None
        self.controller: Child | None = None
        self._runtime: Runtime | None = None
        self._endpoints: list[JsonEndpoint] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove sandboxes, then processes; the simulator removes its own namespaces when it ends."""
        try:
            if self._runtime:
                self._runtime.close()
        finally:
            for endpoint in self._endpoints:
                endpoint.close()
            self._children.stop_all()
            shutil.rmtree(self._run_directory, ignore_errors=True)

    def start_region(self, config: Mapping[str, Any] | None = None) -> None:
        """Bring up a region with one CVM and learn where everything is.

        `config` has fields of the simulator's RegionConfig; without it there is one CVM of 8 vCPUs.
        """
        ready = self.directory / "region.json"
        ready.unlink(missing_ok=True)
        argv = ["-m", "simulator", "--ready-file", str(ready)]
        if config is not None:
            path = self.directory / "config.json"
            path.write_text(json.dumps(config))
            argv += ["--config", str(path)]
        simulator = self._children.start_python("simulator", argv, forks=self.forks)
        processes.wait_for_file(simulator, ready, seconds=30)
        region = json.loads(ready.read_text())
        self.region: dict[str, Any] = region
        instance = region["instances"][0]
        self.node = Node(
            name=instance["node_name"],
            instance_id=instance["instance_id"],
            netns=instance["netns"],
            private_ip=instance["private_ip"],
            public_ip=instance["public_ip"],
        )
        self.endpoints = Endpoints(
            admin=region["admin"],
            cloud=region["cloud"],
            kube=region["kube"],
            node_cloud=region["fabric"]["cloud"],
            node_kube=region["fabric"]["kube"],
            node_metadata=region["fabric"]["metadata"],
            secret_id=region["credentials"]["secret_id"],
            secret_key=region["credentials"]["secret_key"],
        )
        self.internet_netns: str = region["internet"]["netns"]
        self.internet_hosts: list[str] = region["internet"]["hosts"]
        self.admin = JsonEndpoint(self.endpoints.admin)
        kube = JsonEndpoint(self.endpoints.kube)
        self._endpoints += [self.admin, kube]
        self.workloads = Workloads(kube)
        self.workloads.add_node(self.node.name)

    def start_controller(self, *, options: Sequence[str] = (), launcher: Sequence[str] = LAUNCHER) -> None:
        """Run `ipamd controller` outside of the VPC, with the account's key."""
        self.controller = self._children.start_python(
            "controller",
            [
                *launcher,
                "controller",
                "--cluster-id",
                "cls-demo",
                "--region",
                self.region["region"],
                "--kubeconfig",
                str(self._kubeconfig("controller", self.endpoints.kube)),
                "--cloud-endpoint",
                self.endpoints.cloud,
                *options,
            ],
            environment={
                "TENCENTCLOUD_SECRET_ID": self.endpoints.secret_id,
                "TENCENTCLOUD_SECRET_KEY": self.endpoints.secret_key,
            },
            forks=self.forks,
        )

    def start_agent(self, *, options: Sequence[str] = (), launcher: Sequence[str] = LAUNCHER) -> None:
        """Run `ipamd agent` in the node's namespace, with the CVM's role, and wait until it can take Pods."""
        self.agent = self._children.start_python(
            "agent",
            [
                *launcher,
                "agent",
                "--node-name",
                self.node.name,
                "--cluster-id",
                "cls-demo",
                "--master",
                self.endpoints.node_kube,
                "--metadata-url",
                self.endpoints.node_metadata,
                "--cloud-endpoint",
                self.endpoints.node_cloud,
                "--socket",
                str(self.socket),
                "--state-dir",
                str(self.state_dir),
                "--pending-deletes",
                str(self.pending_deletes),
                *options,
            ],
            netns=self.node.netns,
            forks=self.forks,
        )

    @property
    def kubeconfig(self) -> Path:
        """For the API server from outside of the VPC; there once the controller has been started."""
        return self.directory / "controller.kubeconfig"

    @property
    def socket(self) -> Path:
        """The agent's socket."""
        return self._run_directory / "ipamd.sock"

    @property
    def state_dir(self) -> Path:
        """Where the agent keeps its store."""
        return self._run_directory / "state"

    @property
    def pending_deletes(self) -> Path:
        """Where the shim queues DELs while the agent is away."""
        return self._run_directory / "pending-deletes"

    @property
    def runtime(self) -> Runtime:
        """The container runtime of the node, with the shim as its plugin."""
        if self._runtime is None:
            self._runtime = Runtime(
                node_netns=self.node.netns,
                plugin=PLUGIN.absolute(),
                configuration=NETWORK,
                environment={
                    "TKE_ENI_SOCKET": str(self.socket),
                    "TKE_ENI_PENDING_DELETES": str(self.pending_deletes),
                },
            )
        return self._runtime

    def start(self, config: Mapping[str, Any] | None = None, *, agent_options: Sequence[str] = ()) -> None:
        """Bring up everything and wait until the node takes Pods."""
        self.start_region(config)
        self.start_controller()
        self.start_agent(options=agent_options)
        self.wait_until_ready()

    def wait_until_ready(self, *, warm: int = 3, seconds: float = 60.0) -> None:
        """Wait until the agent answers, has `warm` addresses and has written the Node's capacity."""
        self.wait_until("agent ready", lambda: self._is_ready(warm), seconds=seconds)

    def _is_ready(self, warm: int) -> bool:
        if not self.socket.exists():
            return False
        status = self.status()
        allocatable = self.workloads.node(self.node.name)["status"]["allocatable"]
        return (
            bool(status)
            and not status.get("problems")
            and int(status["pool"].get("warm", 0)) >= warm
            and EIP_RESOURCE in allocatable
        )

    def add_pod(
        self, name: str, *, annotations: Mapping[str, str] | None = None, eip: bool = False
    ) -> tuple[Sandbox, Outcome]:
        """Create a Pod on the node and execute ADD for it, as kubelet and the runtime do."""
        pod = self.workloads.create_pod(name, node=self.node.name, annotations=annotations, eip=eip)
        sandbox = self.runtime.new_sandbox(pod=pod)
        outcome = self.runtime.run("ADD", sandbox)
        if outcome.exit_code == 0:
            self.workloads.pod_is_running(name, outcome.ip())
        return sandbox, outcome

    def delete_pod(self, sandbox: Sandbox) -> None:
        """Delete the Pod, execute DEL, let the object go: user, runtime and kubelet in their order."""
        self.workloads.delete_pod(sandbox.pod_name)
        self.runtime.run("DEL", sandbox).result()
        self.runtime.remove_sandbox(sandbox)
        self.workloads.remove_pod(sandbox.pod_name)

    def ctl(self, command: str, *arguments: str) -> dict[str, Any]:
        """Return what `ipamctl <command> -o json` prints; CalledProcessError if there is no answer.

        Exit code 1 is an answer: something is wrong with the node. A whole listing is asked for in this
        process, by what ipamctl asks with: tests look again and again, and to start ipamctl costs a third of
        a second of CPU. There is no time between what a test does and its look: it waits for what it needs.

        Raises: grpc.RpcError if a listing has no answer.
        """
        if command in listings.COMMANDS and not arguments:
            return self._listing(command)
        argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(self.socket), command, *arguments]
        argv += ["-o", "json"]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
        return dict(json.loads(done.stdout))

    def _listing(self, command: str) -> dict[str, Any]:
        asked = listings.COMMANDS[command]
        return plain.from_message(
            self.ask(lambda channel: listings.ask(channel, asked, command_line.SECONDS))
        )

    def ask(self, call: Callable[[grpc.Channel], Answer]) -> Answer:
        """Make a call of the agent from this process. Raises: grpc.RpcError."""
        with grpc.insecure_channel(f"unix:{self.socket}", options=_NOBODY_ELSES) as channel:
            return call(channel)

    def status(self) -> dict[str, Any]:
        """`ipamctl status`, empty while the agent does not answer."""
        try:
            return self.ctl("status")
        except grpc.RpcError:
            return {}

    def cloud_state(self) -> dict[str, Any]:
        """Everything that the simulated cloud holds."""
        return dict(self.admin.get("/state"))

    def stop(self, child: Child) -> int:
        """End one of the bed's processes in order."""
        return self._children.stop(child)

    def kill(self, child: Child) -> None:
        """End one of the bed's processes as a crash does."""
        self._children.kill(child)

    def wait_until(
        self, what: str, done: Callable[[], bool], *, seconds: float = 30.0, pause: float = 0.05
    ) -> None:
        """Wait for `done()`; ChildFailedError with the ends of the logs when it does not come."""
        end = time.monotonic() + seconds
        while not done():
            dead = [child for child in self._daemons if child.process.poll() is not None]
            if dead or time.monotonic() > end:
                reason = f"{dead[0].name} ended" if dead else f"not within {seconds:.0f} s"
                logs = "\n".join(
                    f"--- {child.name}\n{child.log_tail()}"
                    for child in (self.agent, self.controller)
                    if child
                )
                raise processes.ChildFailedError(f"{what}: {reason}\n{logs}")
            time.sleep(pause)

    @property
    def _daemons(self) -> list[Child]:
        return [child for child in (self.agent, self.controller) if child]

    def _kubeconfig(self, user: str, server: str) -> Path:
        path = (self.directory / f"{user}.kubeconfig").absolute()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "region",
            "clusters": [{"name": "region", "cluster": {"server": server}}],
            "contexts": [{"name": "region", "context": {"cluster": "region", "user": user}}],
            "users": [{"name": user, "user": {}}],
        }
        path.write_text(json.dumps(config))
        return path
