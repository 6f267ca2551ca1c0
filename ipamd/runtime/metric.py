"""What a service shows of itself in numbers: plain values, made when somebody asks.

`ipamd.metrics` makes a page for Prometheus of them; nothing else has to know of that library.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number, or one for each value of a label from a small, fixed set."""

    name: str
    text: str
    kind: Literal["gauge", "counter"] = "gauge"
    label: str = ""
    """Empty: there is one number, at the empty value."""
    samples: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


Source = Callable[[], Iterable[Metric]]
"""Makes the numbers; may be called from any thread."""


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a number that goes up and down."""
    return Metric(name=name, text=text, samples={"": value})


def gauges(name: str, text: str, label: str, samples: Mapping[str, float]) -> Metric:
    """Return such a number for each value of a label."""
    return Metric(name=name, text=text, label=label, samples=samples)


def counter(name: str, text: str, value: float) -> Metric:
    """Return a number that only grows; its name is shown with `_total` behind it."""
    return Metric(name=name, text=text, kind="counter", samples={"": value})


def counters(name: str, text: str, label: str, samples: Mapping[str, float]) -> Metric:
    """Return such a number for each value of a label."""
    return Metric(name=name, text=text, kind="counter", label=label, samples=samples)
