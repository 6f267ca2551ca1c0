"""Python programs as processes of their own that share what they import: forked, where others are executed.

To start an agent costs six tenths of a second of CPU, and most of it goes to imports. A server process
(`multiprocessing`'s fork server) imports them once, and each program is a copy of it that goes on as
`python -m PROGRAM`. Server and programs end with the process that asked for them.
"""

import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

_PRELOADED: Final = "testbed.preloaded"
_PR_SET_PDEATHSIG: Final = 1
"""From linux/prctl.h."""
_CLONE_NEWNET: Final = 0x40000000
"""From linux/sched.h."""


class Forked:
    """One such process, with what is used of `subprocess.Popen`. Its methods are for one thread."""

    def __init__(self, argv: Sequence[str], *, log: Path, environment: Mapping[str, str], netns: str) -> None:
        """Start `python -m argv...` in a network namespace, by its name, or in this one; print to `log`."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_PRELOADED])
        arguments = (list(argv), str(log), dict(environment), netns)
        # A daemon in the words of multiprocessing: this process does not wait for it at its own end.
        self._process: ForkServerProcess = context.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        self.args = [sys.executable, "-m", *argv]
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, if that was seen: the exit status, or the signal's number below zero."""
        return self.poll()

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises: subprocess.TimeoutExpired after so many seconds."""
        self._process.join(timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self.send_signal(signal.SIGKILL)


def _run(argv: Sequence[str], log: str, environment: Mapping[str, str], netns: str) -> None:
    """Become the program, in the new process."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setsid()
    # As when a program is executed. One of these would keep the server alive after who has started it.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for path, flags, descriptors in (
        (os.devnull, os.O_RDONLY, (0,)),
        (log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, (1, 2)),
    ):
        opened = os.open(path, flags)
        for descriptor in descriptors:
            os.dup2(opened, descriptor)
        os.close(opened)
    if netns:
        opened = os.open(f"/run/netns/{netns}", os.O_RDONLY)
        if libc.setns(opened, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"network namespace {netns} cannot be entered")
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(argv)
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
