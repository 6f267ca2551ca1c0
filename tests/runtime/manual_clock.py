"""A clock that a test moves: what waits by it waits until the test says so."""

import threading

from tests.testkit.eventually import eventually


class ManualClock:
    """Invariant: `waits` has the seconds of each wait that goes on, in order of their beginning."""

    def __init__(self):
        self._changed = threading.Condition()
        self._now = 1000.0
        self.waits = []

    def now(self):
        return self._now

    def wait(self, event, seconds):
        """Wait until the event is set or the test has let so much time pass."""
        with self._changed:
            due = float("inf") if seconds is None else self._now + seconds
            if self._now >= due:
                return event.is_set()
            self.waits.append(seconds)
            try:
                while not event.is_set() and self._now < due:
                    self._changed.wait(0.005)
            finally:
                self.waits.remove(seconds)
            return event.is_set()

    def advance(self, seconds):
        with self._changed:
            self._now += seconds
            self._changed.notify_all()

    def wait_asleep(self):
        """Return how long somebody sleeps now, once somebody does."""
        return eventually(lambda: self.waits and self.waits[-1])

    def advance_past_sleep(self):
        """Let the time pass for which somebody sleeps."""
        self.advance(self.wait_asleep())
