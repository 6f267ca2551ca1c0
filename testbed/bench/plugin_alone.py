"""The part of the bench that times the plugin without an agent's work: what of an ADD is the plugin's."""

from testbed.bed import PLUGIN
from testbed.bench import start_up
from testbed.bench.part import Measured, Part, Scene

_ROUNDS_EACH = 5
"""As many executions as ADDs are timed, and so often again: they take a few milliseconds each."""


def measure(scene: Scene) -> Measured:
    """Execute ADD with an agent that answers at once, in turn with a process that does nothing."""
    rounds = _ROUNDS_EACH * scene.effort.rounds
    with scene.progress.step(f"{rounds} executions with an agent that answers at once"):
        programs = start_up.compared([PLUGIN], rounds=rounds)
    return Measured(
        figures={},
        series={"processes": {p.name: {"wall_ms": p.wall, "cpu_ms": p.cpu} for p in programs}},
    )


PART = Part(name="plugin alone", keys=(), measure=measure)
