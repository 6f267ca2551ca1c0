"""How long a kind of task in the cloud takes, learnt from those that were waited for.

A look at a task costs a call, and all nodes of an account share the calls: one that comes too early is lost,
and one that comes late keeps a Pod waiting. So the first look is made when a quarter of the last tasks were
over. What is observed is when a look has shown the end, which is later than the end: so the expectation goes
down a little as long as first looks find the task over, and up when they come too early. Pure arithmetic,
for one thread at a time.
"""

from collections import deque
from typing import Final

UNKNOWN: Final = 0.5
"""Seconds expected of a task of which nothing is known yet; most take one to three in the real cloud."""
_KEPT: Final = 16
_PART: Final = 0.25
_EARLIER: Final = 0.97
_HALVING: Final = 0.5
"""While no look has ever been too early there is no telling how much shorter the tasks are."""


class ExpectedDuration:
    """Invariant: `_seen` has the seconds after which the last tasks were seen to be over."""

    __slots__ = ("_seen", "_was_early")

    def __init__(self) -> None:
        """Know nothing."""
        self._seen: deque[float] = deque(maxlen=_KEPT)
        self._was_early = False

    @property
    def seconds(self) -> float:
        """When after its begin a task should be looked at for the first time."""
        if not self._seen:
            return UNKNOWN
        if not self._was_early:
            return min(self._seen) * _HALVING
        ranked = sorted(self._seen)
        return ranked[int(_PART * len(ranked))] * _EARLIER

    def observe(self, seconds: float, *, early: bool) -> None:
        """Learn that a task was over after so long; `early` when a look at its time had come too soon."""
        self._was_early = self._was_early or early
        self._seen.append(seconds)
