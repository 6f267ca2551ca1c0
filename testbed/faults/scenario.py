"""What happens while a daemon dies: each scenario is a piece of a node's everyday life.

`prepare` brings the node to where the piece begins, with both daemons alive; `act` is the piece. Whatever
dies in between is tended, and `act` ends when kubelet has what it wants.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from testbed.faults.kubelet import Kubelet, Retry, RunningPod
from testbed.faults.points import Point
from testbed.faults.stage import DAEMONS, MIN_WARM, Flags

PATIENT: Final = Flags(agent=("--ip-max-warm-target", "200"), most_warm=200)
"""No address is given back."""
OWN_ENIS: Final = Flags(
    agent=(
        "--ip-max-warm-target",
        "200",
        "--direct-eni",
        "--service-cidrs",
        "172.16.252.0/22",
        "--eni-max-warm-target",
        "8",
    ),
    most_warm=200,
)
"""Pods may have ENIs of their own; neither addresses nor ENIs are given back."""
EXACT: Final = Flags(
    agent=("--ip-max-warm-target", str(MIN_WARM), "--enable-quick-release"), most_warm=MIN_WARM
)
"""Every address too many is given back at once."""


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
    victims: ClassVar[Sequence[str]] = DAEMONS
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
        stage.start(self.victims[0], at=at)
        self.meanwhile(scene)
        stage.until("the daemons ready", stage.is_ready, seconds=30)

    def meanwhile(self, scene: Scene) -> None:
        """Do what happens while it starts."""
