"""The fault run ends when it is told to, and in its time; whatever ends it, nothing of it stays."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from testbed.faults import crashes
from testbed.faults.__main__ import main
from testbed.faults.budget import Budget, ends
from testbed.faults.pod_scenarios import Add
from testbed.faults.workers import WorkerEndedError, results
from tests.testkit.eventually import comes_about

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(300)]


class OverAfter:
    """A budget that is over when it was asked so often."""

    def __init__(self, times):
        self._times = times

    def is_over(self):
        self._times -= 1
        return self._times < 0


def test_what_there_is_no_time_for_is_told_and_not_wanted(tmp_path):
    found = crashes.run(tmp_path, [Add], budget=Budget(begins_until=0.0), say=[].append)

    assert found.left_out == [Add.name]
    assert (found.trials, found.complaints()) == ([], [])


def test_points_after_the_end_of_the_time_are_counted(tmp_path):
    found = crashes.run(tmp_path, [Add], choose=lambda points: points[:3], budget=OverAfter(2), say=[].append)

    assert len(found.trials) == 1
    assert found.left_out == [f"2 points of {Add.name}"]


def test_the_parts_share_the_time_and_the_last_ends_with_it():
    first, last = ends(20.0, 2)

    assert last - first == pytest.approx(0.4 * 20 * 60)
    assert ends(None, 2) == [float("inf")] * 2


def test_a_time_in_which_nothing_could_be_tried_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--minutes", "3"])

    assert "--minutes 3: at least 10" in capsys.readouterr().err


def test_a_worker_that_ends_without_a_result_is_told_and_the_others_have_their_say():
    ended, finished = results(eval, [("__import__('os')._exit(7)",), ("'well'",)])

    assert isinstance(ended, WorkerEndedError)
    assert "ended with 7" in str(ended)
    assert finished == "well"


def of_run(mark):
    """The command lines of the processes that inherited the mark."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (directory / "environ").read_bytes():
                found[directory.name] = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended, or it is none of ours
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_workers_and_their_nodes_end_with_the_run(tmp_path, number):
    mark = uuid.uuid4().hex
    command = [sys.executable, "-m", "testbed.faults", "--parts", "crashes", "--jobs", "2", "--only", "EIP"]
    command += ["--logs", str(tmp_path / "logs"), "--output", str(tmp_path / "faults.json")]
    nodes = lambda: [line for line in of_run(mark).values() if " ipamd" in line or "victim" in line]  # noqa: E731
    with subprocess.Popen(
        command,
        env={**os.environ, "TKE_ENI_TEST_MARK": mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert comes_about(lambda: len(nodes()) >= 2, 60.0), of_run(mark)
            process.send_signal(number)
            process.wait(60.0)
        finally:
            process.kill()

    assert process.returncode == (2 if number == signal.SIGTERM else -signal.SIGKILL)
    assert comes_about(lambda: not of_run(mark), 60.0), of_run(mark)
