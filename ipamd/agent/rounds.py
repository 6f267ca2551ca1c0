"""Rounds of one kind of work: at an interval, at once when woken, and on request with a wait for the end.

Thread safety: the rounds have a thread of their own; any thread may call any method.
"""

import random
import threading
from collections.abc import Callable

from ipamd.core.timing.deadline import Deadline

_SPREAD = 0.1
"""Part of the interval that is left to chance: nodes that were started at one moment drift apart."""


class Rounds:
    """One thread that does the work again and again.

    Invariant: `_begun` and `_ended` count rounds of the thread; `_ended` is never the larger one.
    """

    def __init__(self, name: str, work: Callable[[], None], *, interval: float) -> None:
        """Take the thread's name, what one round is (it must not raise) and the seconds between two."""
        self._work = work
        self._interval = interval
        self._wanted = threading.Event()
        self._progress = threading.Condition()
        self._begun = 0
        self._ended = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin the rounds."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the rounds; wait for the last one for so many seconds."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def wake(self) -> None:
        """Have a round made that begins now, or after the one that is being made."""
        self._wanted.set()

    def wait_for_next(self, deadline: Deadline) -> bool:
        """Have a round made that begins now or later; return whether it ended in time."""
        with self._progress:
            wanted = self._begun + 1
            self._wanted.set()
            return self._progress.wait_for(lambda: self._ended >= wanted, deadline.remaining())

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait(self._interval * (1 - _SPREAD * random.random()))  # noqa: S311 - no secret
            if self._stopping.is_set():
                return
            with self._progress:
                # Together, so that nobody's wish falls between a round that began and its count.
                self._wanted.clear()
                self._begun += 1
            self._work()
            with self._progress:
                self._ended = self._begun
                self._progress.notify_all()
