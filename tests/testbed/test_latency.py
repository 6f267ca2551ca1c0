"""What is measured of the plugins: medians of rounds in turn, so that neither has the better half."""

from dataclasses import dataclass
from typing import Any

import pytest

from testbed.bench.latency import Plugin, bursts, interleaved
from testbed.bench.start_up import Program


@dataclass
class Done:
    milliseconds: float

    def result(self):
        return {}


class ScriptedRuntime:
    """Takes as long as the test says, and notes in which order it was asked."""

    def __init__(self, name, story, **milliseconds):
        self._name = name
        self._story = story
        self._times = {verb: iter(times) for verb, times in milliseconds.items()}
        self.left = 0

    def new_sandbox(self, *, pod=None):
        self.left += 1
        return object()

    def remove_sandbox(self, sandbox):
        self.left -= 1

    def run(self, verb, sandbox):
        self._story.append((verb, self._name))
        return Done(next(self._times[verb]))

    def run_all(self, verb, sandboxes):
        self._story.append((verb, self._name))
        return [Done(1.0) for _ in sandboxes], next(self._times[verb])


def contestants(story, **times):
    return [Plugin(name=name, runtime=ScriptedRuntime(name, story, **times[name])) for name in times]


def test_single_executions_come_in_turn_and_the_median_is_told():
    story: list[Any] = []
    ours, peer = contestants(
        story, ours={"ADD": [5, 9, 1], "DEL": [2, 2, 8]}, peer={"ADD": [4, 4, 4], "DEL": [1, 2, 3]}
    )

    figures = interleaved([ours, peer], rounds=3)

    assert (figures["ours"].add_ms, figures["ours"].del_ms) == (5, 2)
    assert (figures["peer"].add_ms, figures["peer"].del_ms) == (4, 2)
    adds = [name for verb, name in story if verb == "ADD"]
    assert adds == ["ours", "peer", "peer", "ours", "ours", "peer"]
    assert (ours.runtime.left, peer.runtime.left) == (0, 0)


def test_bursts_are_judged_by_their_wall_time_and_leave_nothing():
    story: list[Any] = []
    walls = {"ADD": [30, 10, 20], "DEL": [1, 1, 1]}
    ours, peer = contestants(story, ours=walls, peer={"ADD": [7, 7, 7], "DEL": [1, 1, 1]})

    assert bursts([ours, peer], size=4, rounds=3) == {"ours": 20, "peer": 7}
    assert (ours.runtime.left, peer.runtime.left) == (0, 0)


def test_a_program_that_fails_ends_the_measurement(tmp_path):
    stdin = tmp_path / "config"
    stdin.touch()
    good, bad = Program("true", ["/bin/true"], {}), Program("false", ["/bin/false"], {})

    good.run(stdin)
    with pytest.raises(RuntimeError, match="false: /bin/false ended with status"):
        bad.run(stdin)

    assert len(good.wall) == 1
    assert good.wall[0] > 0
