"""What was done and is still to be seen: the same is not done again at once.

Actions are decided by what the watches show. A watch that is behind, or frozen, shows the world as it was
before the action, and the action would be repeated as fast as it succeeds. So an action that is due again
unchanged is done more and more seldom (the idea of kube-controller-manager's expectations).
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ipamd.core.timing.backoff import Backoff

_BACKOFF = Backoff(first=1.0, longest=60.0)


@dataclass(frozen=True, slots=True)
class _Done:
    action: object
    times: int
    until: float


class Expectations:
    """The last success of each subject. Thread safety: any thread may call any method."""

    def __init__(self, *, clock: Callable[[], float], random: Callable[[], float]) -> None:
        """Take a clock in seconds and a source of floats in [0, 1)."""
        self._clock = clock
        self._random = random
        self._guard = threading.Lock()
        self._done: dict[str, _Done] = {}

    def done(self, subject: str, action: object) -> None:
        """Note a success; the very same action is too early from now on, each time for longer."""
        with self._guard:
            last = self._done.get(subject)
            times = last.times + 1 if last is not None and last.action == action else 1
            until = self._clock() + _BACKOFF.delay(times, self._random)
            self._done[subject] = _Done(action, times, until)

    def is_early(self, subject: str, action: object) -> bool:
        """Whether this very action has just succeeded: what shows that it did may be on its way."""
        with self._guard:
            last = self._done.get(subject)
            return last is not None and last.action == action and last.until > self._clock()

    def keep_only(self, subjects: Collection[str]) -> None:
        """Forget every other subject: nothing is due there, so what was done has been seen."""
        with self._guard:
            self._done = {subject: done for subject, done in self._done.items() if subject in subjects}
