"""Changes that become due: the asynchronous half of every write.

A write is accepted at once and ends later, as in the cloud. Its end is a Transition in a heap ordered by
time; `CloudRegion.run_due` takes the due ones, carries out their effects on the data plane and then lets them
change the state, so that the API never shows a state that the packets do not follow. Not thread-safe.
"""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.cloud.state.resources import Task
from simulator.fabric.api import Fabric

Effect = Callable[[Fabric], None]
"""One call of the data plane; its arguments are bound when the change becomes due."""


class Change:
    """How a task ends. A subclass holds the objects that the task works on."""

    def effects(self) -> Sequence[Effect]:
        """Give what the data plane must do first; by default nothing."""
        return ()

    def done(self) -> None:
        """Change the state after the effects were carried out."""
        raise NotImplementedError

    def failed(self) -> None:
        """Take back what the acceptance of the write had changed."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The end of one task at a moment."""

    due: float
    task: Task
    change: Change


class Schedule:
    """Transitions by due time; those due at one moment keep the order in which they were added."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Transition]] = []
        self._order = itertools.count()

    def add(self, transition: Transition) -> None:
        """Remember a transition."""
        heapq.heappush(self._heap, (transition.due, next(self._order), transition))

    def next_due(self) -> float | None:
        """Give the moment of the first transition."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Transition | None:
        """Take the first transition if it is due."""
        if self._heap and self._heap[0][0] <= now:
            return heapq.heappop(self._heap)[2]
        return None

    def __len__(self) -> int:
        return len(self._heap)
