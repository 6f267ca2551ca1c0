"""Programs that are forked start, print and end as those that are executed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.fabric import netns
from testbed.forked import Forked
from tests.testkit.eventually import eventually

SERVER = ("http.server", "0", "--bind", "127.0.0.1")
STARTS_AND_DIES = f"""
import os, pathlib, sys
from testbed.forked import Forked
if __name__ == "__main__":
    print(Forked({SERVER!r}, log=pathlib.Path(sys.argv[1]), environment=os.environ, netns="").pid, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*argv, environment=os.environ, netns=""):
        started.append(Forked(argv, log=tmp_path / "log", environment=environment, netns=netns))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait(10)


@pytest.fixture
def log(tmp_path):
    return lambda: (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""


def test_it_is_the_program_with_its_arguments_output_and_status(start, log):
    assert start("ipamd", "--version").wait(30) == 0
    assert log().startswith("ipamd ")

    assert start("ipamd", "agent", "--no-such-flag").wait(30) == 2
    assert "--no-such-flag" in log()


def test_it_has_the_environment_that_it_is_given(start, log):
    """How wide what argparse prints is, it takes from there."""
    for columns in ("40", "400"):
        assert start("ipamd", "--help", environment={"COLUMNS": columns}).wait(30) == 0
    narrow, _, wide = log().rpartition("usage:")

    assert max(map(len, narrow.splitlines())) < 80 < max(map(len, wide.splitlines()))


def test_it_can_be_waited_for_signalled_and_killed(start, log):
    process = start(*SERVER)
    eventually(lambda: "Serving" in log())
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == process.poll() == process.returncode == -signal.SIGTERM

    process = start(*SERVER)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    process.send_signal(signal.SIGTERM)  # nobody is left; nobody else gets it


@pytest.mark.netns
def test_it_runs_in_the_network_namespace_that_is_named(start, log):
    name = f"forked-{os.getpid()}"
    netns.create(name)
    try:
        process = start(*SERVER, netns=name)
        eventually(lambda: "Serving" in log())
        inode = lambda pid: Path(f"/proc/{pid}/ns/net").stat().st_ino  # noqa: E731
        there = (netns.DIRECTORY / name).stat().st_ino
        assert inode(process.pid) == there != inode("self")
        process.kill()
        process.wait(10)
    finally:
        netns.delete(name)


def test_it_ends_with_the_process_that_has_started_it(tmp_path):
    program = tmp_path / "starts.py"
    program.write_text(STARTS_AND_DIES)
    done = subprocess.run(
        [sys.executable, program, tmp_path / "log"], stdout=subprocess.PIPE, text=True, check=False
    )

    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    eventually(lambda: not Path(f"/proc/{pid}").exists())
