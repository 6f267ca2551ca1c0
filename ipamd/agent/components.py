"""What the node depends on, each with when it was well last and with its trouble: for people.

Thread safety: any thread may ask.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ipamd.runtime.metric import Metric, gauges
from ipamd.runtime.reachability import Reachability

Sentences = Callable[[], list[str]]
"""Returns one sentence for each thing that is wrong now."""
LastGood = Callable[[], float | None]
"""Returns when it was well the last time, by the monotonic clock; None for never."""


def _none_needed() -> float | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeComponent:
    """One thing that the node depends on."""

    name: str
    troubles: Sentences
    last_good: LastGood = _none_needed
    detail: Callable[[], str] = str


def outside(reachability: Reachability, troubles: Sentences = list) -> NodeComponent:
    """Return somebody outside: troubled also by silence, as `ipamctl check` says it."""
    return NodeComponent(
        name=reachability.name,
        troubles=lambda: [*reachability.silence(), *troubles()],
        last_good=lambda: reachability.answered_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSight:
    """How it is now."""

    name: str
    age: float | None
    """Seconds since it was well; None for never, or where that says nothing."""
    detail: str
    troubles: tuple[str, ...]


class NodeComponents:
    """The components of one node, in the order in which they are told."""

    def __init__(
        self, components: Sequence[NodeComponent], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Take them, and the clock of their `last_good`."""
        self._components: Final = tuple(components)
        self._monotonic = monotonic

    def look(self) -> list[ComponentSight]:
        """Return how all of them are."""
        now = self._monotonic()
        return [_seen(component, now) for component in self._components]

    def metrics(self) -> Iterator[Metric]:
        """Yield how much is wrong with each."""
        yield gauges(
            "tke_eni_component_troubles",
            "What is wrong with each of what the node depends on (ipamctl status).",
            "component",
            {component.name: len(component.troubles()) for component in self._components},
        )


def _seen(component: NodeComponent, now: float) -> ComponentSight:
    at = component.last_good()
    return ComponentSight(
        name=component.name,
        age=None if at is None else max(0.0, now - at),
        detail=component.detail(),
        troubles=tuple(component.troubles()),
    )
