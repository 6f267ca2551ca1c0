"""Commands that run beside each other, each with all that it starts, and the end of all of them.

Thread safety: any thread may call any method.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.05
_KILL_SECONDS = 5.0


class EndedError(RuntimeError):
    """The run was ended from outside; nothing more is started."""


class Commands:
    """Invariant: every command is in `_running` until it has ended; it leads a process group of its own."""

    def __init__(self, *, patience: float = 60.0) -> None:
        """Take the seconds that a command may take to clean up when it is ended."""
        self._patience = patience
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def run(self, command: Sequence[str], output: Path | None = None) -> int:
        """Run a command to its end, and return its exit status; what it prints goes to `output`, or is shown.

        Raises: EndedError after `end`.
        """
        with _opened(output) as log:
            with self._lock:
                if self._ended:
                    raise EndedError
                # A group of its own, so that it can be ended with all that it has started.
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=None if log is None else subprocess.STDOUT,
                    start_new_session=True,
                )
                self._running.add(process)
            status = process.wait()
            with self._lock:
                self._running.discard(process)
        if self._ended:
            raise EndedError
        return status

    def end(self) -> None:
        """End all commands: as by Ctrl-C, which lets tests clean up, then by force."""
        with self._lock:
            self._ended = True
            left = set(self._running)
        for number, seconds in ((signal.SIGINT, self._patience), (signal.SIGKILL, _KILL_SECONDS)):
            for process in left:
                _signal(process, number)
            limit = time.monotonic() + seconds
            while left and time.monotonic() < limit:
                left = {process for process in left if _has_group(process)}
                time.sleep(_POLL_SECONDS)


def _opened(output: Path | None) -> contextlib.AbstractContextManager[IO[bytes] | None]:
    if output is None:
        return contextlib.nullcontext()
    output.parent.mkdir(parents=True, exist_ok=True)
    return _appended(output)


@contextlib.contextmanager
def _appended(output: Path) -> Iterator[IO[bytes]]:
    with output.open("ab") as file:
        yield file


def _signal(leader: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, number)


def _has_group(leader: "subprocess.Popen[bytes]") -> bool:
    """Whether a process of the group is there, also after its leader has ended."""
    leader.poll()  # a leader that nobody waits for would stay
    try:
        os.killpg(leader.pid, 0)
    except ProcessLookupError:
        return False
    return True
