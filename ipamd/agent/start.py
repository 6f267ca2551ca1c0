"""How far the start of this agent is: for /readyz, and in a file for ipamctl, as there is no socket yet.

Thread safety: one thread starts the agent, any thread may ask.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ipamd import boot
from ipamd.core.start_progress import StartProgress, StartStep
from ipamd.core.timing.boottime import Boottime
from ipamd.start_file import StartFile

log = logging.getLogger(__name__)


class AgentStart:
    """Invariant: `_progress` is None before the first step and when the start is over."""

    def __init__(self, socket: Path, *, clock: Callable[[], Boottime] = boot.clock) -> None:
        """Take the socket that is to be opened, and the clock of the file's times."""
        self._file = StartFile(socket)
        self._clock = clock
        self._progress: StartProgress | None = None

    def begin(self, step: StartStep) -> None:
        """Go on to a step."""
        self._tell(StartProgress(step=step, since=self._clock()))

    def waits_for(self, what: str) -> None:
        """Say what is in the way of the present step."""
        if self._progress is not None:
            self._tell(replace(self._progress, waits_for=what))

    def over(self) -> None:
        """Say no more: the socket answers, or the agent ends. May be called again."""
        if self._progress is not None:
            self._progress = None
            self._file.remove()

    def sentence(self) -> str:
        """Return how far it is, for people; empty when it is over."""
        progress = self._progress
        return progress.sentence(self._clock()) if progress is not None else ""

    def _tell(self, progress: StartProgress) -> None:
        self._progress = progress
        try:
            self._file.write(progress)
        except OSError as e:
            # The start itself does not depend on it.
            log.warning("how far the start is cannot be written for `ipamctl status`: %s", e)
