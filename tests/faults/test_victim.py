"""A process dies at the very step that was named, by a signal that nothing can handle."""

import signal
import subprocess
import sys

import pytest

from testbed.faults.points import parse
from testbed.faults.victim import Kill

CHILD = """
import sys
from ipamd.runtime import failpoints
from testbed.faults.victim import Kill
from testbed.faults.points import parse

failpoints.listen(Kill(parse(sys.argv[1]) if sys.argv[1] else None))
for number in (1, 2, 3):
    try:
        with failpoints.failpoint("cloud.X"):
            print("inside", number, flush=True)
    finally:
        print("outside", number, flush=True)
"""


def live(point):
    return subprocess.run([sys.executable, "-c", CHILD, point], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ("cloud.X:before:1", []),
        ("cloud.X:after:1", ["inside 1"]),
        ("cloud.X:before:3", ["inside 1", "outside 1", "inside 2", "outside 2"]),
        ("cloud.X:after:2", ["inside 1", "outside 1", "inside 2"]),
    ],
)
def test_it_dies_before_or_after_the_step_with_that_number_and_nothing_is_tidied_up(point, said):
    ended = live(point)

    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout.splitlines() == said
    assert f"killed at {point}" in ended.stderr


@pytest.mark.parametrize("point", ["", "cloud.Y:before:1", "cloud.X:before:4"])
def test_it_lives_when_it_does_not_come_by_the_point(point):
    ended = live(point)

    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1] == "outside 3"


def test_steps_are_counted_anew_from_when_a_point_is_given():
    kill = Kill(None)
    kill.before("cloud.X")
    kill.after("cloud.X", 0.0, None)
    assert kill.taken() == ["cloud.X"]

    kill.arm(parse("cloud.X:after:9"))

    assert kill.taken() == []
