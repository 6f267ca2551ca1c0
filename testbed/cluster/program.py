"""A long-running program on a machine of the cluster: its log, and ways to end and start it again.

It is started through nsenter(1), which stays outside as its parent; signals go to the program itself. For
the main thread only (see `machine`).
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class MachineError(RuntimeError):
    """A machine or a program of it does not do what it should; the message holds what it printed."""


class Program:
    """One daemon. Invariant: at most one process of it runs at any time."""

    def __init__(self, name: str, log: Path, command: Callable[[], Sequence[str]]) -> None:
        """`command` is asked at each start, because a machine that was booted again is entered elsewhere."""
        self.name = name
        self.log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program unless it runs."""
        if self.is_running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid = await_child(self._process, seconds=10.0, log=self.log)

    def stop(self, *, seconds: float = 20.0) -> None:
        """End the program in order (SIGTERM), then with force."""
        self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """End the program as a crash does (SIGKILL)."""
        self._end(signal.SIGKILL, 10.0)

    def signal(self, number: int) -> None:
        """Send a signal, such as SIGSTOP and SIGCONT; MachineError unless the program runs."""
        if not self.is_running:
            raise MachineError(f"{self.name} does not run")
        os.kill(self._pid, number)

    def forget(self) -> None:
        """Collect the process after the machine's power was cut."""
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _end(self, number: int, seconds: float) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that the program printed."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def await_child(process: "subprocess.Popen[bytes]", *, seconds: float, log: Path | None = None) -> int:
    """Give the id of the one child of `process`, as soon as it has forked; MachineError if it ends before."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            if found := children.read_text().split():
                return int(found[0])
        time.sleep(0.005)
    printed = log.read_text(errors="replace")[-2000:] if log else ""
    raise MachineError(f"process {process.pid} started nothing within {seconds:.0f} s\n{printed}")
