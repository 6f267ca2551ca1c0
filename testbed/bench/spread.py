"""A figure with its spread: the median of what was measured, the quartiles, and how often it was. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Invariant: the median lies between the quartiles, which are equal when there was one value."""

    median: float
    low: float
    """First quartile."""
    high: float
    """Third quartile."""
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Return the spread of at least one value. Raises: ValueError without any."""
        if not values:
            raise ValueError("nothing was measured")
        if len(values) == 1:
            return cls(median=values[0], low=values[0], high=values[0], n=1)
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median=median(values), low=low, high=high, n=len(values))

    @classmethod
    def of_ratios(cls, ours: Sequence[float], theirs: Sequence[float]) -> Self:
        """Return the spread of ours / theirs, round by round: what slows a whole round slows both.

        Raises: ValueError when the rounds are not the same in number, or none.
        """
        return cls.of([mine / other for mine, other in zip(ours, theirs, strict=True)])
