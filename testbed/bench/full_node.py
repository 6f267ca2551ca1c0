"""The part of the bench that looks at the agent of a node full of Pods: memory, repair, start."""

import socket
import time

from testbed.bed import Bed
from testbed.bench.latency import Plugin
from testbed.bench.part import Measured, Part, Scene
from testbed.bench.spread import Spread
from testbed.bench.warm_node import our_plugin, start_agent, warm_node
from testbed.runtime import Sandbox

_KEYS = ("agent_rss_mib", "repair_cpu_ms", "ready_s")
_AT_ONCE = 25
"""ADDs under way: fewer than the agent lets wait (`ipamd.agent.cni.build`)."""
_REPAIRS = 10
_INTERVAL = 2.0
"""Seconds between two rounds of repair."""
_MEAN_WAIT = 0.95 * _INTERVAL
"""The agent shortens each wait by up to a tenth, at random (`ipamd.agent.node.repair_loop`)."""


def measure(scene: Scene) -> Measured:
    """Fill the node step by step; then rounds of repair, then starts with all Pods in the store."""
    effort, step = scene.effort, scene.progress.step
    options = (f"--repair-interval={_INTERVAL:g}s",)
    with warm_node(scene, addresses=effort.most_pods, agent_options=options) as bed:
        plugin = our_plugin(bed)
        memory = {"0": _rss(bed)}
        sandboxes: list[Sandbox] = []
        with step(f"{effort.most_pods} Pods"):
            for pods in effort.pods:
                sandboxes += _add(plugin, pods - len(sandboxes))
                memory[str(pods)] = _rss(bed)
        with step(f"{_REPAIRS} rounds of repair, and as many that an operator asks for"):
            repairs = [_repair_cpu(bed, _REPAIRS / 2) for _ in range(2)]
            for _ in range(_REPAIRS):
                bed.ctl("repair")
            rss = _rss(bed)
        with step(f"{effort.repeats} starts with {effort.most_pods} Pods in the store"):
            starts = [_start(bed, options, 2 * effort.most_pods) for _ in range(effort.repeats)]
    return Measured(
        figures={
            "agent_rss_mib": Spread.of([rss]),
            "repair_cpu_ms": Spread.of(repairs),
            "ready_s": Spread.of(starts),
        },
        series={"agent_rss_mib_by_pods": memory},
    )


PART = Part(name="full node", keys=_KEYS, measure=measure)


def round_cpu_ms(cpu_ms: float, seconds: float, wait: float) -> float:
    """Return the CPU of one round, of what a process used in `seconds` that were rounds and waits in turn.

    A round lasts as long as it computes: it waits for nobody but the kernel.
    """
    share = cpu_ms / 1000 / seconds
    if share >= 1:
        raise ValueError(f"{cpu_ms:.0f} ms of CPU in {seconds:.1f} s leave no time for a wait")
    return 1000 * wait * share / (1 - share)


def _repair_cpu(bed: Bed, rounds: float) -> float:
    assert bed.agent is not None
    began, before = time.monotonic(), bed.agent.cpu_ms()
    time.sleep(rounds * _INTERVAL)
    return round_cpu_ms(bed.agent.cpu_ms() - before, time.monotonic() - began, _MEAN_WAIT)


def _add(plugin: Plugin, count: int) -> list[Sandbox]:
    sandboxes = plugin.sandboxes(count)
    for first in range(0, count, _AT_ONCE):
        for outcome in plugin.runtime.run_all("ADD", sandboxes[first : first + _AT_ONCE])[0]:
            outcome.result()
    return sandboxes


def _rss(bed: Bed) -> float:
    assert bed.agent is not None
    return bed.agent.rss_mib()


def _start(bed: Bed, options: tuple[str, ...], most: int) -> float:
    """Start the agent anew; seconds until its socket takes a connection."""
    assert bed.agent is not None
    bed.stop(bed.agent)
    bed.socket.unlink(missing_ok=True)
    began = time.monotonic()
    start_agent(bed, options, most=most)
    bed.wait_until("the agent serves", lambda: _serves(bed), seconds=30, pause=0.002)
    return time.monotonic() - began


def _serves(bed: Bed) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(bed.socket))
        except OSError:
            return False
        return True
