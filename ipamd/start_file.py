"""The file beside the agent's socket that says how far its start is, for who finds no socket yet (ADR 30).

It is written by rename, so nobody reads half of it, and locked (flock(2)) for as long as its writer lives:
what is not locked was left by an agent that has ended. Thread safety: one thread writes.
"""

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import IO, Final

from ipamd.core import start_progress
from ipamd.core.start_progress import StartProgress
from ipamd.runtime import failpoints

_LONGEST: Final = 4096


def beside(socket: Path) -> Path:
    """Return where the file of an agent with this socket is."""
    return socket.with_name(f"{socket.name}.start")


class StartFile:
    """Written by the agent that starts. Invariant: `_held` is the file that stands there, locked."""

    def __init__(self, socket: Path) -> None:
        """Take the agent's socket; nothing is written yet."""
        self._path = beside(socket)
        self._held: IO[str] | None = None

    def write(self, progress: StartProgress) -> None:
        """Say how far it is. Raises: OSError."""
        new = self._path.with_name(f"{self._path.name}.new")
        with failpoints.failpoint("file.start.write"):
            opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            file = os.fdopen(opened, "w", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(json.dumps(progress.to_json()))
                file.flush()
                new.replace(self._path)
            except BaseException:
                file.close()
                raise
        self._close()
        self._held = file

    def remove(self) -> None:
        """Take it away: the start is over, one way or the other."""
        with contextlib.suppress(FileNotFoundError), failpoints.failpoint("file.start.remove"):
            self._path.unlink()
        self._close()

    def _close(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def read(socket: Path) -> tuple[StartProgress, bool] | None:
    """Return how far an agent's start is, and whether it still lives; None when none says so."""
    try:
        with beside(socket).open(encoding="utf-8") as file:
            progress = start_progress.from_json(json.loads(file.read(_LONGEST)))
            lives = not _can_lock(file)
    except (OSError, ValueError):
        return None
    return None if progress is None else (progress, lives)


def _can_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
