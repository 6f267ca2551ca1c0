"""What happens while a daemon dies: each scenario is a piece of a node's everyday life.

`prepare` brings the node to where the piece begins, with both daemons alive; `act` is the piece. Whatever
dies in between is tended, and `act` ends when kubelet has what it wants.
"""

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from testbed.faults import evidence, foreign
from testbed.faults.kubelet import EIP, RETAINED_EIP, Kubelet, Retry, RunningPod
from testbed.faults.points import Point
from testbed.faults.stage import AGENT, CONTROLLER, DAEMONS, MIN_WARM, Flags

PATIENT: Final = Flags(agent=("--ip-max-warm-target", "200"), most_warm=200)
"""No address is given back."""
EXACT: Final = Flags(
    agent=("--ip-max-warm-target", str(MIN_WARM), "--enable-quick-release"), most_warm=MIN_WARM
)
"""Every address too many is given back at once."""
HELPFUL: Final = Flags(
    agent=PATIENT.agent,
    controller=("--ip-masq-agent-config", "keep", "--admission-webhook", "127.0.0.1:0"),
    most_warm=PATIENT.most_warm,
)
"""The controller writes into objects of others too."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """One performance of a scenario: its Pods have names of their own."""

    kubelet: Kubelet
    prefix: str
    retry: Retry

    def name(self, number: int = 0) -> str:
        """Return the name of a Pod of this scene."""
        return f"{self.prefix}{number}"

    def run(self, number: int = 0, annotations: Mapping[str, str] | None = None) -> RunningPod:
        """Run a Pod before the scenario begins."""
        pod = self.kubelet.run(self.kubelet.create(self.name(number), annotations))
        if pod is None:
            raise RuntimeError(f"{self.name(number)} does not run although nothing was killed")
        return pod


class Scenario(ABC):
    """One piece of everyday life. `prepare` leaves on `self` what `act` needs."""

    name: ClassVar[str]
    doomed: ClassVar[Sequence[str]] = DAEMONS
    """Whose deaths make a difference."""
    needs_new_node: ClassVar[bool] = False
    only_steps: ClassVar[Sequence[str]] = ()
    """Beginnings of the steps at which to kill, where the others are another scenario's; empty: all."""
    flags: ClassVar[Flags] = PATIENT
    """Scenarios of the same flags are performed on one node, one after the other."""

    @abstractmethod
    def prepare(self, scene: Scene) -> None:
        """Bring the node to the beginning."""

    @abstractmethod
    def act(self, scene: Scene) -> None:
        """Do it."""

    def lacks(self, scene: Scene) -> list[str]:
        """Return what is not as the scenario leaves it, besides what holds at any time."""
        del scene
        return []


class StartScenario(Scenario):
    """A daemon is taken away after `prepare`, and dies at a point of its next start."""

    @abstractmethod
    def interrupt(self, scene: Scene) -> None:
        """Take the daemon away, and let happen what happens without it."""

    def act(self, scene: Scene, at: Point | None = None) -> None:
        """Start it and wait until it does its work, in this life or in the next."""
        stage = scene.kubelet.stage
        stage.start(self.doomed[0], at=at)
        self.meanwhile(scene)
        stage.until("the daemons ready", stage.is_ready, seconds=30)

    def meanwhile(self, scene: Scene) -> None:
        """Do what happens while it starts."""


class Add(Scenario):
    """A Pod without EIP."""

    name = "ADD"
    doomed: ClassVar[Sequence[str]] = (AGENT,)
    annotations: ClassVar[Mapping[str, str] | None] = None

    def prepare(self, scene: Scene) -> None:
        """Need nothing."""

    def act(self, scene: Scene) -> None:
        """ADD, until the Pod runs or is gone."""
        scene.kubelet.run(scene.kubelet.create(scene.name(), self.annotations), scene.retry)


class AddWithEip(Add):
    """A Pod whose EIP is ordered, bound and waited for: provision and bind."""

    name = "ADD with EIP"
    doomed = DAEMONS
    annotations = EIP


class Delete(Scenario):
    """DEL of a Pod without EIP."""

    name = "DEL"
    doomed: ClassVar[Sequence[str]] = (AGENT,)
    annotations: ClassVar[Mapping[str, str] | None] = None

    def prepare(self, scene: Scene) -> None:
        """Have it run."""
        self.pod = scene.run(annotations=self.annotations)

    def act(self, scene: Scene) -> None:
        """Delete it."""
        scene.kubelet.delete(self.pod.sandbox)


class DeleteWithEip(Delete):
    """DEL of a Pod with EIP: unbind and release."""

    name = "DEL with EIP"
    doomed = DAEMONS
    annotations = EIP


class NewSandbox(Scenario):
    """A running Pod with EIP gets a new sandbox before the old one is torn down."""

    name = "sandbox replaced"

    def prepare(self, scene: Scene) -> None:
        """Have it run."""
        self.pod = scene.run(annotations=EIP)

    def act(self, scene: Scene) -> None:
        """Replace its sandbox; the addresses stay the Pod's."""
        self.check(scene.kubelet.replace(self.pod))

    def check(self, successor: RunningPod | None) -> None:
        """Compare the addresses."""
        if successor is not None and successor.ip != self.pod.ip:
            raise RuntimeError(f"{self.pod.name} had {self.pod.ip} and has {successor.ip}")


class SandboxDied(NewSandbox):
    """A running Pod with EIP loses its sandbox and gets another one: the address is held in between."""

    name = "sandbox died"

    def act(self, scene: Scene) -> None:
        """Tear the old one down, then ADD; the addresses stay the Pod's."""
        self.check(scene.kubelet.recreate(self.pod))


class Retained(Scenario):
    """A Pod whose claim is retained goes and comes back by its name."""

    name = "retained Pod re-created"

    def prepare(self, scene: Scene) -> None:
        """Have had it, and have its claim."""
        pod = scene.run(annotations=RETAINED_EIP)
        scene.kubelet.delete(pod.sandbox)

    def act(self, scene: Scene) -> None:
        """Create it again."""
        scene.kubelet.run(scene.kubelet.create(scene.name(), RETAINED_EIP), Retry.NEW_SANDBOX)


class Burst(Scenario):
    """More Pods than there are warm addresses: the pool grows while they wait."""

    name = "pool grows"
    doomed: ClassVar[Sequence[str]] = (AGENT,)
    flags = EXACT

    def prepare(self, scene: Scene) -> None:
        """Have the Pods created."""
        self.sandboxes = [scene.kubelet.create(scene.name(n)) for n in range(5)]

    def act(self, scene: Scene) -> None:
        """ADD one after the other, faster than addresses come."""
        for sandbox in self.sandboxes:
            scene.kubelet.run(sandbox)


class Drain(Scenario):
    """Pods go, and their addresses are given back."""

    name = "pool shrinks"
    doomed: ClassVar[Sequence[str]] = (AGENT,)
    flags = EXACT

    def prepare(self, scene: Scene) -> None:
        """Have them run."""
        self.pods = [scene.run(n) for n in range(2)]

    def act(self, scene: Scene) -> None:
        """Delete them; the rest comes with time."""
        for pod in self.pods:
            scene.kubelet.delete(pod.sandbox)


class AgentStart(StartScenario):
    """An agent starts again among running Pods; a DEL is queued, and the kernel lost something."""

    name = "agent starts again"
    doomed: ClassVar[Sequence[str]] = (AGENT,)

    def prepare(self, scene: Scene) -> None:
        """Have Pods."""
        self.pods = [scene.run(0, EIP), scene.run(1), scene.run(2)]

    def interrupt(self, scene: Scene) -> None:
        """Delete one Pod, damage the kernel's state."""
        stage = scene.kubelet.stage
        stage.stop(AGENT)
        scene.kubelet.delete(self.pods[1].sandbox)
        self.damage(scene)

    def damage(self, scene: Scene) -> None:
        """Remove our rules and a Pod's route; leave a rule as an agent of other flags would have made it."""
        netns = scene.kubelet.stage.bed.node.netns
        _in(netns, "ip", "rule", "flush", "protocol", "116")
        _in(netns, "ip", "route", "del", f"{self.pods[2].ip}/32")
        _in(netns, "ip", "rule", "add", "priority", "1000", "lookup", "main", "protocol", "116")


class EniLost(StartScenario):
    """Somebody has detached the ENI for Pods while the agent was down; the node gets another one."""

    name = "agent starts, ENI detached"
    doomed: ClassVar[Sequence[str]] = (AGENT,)
    # Each takes long, as an agent waits for a link that may be plugged in late.
    only_steps = ("nft.forget_eni", "netlink.del", "store.commit", "store.put_intent")

    def prepare(self, scene: Scene) -> None:
        """Need nothing: no Pod is to lose its network."""

    def interrupt(self, scene: Scene) -> None:
        """Take away the agent, then the ENI."""
        scene.kubelet.stage.stop(AGENT)
        scene.kubelet.stage.detach_enis()

    def meanwhile(self, scene: Scene) -> None:
        """Run a Pod as soon as that is possible."""
        stage = scene.kubelet.stage
        stage.until("the agent serves", stage.is_ready, seconds=30)
        scene.kubelet.run(scene.kubelet.create(scene.name()))


class StoreLost(AgentStart):
    """The store is damaged while the agent is down; one Pod's link does not say whose it is."""

    name = "agent starts, store damaged"

    def damage(self, scene: Scene) -> None:
        """Write into the middle of the file, and take an alias away."""
        bed = scene.kubelet.stage.bed
        nameless = self.pods[2]
        veth = evidence.gather(bed).host_routes[nameless.ip]
        _in(bed.node.netns, "ip", "link", "set", veth, "alias", "")
        nameless.is_known_by_link = False
        (bed.state_dir / "ipamd.db").write_bytes(b"no database" * 100)


class TableOfAnother(AgentStart):
    """The nft table has another form, as another version would have left it."""

    name = "agent starts, table of another version"

    def damage(self, scene: Scene) -> None:
        """Put a table of the same name in the place of ours."""
        script = (
            "delete table ip tke_eni; add table ip tke_eni; "
            "add map ip tke_eni pods { type ipv4_addr : mark; }"
        )
        _in(scene.kubelet.stage.bed.node.netns, "nft", script)


class ControllerStart(StartScenario):
    """A controller starts and finds one Pod that waits for an EIP, and one claim whose Pod is gone."""

    name = "controller starts"
    doomed: ClassVar[Sequence[str]] = (CONTROLLER,)

    def prepare(self, scene: Scene) -> None:
        """Have a Pod with EIP."""
        self.pod = scene.run(0, EIP)

    def interrupt(self, scene: Scene) -> None:
        """Have it deleted and another one created while no controller runs."""
        scene.kubelet.stage.stop(CONTROLLER)
        scene.kubelet.delete(self.pod.sandbox)
        self.sandbox = scene.kubelet.create(scene.name(1), EIP)

    def meanwhile(self, scene: Scene) -> None:
        """ADD the waiting one."""
        scene.kubelet.run(self.sandbox)


class FirstStart(StartScenario):
    """An agent starts on a node that has never had one: store, first ENI, rules, nft table, capacity."""

    name = "agent starts on a new node"
    doomed: ClassVar[Sequence[str]] = (AGENT,)
    needs_new_node = True

    def prepare(self, scene: Scene) -> None:
        """Need nothing: the region is new, and no agent has run."""

    def interrupt(self, scene: Scene) -> None:
        """Need nothing."""


class FirstLease(FirstStart):
    """A controller starts in a cluster that has never had one."""

    name = "controller starts in a new cluster"
    doomed: ClassVar[Sequence[str]] = (CONTROLLER,)


class ObjectsOfOthers(ControllerStart):
    """A controller starts that also keeps ip-masq-agent's configuration and its webhook's certificate."""

    name = "controller starts, writes objects of others"
    flags = HELPFUL
    only_steps = ("kube.patch.configmaps", "kube.patch.secrets", "kube.patch.mutatingwebhook")

    def prepare(self, scene: Scene) -> None:
        """Make the objects what an installation has before a controller has run."""
        self._objects = foreign.Objects(scene.kubelet.stage.bed.workloads.api)
        self._objects.reset()
        super().prepare(scene)

    def interrupt(self, scene: Scene) -> None:
        """Put the objects back to what they were before."""
        super().interrupt(scene)
        self._objects.reset()

    def lacks(self, scene: Scene) -> list[str]:
        """Compare the objects with the Pods that run."""
        if not scene.kubelet.stage.is_ready():
            return []
        ips = sorted(pod.ip for pod in scene.kubelet.running.values() if pod.eip)
        return self._objects.lacks(ips)


SCENARIOS: Final[Sequence[type[Scenario]]] = (
    FirstStart,
    FirstLease,
    Add,
    AddWithEip,
    Delete,
    DeleteWithEip,
    NewSandbox,
    SandboxDied,
    Retained,
    Burst,
    Drain,
    AgentStart,
    EniLost,
    StoreLost,
    TableOfAnother,
    ControllerStart,
    ObjectsOfOthers,
)


def _in(netns: str, *command: str) -> None:
    subprocess.run(["nsenter", f"--net=/run/netns/{netns}", *command], check=True, capture_output=True)
