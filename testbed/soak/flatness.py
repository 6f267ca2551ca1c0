"""Whether a figure is flat over time: its slope, found so that a few odd samples do not matter. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

WARM_UP = 1 / 3
"""Part of the time that is not judged: caches fill, threads are started, memory is taken for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One figure, sampled again and again; the times rise."""

    name: str
    allowed: float
    """By how much it may grow in the time that is judged."""
    samples: tuple[tuple[float, float], ...]
    """Pairs of seconds and value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a series came to, after the warm-up."""

    name: str
    start: float
    end: float
    growth: float
    """Slope times the seconds that were judged."""
    allowed: float

    @property
    def flat(self) -> bool:
        """Whether it has not grown more than it may; that it shrinks is no leak."""
        return self.growth <= self.allowed


def judge(series: Series) -> Verdict:
    """Return the verdict; ValueError with too few samples to tell."""
    if not series.samples:
        raise ValueError(f"{series.name} was never sampled")
    begin, end = series.samples[0][0], series.samples[-1][0]
    judged = [pair for pair in series.samples if pair[0] >= begin + WARM_UP * (end - begin)]
    if len(judged) < _FEWEST:
        raise ValueError(f"{series.name} has {len(judged)} samples after the warm-up; {_FEWEST} are needed")
    seconds = judged[-1][0] - judged[0][0]
    third = max(1, len(judged) // 3)
    return Verdict(
        name=series.name,
        start=median(value for _, value in judged[:third]),
        end=median(value for _, value in judged[-third:]),
        growth=slope(judged) * seconds,
        allowed=series.allowed,
    )


_FEWEST = 6


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between all pairs (Theil and Sen), 0 for a single moment."""
    found = [(b - a) / (t - s) for (s, a), (t, b) in combinations(samples, 2) if t > s]
    return median(found) if found else 0.0
