"""A point in time that a whole job may not pass, handed down from the job to each of its steps.

The deadline is absolute, so that ten steps of one second each cannot add up to more than was promised. The
clock is an argument: this module reads none and never sleeps.
"""

from collections.abc import Callable
from typing import Self


class Deadline:
    """An instant on a monotonic clock, in seconds.

    Thread safety: immutable; share it freely.
    """

    __slots__ = ("_at", "_clock")

    def __init__(self, at: float, clock: Callable[[], float]) -> None:
        """Take the instant `at` and the monotonic clock that it is read on."""
        self._at = at
        self._clock = clock

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float]) -> Self:
        """Return the deadline that is `seconds` from now."""
        return cls(clock() + seconds, clock)

    @property
    def at(self) -> float:
        """The instant, on the clock it was made with."""
        return self._at

    @property
    def expired(self) -> bool:
        """Whether the instant has come."""
        return self._clock() >= self._at

    def remaining(self) -> float:
        """Return the seconds that are left; never negative."""
        return max(0.0, self._at - self._clock())

    def cap(self, seconds: float) -> float:
        """Return how long a wait that would like `seconds` may last."""
        return min(seconds, self.remaining())

    def within(self, seconds: float) -> "Deadline":
        """Return the deadline of a step that may take `seconds`: never later than this one."""
        return Deadline(min(self._at, self._clock() + seconds), self._clock)

    def __repr__(self) -> str:
        return f"Deadline(in {self.remaining():.3f} s)"
