"""Kubernetes' tests are run as a group of processes, of which none is left."""

import os
import signal
import threading
from pathlib import Path

import pytest

from testbed.conformance.program import run_to_end
from tests.testkit.eventually import eventually


class StoppedError(Exception):
    """A signal came."""


def wait_for(file: Path) -> str:
    eventually(lambda: file.exists() and file.read_text().endswith("\n"), f"{file} is written", seconds=20.0)
    return file.read_text()


def wait_until_gone(pid: int) -> None:
    eventually(lambda: not runs(pid), f"process {pid} is gone", seconds=20.0)


def waited_for_in_kernel() -> str:
    """Return the kernel's function in which this process's first thread waits (proc(5), wchan)."""
    return Path(f"/proc/self/task/{os.getpid()}/wchan").read_text()


def runs(pid: int) -> bool:
    """Whether there is a process with that id that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def stopped_by_signal():
    """SIGUSR1 raises, as the handler of Ctrl-C does."""

    def stop(*_: object) -> None:
        raise StoppedError

    before = signal.signal(signal.SIGUSR1, stop)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_the_output_of_a_run_is_kept(tmp_path):
    run_to_end(["sh", "-c", "echo told; echo also >&2; exit 3"], tmp_path / "log")

    assert (tmp_path / "log").read_text() == "told\nalso\n"


def test_an_interrupted_run_leaves_no_process(tmp_path, stopped_by_signal):
    child = tmp_path / "child"
    script = f"trap 'echo ended >{tmp_path}/told; exit' TERM; sleep 1000 & echo $! >{child}; wait"

    def interrupt() -> None:
        wait_for(child)
        # A child may run before the call that made it has returned here.
        eventually(lambda: waited_for_in_kernel() == "do_wait", "the command is waited for", seconds=20.0)
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(StoppedError):
        run_to_end(["sh", "-c", script], tmp_path / "log")
    thread.join()

    assert (tmp_path / "told").read_text() == "ended\n"
    wait_until_gone(int(child.read_text()))


def test_what_a_run_leaves_in_its_group_ends_with_it(tmp_path):
    run_to_end(["sh", "-c", f"sleep 1000 & echo $! >{tmp_path}/child"], tmp_path / "log")

    wait_until_gone(int((tmp_path / "child").read_text()))
