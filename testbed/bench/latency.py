"""How long a runtime waits for ADD and DEL: whole plugin processes, one by one and a hundred at once.

Of those at once also what they cost in CPU time, which other work disturbs less than wall time. An ADD that
fails is counted, and its sandbox is deleted like the others.
"""

import resource
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from testbed.runtime import CniError, Outcome, Runtime, Sandbox
from testbed.workloads import Workloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One contestant: its runtime, and the cluster's Pods where the plugin or its daemon looks them up.

    Pods and namespaces are made and removed outside of the measured time, as kubelet and runtime do.
    """

    name: str
    runtime: Runtime
    pods: "Pods | None" = None
    daemon_cpu: Callable[[], float] | None = None
    """Milliseconds of CPU that the daemon behind the plugin has used so far, if there is one."""

    def sandboxes(self, count: int) -> list[Sandbox]:
        """Make sandboxes for so many Pods."""
        return [self.runtime.new_sandbox(pod=self._pod()) for _ in range(count)]

    def _pod(self) -> Mapping[str, Any]:
        if self.pods:
            return self.pods.create()
        # Nobody looks it up, but links are named after it.
        return {"metadata": {"namespace": "default", "name": f"bench-{uuid.uuid4()}"}}

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


@dataclass(slots=True, kw_only=True)
class Singles:
    """Single executions of one plugin, a value for each round, in milliseconds."""

    add_ms: list[float] = field(default_factory=list)
    del_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What ADDs said that failed; their time is counted too."""


@dataclass(slots=True, kw_only=True)
class Bursts:
    """ADDs started at once, a value for each round, in milliseconds."""

    wall: list[float] = field(default_factory=list)
    """Until the last has ended."""
    plugin_cpu: list[float] = field(default_factory=list)
    """For one ADD, of the plugin's process and those that it starts."""
    daemon_cpu: list[float] = field(default_factory=list)
    """For one ADD; 0 without a daemon."""
    failures: list[str] = field(default_factory=list)


def interleaved(plugins: Sequence[Plugin], *, rounds: int) -> dict[str, Singles]:
    """ADD and DEL of each plugin in turn, `rounds` times; the order changes with each round.

    Raises: CniError of a DEL that failed twice.
    """
    sandboxes = {plugin.name: plugin.sandboxes(rounds) for plugin in plugins}
    measured = {plugin.name: Singles() for plugin in plugins}
    for number in range(rounds):
        order = plugins if number % 2 == 0 else list(reversed(plugins))
        for plugin in order:
            outcome = plugin.runtime.run("ADD", sandboxes[plugin.name][number])
            measured[plugin.name].add_ms.append(outcome.milliseconds)
            measured[plugin.name].failures += _failures([outcome])
        for plugin in order:
            sandbox = sandboxes[plugin.name][number]
            plugin.delete_pods([sandbox])
            outcome = plugin.runtime.run("DEL", sandbox)
            measured[plugin.name].del_ms.append(outcome.milliseconds)
            _repeat_failed(plugin, [sandbox], [outcome])
    for plugin in plugins:
        plugin.remove(sandboxes[plugin.name])
    return measured


def children_cpu() -> float:
    """Give the milliseconds of CPU that all children have used which have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def bursts(
    plugins: Sequence[Plugin], *, size: int, rounds: int, plugin_cpu: Callable[[], float] = children_cpu
) -> dict[str, Bursts]:
    """Interleaved rounds of `size` ADDs; nothing else may start processes meanwhile.

    Raises: CniError of a DEL that failed twice.
    """
    measured = {plugin.name: Bursts() for plugin in plugins}
    for number in range(rounds):
        for plugin in plugins if number % 2 == 0 else list(reversed(plugins)):
            _burst(plugin, size, plugin_cpu, measured[plugin.name])
    return measured


def _burst(plugin: Plugin, size: int, plugin_cpu: Callable[[], float], into: Bursts) -> None:
    sandboxes = plugin.sandboxes(size)
    daemon_cpu = plugin.daemon_cpu or (lambda: 0.0)
    before = plugin_cpu(), daemon_cpu()
    outcomes, wall = plugin.runtime.run_all("ADD", sandboxes)
    after = plugin_cpu(), daemon_cpu()
    into.wall.append(wall)
    into.plugin_cpu.append((after[0] - before[0]) / size)
    into.daemon_cpu.append((after[1] - before[1]) / size)
    into.failures += _failures(outcomes)
    plugin.delete_pods(sandboxes)
    _repeat_failed(plugin, sandboxes, plugin.runtime.run_all("DEL", sandboxes)[0])
    plugin.remove(sandboxes)


def _failures(outcomes: Sequence[Outcome]) -> list[str]:
    said = []
    for outcome in outcomes:
        try:
            outcome.result()
        except CniError as error:
            said.append(str(error))
    return said


def _repeat_failed(plugin: Plugin, sandboxes: Sequence[Sandbox], outcomes: Sequence[Outcome]) -> None:
    """Execute DEL again where it failed, as a runtime does."""
    for sandbox, outcome in zip(sandboxes, outcomes, strict=True):
        if _failures([outcome]):
            plugin.runtime.run("DEL", sandbox).result()
