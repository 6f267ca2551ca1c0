"""Daemons start: on new nodes, after damage, with work that has waited for them."""

import subprocess
from collections.abc import Sequence
from typing import ClassVar, Final

from testbed.faults import evidence, foreign
from testbed.faults.kubelet import EIP
from testbed.faults.scenario import PATIENT, Scene, StartScenario
from testbed.faults.stage import AGENT, CONTROLLER, Flags

HELPFUL: Final = Flags(
    agent=PATIENT.agent,
    controller=("--ip-masq-agent-config", "keep", "--admission-webhook", "127.0.0.1:0"),
    most_warm=PATIENT.most_warm,
)
"""The controller writes into objects of others too."""


class AgentStart(StartScenario):
    """An agent starts again among running Pods; a DEL is queued, and the kernel lost something."""

    name = "agent starts again"
    victims: ClassVar[Sequence[str]] = (AGENT,)

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
    victims: ClassVar[Sequence[str]] = (AGENT,)
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
    victims: ClassVar[Sequence[str]] = (CONTROLLER,)

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
    victims: ClassVar[Sequence[str]] = (AGENT,)
    needs_new_node = True

    def prepare(self, scene: Scene) -> None:
        """Need nothing: the region is new, and no agent has run."""

    def interrupt(self, scene: Scene) -> None:
        """Need nothing."""


class FirstLease(FirstStart):
    """A controller starts in a cluster that has never had one."""

    name = "controller starts in a new cluster"
    victims: ClassVar[Sequence[str]] = (CONTROLLER,)


class ObjectsOfOthers(ControllerStart):
    """A controller starts that also keeps ip-masq-agent's configuration, a certificate, a taint."""

    name = "controller starts, writes objects of others"
    flags = HELPFUL
    only_steps = (
        "kube.patch.configmaps",
        "kube.patch.secrets",
        "kube.patch.mutatingwebhook",
        "kube.patch.nodes",
    )

    def prepare(self, scene: Scene) -> None:
        """Make the objects what an installation has before a controller has run."""
        bed = scene.kubelet.stage.bed
        self._objects = foreign.Objects(bed.workloads.api, bed.node.name)
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


def _in(netns: str, *command: str) -> None:
    subprocess.run(["nsenter", f"--net=/run/netns/{netns}", *command], check=True, capture_output=True)
