"""The part of the bench that times ADD and DEL beside peers: alone, and a hundred at once."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from testbed.bench import latency, peers
from testbed.bench.latency import Bursts, Plugin, Singles
from testbed.bench.part import Measured, Part, Scene
from testbed.bench.spread import Spread
from testbed.bench.warm_node import our_plugin, warm_node
from testbed.go_build import MissingProgramError

_OURS = "tke-eni"
_PEERS = {"ptp": peers.PTP, "aws": peers.AWS_BEFORE, "aws_newest": peers.AWS_NEWEST}
"""By the end of the keys."""
_WARM_UP = 3
_AWS_KEYS = ("add_vs_aws", "burst_vs_aws", "add_vs_aws_newest", "burst_vs_aws_newest")
_KEYS = ("add_vs_ptp", "burst_vs_ptp", "del_vs_ptp", "plugin_cpu_ms", "agent_cpu_ms", *_AWS_KEYS)


def measure(scene: Scene) -> Measured:
    """All contestants in turn on one node. Raises: RuntimeError when one of them can do no ADD at all."""
    effort, step = scene.effort, scene.progress.step
    missing: dict[str, str] = {}
    with warm_node(scene, addresses=2 * effort.burst + 50) as bed, ExitStack() as stack:
        contestants = [our_plugin(bed), stack.enter_context(peers.ptp(bed))]
        try:
            contestants += stack.enter_context(peers.aws(bed))
        except MissingProgramError as error:
            missing = dict.fromkeys(_AWS_KEYS, str(error))
        with step("caches and lazy imports are warmed up"):
            _refuse_broken(latency.interleaved(contestants, rounds=_WARM_UP))
        with step(f"{effort.rounds} rounds of ADD and DEL, in turn"):
            singles = latency.interleaved(contestants, rounds=effort.rounds)
        bursts = _bursts(scene, contestants)
    return Measured(
        figures=_figures(singles, bursts), series=_series(singles, bursts, effort.burst), missing=missing
    )


PART = Part(name="ADD and DEL", keys=_KEYS, measure=measure)


def _bursts(scene: Scene, contestants: Sequence[Plugin]) -> Mapping[str, Bursts]:
    effort = scene.effort
    with scene.progress.step(f"{effort.bursts} rounds of {effort.burst} ADDs at once, in turn"):
        return latency.bursts(contestants, size=effort.burst, rounds=effort.bursts)


def _refuse_broken(singles: Mapping[str, Singles]) -> None:
    for name, measured in singles.items():
        if len(measured.failures) == len(measured.add_ms):
            raise RuntimeError(f"each ADD of {name} failed, the last with: {measured.failures[-1]}")


def _figures(singles: Mapping[str, Singles], bursts: Mapping[str, Bursts]) -> dict[str, Spread]:
    mine, ours = singles[_OURS], bursts[_OURS]
    figures = {
        "del_vs_ptp": Spread.of_ratios(mine.del_ms, singles[peers.PTP].del_ms),
        "plugin_cpu_ms": Spread.of(ours.plugin_cpu),
        "agent_cpu_ms": Spread.of(ours.daemon_cpu),
    }
    for key, peer in _PEERS.items():
        if peer in singles:
            figures[f"add_vs_{key}"] = Spread.of_ratios(mine.add_ms, singles[peer].add_ms)
            figures[f"burst_vs_{key}"] = Spread.of_ratios(ours.wall, bursts[peer].wall)
    return figures


def _series(singles: Mapping[str, Singles], bursts: Mapping[str, Bursts], size: int) -> dict[str, object]:
    return {
        "add_ms": {name: measured.add_ms for name, measured in singles.items()},
        "del_ms": {name: measured.del_ms for name, measured in singles.items()},
        "burst_ms": {name: measured.wall for name, measured in bursts.items()},
        "burst_plugin_cpu_ms": {name: measured.plugin_cpu for name, measured in bursts.items()},
        "failed_adds": {
            name: {
                "single": [len(singles[name].failures), len(singles[name].add_ms)],
                "burst": [len(measured.failures), size * len(measured.wall)],
                "said": sorted({text.splitlines()[0] for text in measured.failures})[:3],
            }
            for name, measured in bursts.items()
        },
    }
