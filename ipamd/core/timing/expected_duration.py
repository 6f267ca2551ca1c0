"""How long a kind of task in the cloud takes, learnt from those that were waited for.

A look at a task costs a call, and all nodes of an account share the calls: one that comes too early is lost,
and one that comes late keeps a Pod waiting. So the first look is made when a quarter of the last tasks were
over. A first look that finds a task over does not say for how long it has been: the truth is sought half-way
to the last look that is known to have come too early, and at a much shorter time while there is none. Where
such a look is near, there is nothing to be gained: who looked still earlier would only look in vain, as tasks
of one kind often take the same time. A look that came later than it was due, because the machine is busy,
says no more than that the task was over by then: it makes the next ones neither later nor much sooner.
A look that came too early is followed by one when most of those were over that took longer, which is a moment
later where tasks take about the same time. Pure arithmetic, for one thread at a time.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = 0.1
"""Seconds until the first look at a task of which nothing is known yet: no Pod waits for a guess."""
_KEPT: Final = 16
_PART: Final = 0.25
_MOST: Final = 0.75
_NEAR: Final = 0.05
"""Part of a duration that is not worth a look in vain."""
_MUCH_LESS: Final = 0.8


@dataclass(frozen=True, slots=True)
class _Ended:
    """A task that was seen to be over; seconds since its begin."""

    due: float
    """When the look that showed it was to come."""
    seen: float
    """When it came."""
    too_early: float
    """When the look before it came, that did not show it; 0 if there was none."""


class ExpectedDuration:
    """Invariant: `_seen` has the last tasks, the newest at the end."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        """Know nothing."""
        self._seen: deque[_Ended] = deque(maxlen=_KEPT)

    @property
    def seconds(self) -> float:
        """When after its begin a task should be looked at for the first time."""
        if not self._seen:
            return UNKNOWN
        too_early = sorted(task.too_early for task in self._seen if task.too_early)
        ranked = sorted(_look_for(task, too_early) for task in self._seen)
        return ranked[int(_PART * len(ranked)) if too_early else 0]

    def most_over(self, age: float) -> float | None:
        """Return when most of the tasks were seen to be over that took longer than `age`; None if none did.

        Seconds since the begin, as `age`, at which a task was looked at and was not over.
        """
        later = sorted(task.due for task in self._seen if task.due > age)
        return later[int(_MOST * len(later))] if later else None

    def observe(self, due: float, *, seen: float | None = None, too_early: float = 0.0) -> None:
        """Learn that a task was over at a look that was due after so long, and came after `seen` (then).

        The look before it came after `too_early`, and did not show it; 0 if there was none.
        """
        self._seen.append(_Ended(due, due if seen is None else max(due, seen), too_early))


def _look_for(task: _Ended, too_early: list[float]) -> float:
    """Return when to look for such a task the next time."""
    if task.too_early:
        return task.due
    floor = max((early for early in too_early if early < task.seen), default=0.0)
    if task.seen - floor <= _NEAR * task.seen:
        return task.due
    return min(task.due, max((floor + task.seen) / 2, task.seen * _MUCH_LESS))
