"""How long the fault run may take: what it begins has to end, and to be judged, before its time is over."""

import math
import time
from dataclasses import dataclass
from typing import Final, Self

LEAST_MINUTES: Final = 10.0
"""What was begun last may take some minutes to end; less would leave no time to try anything."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Valid in all processes of a machine: CLOCK_MONOTONIC is one for all (clock_gettime(2))."""

    begins_until: float = math.inf
    """Monotonic seconds after which nothing is begun."""

    @classmethod
    def ending_at(cls, end: float, *, rest: float) -> Self:
        """Take the monotonic second at which all has to be over, and what the end itself takes."""
        return cls(end - rest)

    def is_over(self) -> bool:
        """Whether it is too late to begin something."""
        return time.monotonic() >= self.begins_until


UNLIMITED: Final = Budget()


def ends(minutes: float | None, parts: int, *, first: float = 0.6) -> list[float]:
    """Give the monotonic second at which each part has to be over; of two, the first has `first` of it."""
    if minutes is None:
        return [math.inf] * parts
    now, seconds = time.monotonic(), 60 * minutes
    return [now + seconds * (first if number < parts - 1 else 1.0) for number in range(parts)]
