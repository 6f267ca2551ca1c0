"""What a service shows of itself in numbers: plain values, made when somebody asks.

`ipamd.metrics` makes a page for Prometheus of them; nothing else has to know of that library.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How often something took how long."""

    counts: tuple[tuple[float, int], ...]
    """Upper bound of each bucket, and how many were below it; the last bound is infinite."""
    total: float
    """The sum of all values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number, or one for each value of its labels, which are from small, fixed sets.

    Invariant: each key of `samples` has as many values as there are labels.
    """

    name: str
    text: str
    kind: Literal["gauge", "counter", "histogram"] = "gauge"
    labels: tuple[str, ...] = ()
    samples: Mapping[tuple[str, ...], float] = field(default_factory=lambda: MappingProxyType({}))
    """Of a gauge or a counter."""
    distribution: Distribution | None = None
    """Of a histogram, which has no labels."""


Source = Callable[[], Iterable[Metric]]
"""Makes the numbers; may be called from any thread."""


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a number that goes up and down."""
    return Metric(name=name, text=text, samples={(): value})


def gauges(name: str, text: str, label: str, samples: Mapping[str, float]) -> Metric:
    """Return such a number for each value of a label."""
    return Metric(name=name, text=text, labels=(label,), samples=_keyed(samples))


def gauge_table(
    name: str, text: str, labels: tuple[str, ...], samples: Mapping[tuple[str, ...], float]
) -> Metric:
    """Return such a number for several labels together."""
    return Metric(name=name, text=text, labels=labels, samples=samples)


def counter(name: str, text: str, value: float) -> Metric:
    """Return a number that only grows; its name is shown with `_total` behind it."""
    return Metric(name=name, text=text, kind="counter", samples={(): value})


def counters(name: str, text: str, label: str, samples: Mapping[str, float]) -> Metric:
    """Return such a number for each value of a label."""
    return Metric(name=name, text=text, kind="counter", labels=(label,), samples=_keyed(samples))


def counter_table(
    name: str, text: str, labels: tuple[str, ...], samples: Mapping[tuple[str, ...], float]
) -> Metric:
    """Return such a number for several labels together."""
    return Metric(name=name, text=text, kind="counter", labels=labels, samples=samples)


def histogram(name: str, text: str, distribution: Distribution) -> Metric:
    """Return how often something took how long."""
    return Metric(name=name, text=text, kind="histogram", distribution=distribution)


def _keyed(samples: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(value,): number for value, number in samples.items()}
