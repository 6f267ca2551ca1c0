"""How long a runtime waits for ADD and DEL: whole plugin processes, one by one and a hundred at once.

Of those at once also what they cost in CPU time, which other work disturbs less than wall time.
"""

import resource
from collections.abc import Callable, Sequence
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
    daemon_cpu: Callable[[], float] | None = None
    """Milliseconds of CPU that the daemon behind the plugin has used so far, if there is one."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """ADDs started at once, in milliseconds; a median of bursts has the medians of each."""

    wall: float
    """Until the last has ended."""
    plugin_cpu: float
    """For one ADD, of the plugin's process and those that it starts."""
    daemon_cpu: float
    """For one ADD; 0 without a daemon."""


def children_cpu() -> float:
    """Give the milliseconds of CPU that all children have used which have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def bursts(
    plugins: Sequence[Plugin], *, size: int, rounds: int, plugin_cpu: Callable[[], float] = children_cpu
) -> dict[str, Burst]:
    """Medians of interleaved rounds of `size` ADDs; nothing else may start processes meanwhile."""
    measured: dict[str, list[Burst]] = {plugin.name: [] for plugin in plugins}
    for number in range(rounds):
        for plugin in plugins if number % 2 == 0 else list(reversed(plugins)):
            sandboxes = plugin.sandboxes(size)
            daemon_cpu = plugin.daemon_cpu or (lambda: 0.0)
            before = plugin_cpu(), daemon_cpu()
            outcomes, wall = plugin.runtime.run_all("ADD", sandboxes)
            after = plugin_cpu(), daemon_cpu()
            for outcome in outcomes:
                outcome.result()
            of_plugin, of_daemon = (
                (later - earlier) / size for earlier, later in zip(before, after, strict=True)
            )
            measured[plugin.name].append(Burst(wall=wall, plugin_cpu=of_plugin, daemon_cpu=of_daemon))
            plugin.delete_pods(sandboxes)
            for outcome in plugin.runtime.run_all("DEL", sandboxes)[0]:
                outcome.result()
            plugin.remove(sandboxes)
    return {
        name: Burst(
            wall=median(burst.wall for burst in values),
            plugin_cpu=median(burst.plugin_cpu for burst in values),
            daemon_cpu=median(burst.daemon_cpu for burst in values),
        )
        for name, values in measured.items()
    }
