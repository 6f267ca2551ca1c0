"""How long a kind of task in the cloud takes, learnt from those that were waited for.

A look at a task costs a call, and all nodes of an account share the calls: one that comes too early is lost,
and one that comes late keeps a Pod waiting. So the first look is made when a quarter of the last tasks were
over. A first look that finds a task over does not say for how long it has been: so it counts for a little
less than it was waited, and for much less while no look at all has come too early. Pure arithmetic, for one
thread at a time.
"""

from collections import deque
from typing import Final

UNKNOWN: Final = 0.1
"""Seconds until the first look at a task of which nothing is known yet: no Pod waits for a guess."""
_KEPT: Final = 16
_PART: Final = 0.25
_LITTLE_LESS: Final = 0.97
_MUCH_LESS: Final = 0.8


class ExpectedDuration:
    """Invariant: `_seen` has when the last tasks were seen to be over, and if a look was too early."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        """Know nothing."""
        self._seen: deque[tuple[float, bool]] = deque(maxlen=_KEPT)

    @property
    def seconds(self) -> float:
        """When after its begin a task should be looked at for the first time."""
        if not self._seen:
            return UNKNOWN
        if not any(early for _, early in self._seen):
            return min(seconds for seconds, _ in self._seen) * _MUCH_LESS
        ranked = sorted(seconds if early else seconds * _LITTLE_LESS for seconds, early in self._seen)
        return ranked[int(_PART * len(ranked))]

    def observe(self, seconds: float, *, early: bool) -> None:
        """Learn that a task was over after so long; `early` when a look at its time had come too soon."""
        self._seen.append((seconds, early))
