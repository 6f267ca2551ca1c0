"""How long a runtime waits for ADD and DEL: whole plugin processes, one by one and a hundred at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from testbed.runtime import Runtime, Sandbox

PodFactory = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One contestant: its runtime, and a Pod object for each sandbox where the plugin asks for one."""

    name: str
    runtime: Runtime
    new_pod: PodFactory

    def sandboxes(self, count: int) -> list[Sandbox]:
        """Sandboxes made ahead of the clock, as the runtime makes them before it calls a plugin."""
        return [self.runtime.new_sandbox(pod=self.new_pod()) for _ in range(count)]

    def remove(self, sandboxes: Sequence[Sandbox]) -> None:
        """Remove the sandboxes' namespaces."""
        for sandbox in sandboxes:
            self.runtime.remove_sandbox(sandbox)


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
                outcome = plugin.runtime.run(verb, sandboxes[plugin.name][number])
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
            for outcome in plugin.runtime.run_all("DEL", sandboxes)[0]:
                outcome.result()
            plugin.remove(sandboxes)
    return {name: median(values) for name, values in walls.items()}
