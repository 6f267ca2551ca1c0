"""How long to wait before the next attempt: exponential, bounded, and jittered so that nodes spread out.

Half of each delay is fixed and half is random: a fleet that was throttled at one moment does not come back
at one moment, and no attempt follows at once. The random source is an argument; nothing sleeps here.
"""

from collections.abc import Callable
from dataclasses import dataclass

_MOST_DOUBLINGS = 60
"""Beyond it every sensible `longest` is reached; keeps the power within a float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """A schedule of delays in seconds; immutable, shared by all users of it."""

    first: float = 0.2
    longest: float = 5.0
    factor: float = 2.0

    def __post_init__(self) -> None:
        """Refuse a schedule that would not wait or would shrink."""
        if not (0 < self.first <= self.longest and self.factor >= 1):
            msg = f"a back-off needs 0 < first <= longest and factor >= 1, not {self}"
            raise ValueError(msg)

    def delay(self, attempt: int, random: Callable[[], float]) -> float:
        """Return the seconds to wait after failed attempt number `attempt` (1 is the first).

        `random` gives a float in [0, 1), as `random.random` does.
        """
        ceiling = self.ceiling(attempt)
        return ceiling / 2 + random() * ceiling / 2

    def ceiling(self, attempt: int) -> float:
        """Return the longest delay that may follow attempt number `attempt`."""
        power = min(max(0, attempt - 1), _MOST_DOUBLINGS)
        return min(self.longest, self.first * self.factor**power)
