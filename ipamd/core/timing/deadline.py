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

    __slots__ = ("_at", "_clock", "_in_vain")

    def __init__(
        self, at: float, clock: Callable[[], float], in_vain: Callable[[], bool] = lambda: False
    ) -> None:
        """Take the instant `at`, the monotonic clock that it is read on, and what ends the job sooner."""
        self._at = at
        self._clock = clock
        self._in_vain = in_vain

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
        """Whether the instant has come, or the job is in vain."""
        return self._clock() >= self._at or self._in_vain()

    def remaining(self) -> float:
        """Return the seconds that are left; never negative, and none for a job that is in vain."""
        return 0.0 if self._in_vain() else max(0.0, self._at - self._clock())

    def cap(self, seconds: float) -> float:
        """Return how long a wait that would like `seconds` may last."""
        return min(seconds, self.remaining())

    def within(self, seconds: float) -> "Deadline":
        """Return the deadline of a step that may take `seconds`: never later than this one."""
        return Deadline(min(self._at, self._clock() + seconds), self._clock, self._in_vain)

    def unless(self, in_vain: Callable[[], bool]) -> "Deadline":
        """Return the same deadline of a job that may turn out to be in vain, and then has no time left.

        `in_vain` is asked before each step, from any thread, and is quick; a step under way is not cut off.
        """
        return Deadline(self._at, self._clock, in_vain)

    def __repr__(self) -> str:
        return f"Deadline(in {self.remaining():.3f} s)"
