"""Stops a thread at a step, until something else has come as far as it can."""

import contextlib
import threading

from ipamd.runtime import failpoints
from testbed.faults.catalogue import atoms


class Pause:
    """Holds the first thread that takes such a step, alone or with others, until it is let go."""

    def __init__(self, step, when, by):
        self._step = step
        self._when = when
        self._by = by
        self.reached = threading.Event()
        self.over = threading.Event()

    def before(self, step):
        self._hold(step, "before")

    def after(self, step, seconds, error):
        self._hold(step, "after")

    def _hold(self, step, when):
        if (
            when == self._when
            and (step == self._step or self._step in atoms(step))
            and self._by(threading.current_thread().name)
            and not self.reached.is_set()
        ):
            self.reached.set()
            self.over.wait(20)


@contextlib.contextmanager
def paused(step, when, *, by):
    pause = Pause(step, when, by)
    leave = failpoints.listen(pause)
    try:
        yield pause
    finally:
        pause.over.set()
        leave()


def a_verb(thread):
    return thread.startswith("rpc")


def the_repair(thread):
    return not a_verb(thread)
