"""A simulated node whose daemons may die at any moment, and the DaemonSet that starts them again.

What a kubelet does with Pods is in `kubelet`; while it waits for the plugin, daemons are tended. For the main
thread only, as processes die with the thread that started them.
"""

import contextlib
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from ipamd.cloud import endpoints
from ipamd.cloud.credentials import Credential, StaticCredentials
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.model import EipOrder
from ipamd.core.timing.deadline import Deadline
from testbed import processes
from testbed.bed import Bed
from testbed.chain import PLUGINS
from testbed.faults.points import Point
from testbed.faults.victim import Remote
from testbed.processes import Child

_Result = TypeVar("_Result")

AGENT: Final = "agent"
CONTROLLER: Final = "controller"
DAEMONS: Final = (AGENT, CONTROLLER)
MIN_WARM: Final = 3
CLUSTER_ID: Final = "cls-demo"
_READY_SECONDS: Final = 30.0
_TICK: Final = 0.02

REGION: Final[dict[str, Any]] = {
    "instance_types": [
        {
            "name": "S5.FAULTS",
            "cpu": 48,
            "memory_gib": 96,
            "enis": 8,
            "ips_per_eni": 30,
            "extended_enis": 39,
        },
    ],
    "instances": [{"instance_type": "S5.FAULTS", "public_ip": True}],
    "quotas": {
        "total_eips": 200,
        "daily_eip_applications": 100_000,
        "daily_public_ip_assignments": 100_000,
    },
    "latencies": {"scale": 0.05},
    "rate_limits": {"enabled": False},
}
"""A region in which nothing but the daemons' deaths is in the way."""
_AGENT_OPTIONS: Final = (
    "--ip-min-warm-target",
    str(MIN_WARM),
    "--ip-cooldown",
    "1s",
    "--ip-hold",
    "5s",
    "--repair-interval",
    "1s",
    "--add-timeout",
    "20s",
)
# One identity for all its lives: a replica that has died takes its own Lease again at once.
_CONTROLLER_OPTIONS: Final = ("--identity", "victim", "--resync", "10s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the daemons of a node are told besides what all are told."""

    agent: tuple[str, ...]
    controller: tuple[str, ...] = ()
    """Port 0 stands for one that is free."""
    most_warm: int
    """How many addresses may be free; more are given back at once."""


class Stage:
    """One region, node, agent and controller.

    Invariant: while `is_tended`, whatever waits starts a dead daemon again.
    """

    def __init__(self, directory: Path, flags: "Flags") -> None:
        """Take where logs go and what the daemons are told; `open` starts everything."""
        self.bed = Bed(directory)
        self.is_tended = True
        self.deaths: list[str] = []
        configuration = self.bed.state_dir.parent / "cni" / "10-tke-eni.conflist"
        self._options = {
            AGENT: (
                *_AGENT_OPTIONS,
                "--cni-conf",
                str(configuration),
                "--cni-bin-dir",
                str(PLUGINS),
                *flags.agent,
            ),
            CONTROLLER: (*_CONTROLLER_OPTIONS, *(_with_port(flag) for flag in flags.controller)),
        }
        self._caller = ThreadPoolExecutor(1, thread_name_prefix="runtime")
        self._sockets = {name: self.bed.state_dir.parent / f"{name}.orders" for name in DAEMONS}

    def close(self) -> None:
        """Remove everything."""
        self._caller.shutdown()
        self.bed.close()

    def open(self, *, victim: str = "", at: Point | None = None) -> None:
        """Start the region and both daemons; the one named `victim` dies at the point on its way."""
        self.bed.start_region(REGION)
        for name in reversed(DAEMONS):
            self.start(name, at=at if name == victim else None)
        self.until("the daemons ready", self.is_ready, seconds=_READY_SECONDS)

    def child(self, name: str) -> Child | None:
        """Return the daemon's process, dead or alive."""
        return self.bed.agent if name == AGENT else self.bed.controller

    def is_alive(self, name: str) -> bool:
        """Whether the daemon's process runs."""
        child = self.child(name)
        return child is not None and child.process.poll() is None

    def remote(self, name: str) -> Remote:
        """Return the daemon's other end."""
        return Remote(self._sockets[name])

    def start(self, name: str, *, at: Point | None = None) -> None:
        """Start one daemon; it dies at the point, if one is given."""
        launcher = ["-m", "testbed.faults.victim", "--orders", str(self._sockets[name])]
        if at is not None:
            launcher += ["--at", str(at)]
        if name == AGENT:
            self.bed.start_agent(options=self._options[name], launcher=[*launcher, "--"])
        else:
            self.bed.start_controller(options=self._options[name], launcher=[*launcher, "--"])

    def stop(self, name: str) -> None:
        """End one daemon in order and leave it so, until it is started."""
        child = self.child(name)
        if child is not None:
            self.bed.stop(child)
        if name == AGENT:
            self.bed.agent = None
        else:
            self.bed.controller = None

    def tend(self) -> None:
        """Start again what has died."""
        for name in DAEMONS:
            child = self.child(name)
            if self.is_tended and child is not None and child.process.poll() is not None:
                self.deaths.append(name)
                self.bed.stop(child)  # reaps it
                self.start(name)

    @contextlib.contextmanager
    def untended(self) -> Iterator[None]:
        """Leave the dead alone for the time of the block."""
        self.is_tended = False
        try:
            yield
        finally:
            self.is_tended = True

    def call(self, work: Callable[[], _Result]) -> _Result:
        """Do what blocks, and tend meanwhile."""
        future = self._caller.submit(work)
        while not future.done():
            self.tend()
            time.sleep(_TICK)
        return future.result()

    def until(self, what: str, done: Callable[[], bool], *, seconds: float) -> None:
        """Wait for the condition and tend meanwhile; ChildFailedError with the ends of the logs."""
        if not self.holds_within(done, seconds=seconds):
            children = [child for child in map(self.child, DAEMONS) if child]
            logs = "\n".join(f"--- {child.name}\n{child.log_tail(25)}" for child in children)
            raise processes.ChildFailedError(f"{what}: not within {seconds:.0f} s\n{logs}")

    def holds_within(self, done: Callable[[], bool], *, seconds: float) -> bool:
        """Wait for the condition and tend meanwhile; return whether it came to hold."""
        end = time.monotonic() + seconds
        while True:
            self.tend()
            if done():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(_TICK)

    def buy_eip(self) -> str:
        """Order an EIP as a person in the console does; return its id when it can be used."""
        with self._console() as cloud:
            eip_id = cloud.allocate_eip(EipOrder(), {"team": "a"}, f"by-hand-{uuid.uuid4()}").eip_id
        self.until(f"{eip_id} usable", lambda: self.eip_status(eip_id) == "UNBIND", seconds=10)
        return eip_id

    def eip_status(self, eip_id: str) -> str:
        """Return the state of an EIP in the cloud, empty when it is gone."""
        eips = self.bed.admin.get("/state")["eips"]
        return next((str(eip["AddressStatus"]) for eip in eips if eip["AddressId"] == eip_id), "")

    def _console(self) -> TencentCloud:
        ends = self.bed.endpoints
        key = StaticCredentials(Credential(secret_id=ends.secret_id, secret_key=ends.secret_key))
        region = str(self.bed.region["region"])
        return TencentCloud(region=region, credentials=key, endpoints=endpoints.parse(ends.cloud))

    def detach_enis(self) -> None:
        """Detach and delete the node's secondary ENIs, as a person in the console does."""
        with self._console() as cloud:
            for eni in cloud.describe_enis(self.bed.node.instance_id):
                if not eni.primary:
                    until = Deadline.after(_READY_SECONDS, time.monotonic)
                    cloud.detach_eni(eni.eni_id, self.bed.node.instance_id, until)
                    cloud.delete_eni(eni.eni_id, until)

    def is_ready(self) -> bool:
        """Whether agent and controller live and the agent takes requests."""
        return self.is_alive(AGENT) and self.is_alive(CONTROLLER) and self.agent_listens()

    def agent_listens(self) -> bool:
        """Whether a connection to the agent's socket is taken; one that a dead agent left refuses."""
        with socket.socket(socket.AF_UNIX) as channel:
            try:
                channel.connect(str(self.bed.socket))
            except OSError:
                return False
            return True


def _with_port(flag: str) -> str:
    if not flag.endswith(":0"):
        return flag
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"{flag[:-1]}{listener.getsockname()[1]}"
