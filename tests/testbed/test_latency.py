"""What is measured of the plugins: medians of rounds in turn, so that neither has the better half."""

import dataclasses
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from testbed.bench.latency import Burst, Plugin, bursts, children_cpu, interleaved
from testbed.bench.start_up import Program
from testbed.processes import Child


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


def test_of_bursts_medians_are_told_and_they_leave_nothing():
    story: list[Any] = []
    walls = {"ADD": [30, 10, 20], "DEL": [1, 1, 1]}
    ours, peer = contestants(story, ours=walls, peer={"ADD": [7, 7, 7], "DEL": [1, 1, 1]})

    ours = dataclasses.replace(ours, daemon_cpu=iter([100, 108, 200, 212, 300, 316]).__next__)
    # In the order of the rounds: ours, peer; peer, ours; ours, peer.
    children = iter([0, 40, 40, 48, 48, 56, 56, 96, 96, 176, 176, 184])

    assert bursts([ours, peer], size=4, rounds=3, plugin_cpu=children.__next__) == {
        "ours": Burst(wall=20, plugin_cpu=10, daemon_cpu=3),
        "peer": Burst(wall=7, plugin_cpu=2, daemon_cpu=0),
    }
    assert (ours.runtime.left, peer.runtime.left) == (0, 0)


def test_what_children_and_their_children_have_computed_is_counted():
    work = "import time\nwhile time.process_time() < 0.05: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    before = children_cpu()

    subprocess.run([sys.executable, "-c", nested], check=True)

    assert children_cpu() - before >= 50


def test_what_a_child_that_runs_has_computed_is_counted(tmp_path):
    work = "import time\nwhile time.process_time() < 0.05: pass\nprint('worked', flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"worked\n"
        child = Child(name="worker", process=process, log=tmp_path / "log")

        assert 40 <= child.cpu_ms() < 1000
        process.communicate(b"\n")


def test_a_program_that_fails_ends_the_measurement(tmp_path):
    stdin = tmp_path / "config"
    stdin.touch()
    good, bad = Program("true", ["/bin/true"], {}), Program("false", ["/bin/false"], {})

    good.run(stdin)
    with pytest.raises(RuntimeError, match="false: /bin/false ended with status"):
        bad.run(stdin)

    assert len(good.wall) == 1
    assert good.wall[0] > 0
