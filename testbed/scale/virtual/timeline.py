"""Virtual time: many things that take turns, each telling when it goes on; nobody sleeps. For one thread."""

import heapq
import itertools
from collections.abc import Iterator

Work = Iterator["float | Signal"]
"""Yields the seconds after which it goes on, or what it waits for."""


class Signal:
    """Something that happens once."""

    def __init__(self, timeline: "Timeline") -> None:
        self._timeline = timeline
        self._waiting: list[Work] = []
        self.is_set = False

    def set(self) -> None:
        """Let it happen: who waits goes on now."""
        self.is_set = True
        for work in self._waiting:
            self._timeline.start(work)
        self._waiting.clear()

    def wait(self, work: Work) -> None:
        """Let the work go on when it happens."""
        if self.is_set:
            self._timeline.start(work)
        else:
            self._waiting.append(work)


class Timeline:
    """Invariant: `now` never goes back, and work goes on in the order in which it is due."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0.0
        self._due: list[tuple[float, int, Work]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        """Return the time, as a clock."""
        return self.now

    def start(self, work: Work, after: float = 0.0) -> None:
        """Let work begin, or go on, in so many seconds."""
        heapq.heappush(self._due, (self.now + after, next(self._numbers), work))

    def run(self, until: float = float("inf")) -> None:
        """Let time pass until nothing is left to do, or until then."""
        while self._due and self._due[0][0] <= until:
            self.now, _, work = heapq.heappop(self._due)
            step = next(work, None)
            if isinstance(step, Signal):
                step.wait(work)
            elif step is not None:
                self.start(work, max(0.0, step))
