"""What is measured of the plugins: rounds in turn, so that none has the better half, and failures counted."""

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from testbed.bench.latency import Bursts, Plugin, Singles, bursts, children_cpu, interleaved
from testbed.bench.start_up import Program
from testbed.processes import Child
from testbed.runtime import CniError, Outcome

FAILURE = json.dumps(
    {"cniVersion": "1.0.0", "code": 11, "msg": "no MAC", "details": "a dump was interrupted"}
)


def done(verb, milliseconds, fails):
    return Outcome(
        verb=verb,
        exit_code=1 if fails else 0,
        stdout=FAILURE.encode() if fails else b"",
        stderr="",
        milliseconds=milliseconds,
    )


class ScriptedRuntime:
    """Takes as long as the test says, fails when it says so, and notes in which order it was asked."""

    def __init__(self, name, story, failing=(), **milliseconds):
        self._name = name
        self._failing = dict(failing)
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
        return done(verb, next(self._times[verb]), fails=self._fails(verb))

    def run_all(self, verb, sandboxes):
        self._story.append((verb, self._name))
        return [done(verb, 1.0, fails=self._fails(verb)) for _ in sandboxes], next(self._times[verb])

    def _fails(self, verb):
        self._failing[verb] = self._failing.get(verb, 0) - 1
        return self._failing[verb] >= 0


def contestants(story, **times):
    return [Plugin(name=name, runtime=ScriptedRuntime(name, story, **times[name])) for name in times]


def test_single_executions_come_in_turn():
    story: list[Any] = []
    ours, peer = contestants(
        story, ours={"ADD": [5, 9, 1], "DEL": [2, 2, 8]}, peer={"ADD": [4, 4, 4], "DEL": [1, 2, 3]}
    )

    figures = interleaved([ours, peer], rounds=3)

    assert figures == {
        "ours": Singles(add_ms=[5, 9, 1], del_ms=[2, 2, 8]),
        "peer": Singles(add_ms=[4, 4, 4], del_ms=[1, 2, 3]),
    }
    adds = [name for verb, name in story if verb == "ADD"]
    assert adds == ["ours", "peer", "peer", "ours", "ours", "peer"]
    assert (ours.runtime.left, peer.runtime.left) == (0, 0)


def test_of_bursts_each_round_is_told_and_they_leave_nothing():
    story: list[Any] = []
    walls = {"ADD": [30, 10, 20], "DEL": [1, 1, 1]}
    ours, peer = contestants(story, ours=walls, peer={"ADD": [7, 7, 7], "DEL": [1, 1, 1]})

    ours = dataclasses.replace(ours, daemon_cpu=iter([100, 108, 200, 212, 300, 316]).__next__)
    # In the order of the rounds: ours, peer; peer, ours; ours, peer.
    children = iter([0, 40, 40, 48, 48, 56, 56, 96, 96, 176, 176, 184])

    assert bursts([ours, peer], size=4, rounds=3, plugin_cpu=children.__next__) == {
        "ours": Bursts(wall=[30, 10, 20], plugin_cpu=[10, 10, 20], daemon_cpu=[2, 3, 4]),
        "peer": Bursts(wall=[7, 7, 7], plugin_cpu=[2, 2, 2], daemon_cpu=[0, 0, 0]),
    }
    assert (ours.runtime.left, peer.runtime.left) == (0, 0)


def test_adds_that_fail_are_counted_and_their_sandboxes_deleted():
    story: list[Any] = []
    runtime = ScriptedRuntime("peer", story, {"ADD": 3}, ADD=[5, 6, 40, 50], DEL=[1, 1, 9, 9])
    peer = Plugin(name="peer", runtime=runtime)

    single = interleaved([peer], rounds=2)["peer"]
    burst = bursts([peer], size=3, rounds=2, plugin_cpu=lambda: 0)["peer"]

    assert single.add_ms == [5, 6]
    assert len(single.failures) == 2
    assert len(burst.failures) == 1
    assert burst.failures[0].startswith("ADD: code 11: no MAC: a dump was interrupted")
    assert [verb for verb, _ in story] == ["ADD", "DEL"] * 4
    assert runtime.left == 0


def test_a_del_that_fails_is_repeated_once():
    twice = ScriptedRuntime("peer", [], {"DEL": 1}, ADD=[5], DEL=[1, 2])
    never = ScriptedRuntime("peer", [], {"DEL": 2}, ADD=[5], DEL=[1, 2])

    assert interleaved([Plugin(name="peer", runtime=twice)], rounds=1)["peer"].del_ms == [1]
    with pytest.raises(CniError, match="DEL: code 11"):
        interleaved([Plugin(name="peer", runtime=never)], rounds=1)


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
