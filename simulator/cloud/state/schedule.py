"""Changes that become due: the asynchronous half of every write.

A write is accepted at once and ends later, as in the cloud. Its end is a Transition in a heap ordered by time;
`CloudRegion.run_due` takes the due ones, carries out their effects on the data plane and then lets them change
the state, so that the API never shows a state that the packets do not follow. Not thread-safe.
"""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.fabric.api import Fabric

if TYPE_CHECKING:
    from simulator.cloud.state.resources import Task

Effect = Callable[[Fabric], None]
"""One call of the data plane; its arguments are bound when the transition becomes due."""


def no_effects() -> Sequence[Effect]:
    """Give the effects of a change that the data plane does not see."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The end of one task: what the data plane must do, and the state after success or failure.

    `done` and `failed` get the moment at which the transition was due.
    """

    due: float
    task: "Task"
    done: Callable[[float], None]
    failed: Callable[[float], None]
    effects: Callable[[], Sequence[Effect]] = no_effects


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
