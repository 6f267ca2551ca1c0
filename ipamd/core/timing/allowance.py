"""How often something may be done at once, and how often in the long run. Pure."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A bucket of tokens, each for one time; `now` is monotonic, in seconds.

    Invariant: 0 <= `left` <= `burst`.
    """

    burst: int
    period: float
    """Seconds after which one token comes back."""
    left: float
    as_of: float

    @classmethod
    def full(cls, burst: int, period: float, now: float) -> "Allowance":
        """Return one of which nothing was used yet."""
        return cls(burst=burst, period=period, left=float(burst), as_of=now)

    def wait(self, now: float) -> float:
        """Return the seconds until it may be done again; 0 is now."""
        return max(0.0, (1.0 - self._at(now).left) * self.period)

    def used(self, now: float) -> "Allowance":
        """Return what is left after doing it now."""
        current = self._at(now)
        return replace(current, left=max(0.0, current.left - 1.0))

    def _at(self, now: float) -> "Allowance":
        gained = max(0.0, now - self.as_of) / self.period
        return replace(self, left=min(float(self.burst), self.left + gained), as_of=max(now, self.as_of))
