"""How long a runtime waits for ADD and DEL: whole plugin processes, one by one and a hundred at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from testbed.runtime import Runtime, Sandbox
from testbed.workloads import Workloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One contestant: its runtime, and the cluster's Pods where the plugin asks for one.

    Pods and namespaces are made and removed outside of the measured time, as kubelet and runtime do.
    """

    name: str
    runtime: Runtime
    pods: "Pods | None" = None

    def sandboxes(self, count: int) -> list[Sandbox]:
        """Make sandboxes for so many Pods."""
        return [self.runtime.new_sandbox(pod=self.pods.create() if self.pods else None) for _ in range(count)]

    def delete_pods(self, sandboxes: Sequence[Sandbox]) -> None:
        """Let the Pods be deleted by a user, which comes before the runtime's DEL."""
        if self.pods:
            for sandbox in sandboxes:
                self.pods.workloads.delete_pod(sandbox.pod_name)

    def remove(self, sandboxes: Sequence[Sandbox]) -> None:
        """Remove the sandboxes' namespaces and their Pods."""
        for sandbox in sandboxes:
            self.runtime.remove_sandbox(sandbox)
            if self.pods:
                self.pods.workloads.remove_pod(sandbox.pod_name)


@dataclass(slots=True, kw_only=True)
class Pods:
    """Creates Pods on one node, numbered."""

    workloads: Workloads
    node: str
    created: int = 0

    def create(self) -> dict[str, Any]:
        """Create one more Pod."""
        self.created += 1
        return self.workloads.create_pod(f"bench-{self.created}", node=self.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """Medians of single executions, in milliseconds."""

    add_ms: float
    del_ms: float


def interleaved(plugins: Sequence[Plugin], *, rounds: int) -> dict[str, Single]:
    """ADD and DEL of each plugin in turn, `rounds` times; the order changes with each round."""
    sandboxes = {plugin.name: plugin.sandboxes(rounds) for plugin in plugins}
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        order = plugins if number % 2 == 0 else list(reversed(plugins))
        for verb in ("ADD", "DEL"):
            for plugin in order:
                sandbox = sandboxes[plugin.name][number]
                if verb == "DEL":
                    plugin.delete_pods([sandbox])
                outcome = plugin.runtime.run(verb, sandbox)
                outcome.result()
                times.setdefault((plugin.name, verb), []).append(outcome.milliseconds)
    for plugin in plugins:
        plugin.remove(sandboxes[plugin.name])
    return {
        plugin.name: Single(
            add_ms=median(times[plugin.name, "ADD"]), del_ms=median(times[plugin.name, "DEL"])
        )
        for plugin in plugins
    }


def bursts(plugins: Sequence[Plugin], *, size: int, rounds: int) -> dict[str, float]:
    """Wall time in milliseconds of `size` ADDs started at once: medians of interleaved rounds."""
    walls: dict[str, list[float]] = {plugin.name: [] for plugin in plugins}
    for number in range(rounds):
        for plugin in plugins if number % 2 == 0 else list(reversed(plugins)):
            sandboxes = plugin.sandboxes(size)
            outcomes, wall = plugin.runtime.run_all("ADD", sandboxes)
            for outcome in outcomes:
                outcome.result()
            walls[plugin.name].append(wall)
            plugin.delete_pods(sandboxes)
            for outcome in plugin.runtime.run_all("DEL", sandboxes)[0]:
                outcome.result()
            plugin.remove(sandboxes)
    return {name: median(values) for name, values in walls.items()}
