"""One thing that has happened to a Pod, and the bounded memory of such things. Pure."""

import re
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ipamd.core.text.sameness import essence
from ipamd.core.timing.boottime import Boottime

MOST_PODS: Final = 512
"""Twice what a node may run: Pods that are gone are remembered as well."""
MOST_EVENTS: Final = 48
"""Of one Pod: an ADD that is tried again for hours repeats itself, and is kept once."""
_REQUEST_ID: Final = re.compile(r"RequestId ([0-9A-Za-z-]{1,80})")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodEvent:
    """One thing that has happened."""

    at: Boottime
    pod: str
    """namespace/name."""
    step: str
    """In one word: seen, claim, order, address, ADD, bind, DEL and so on."""
    text: str
    failed: bool = False
    took: float | None = None
    """Seconds, where something ended whose beginning is known."""
    count: int = 1
    """How often it has happened like this in a row; `at` is the last time."""
    first: Boottime | None = None
    """The first time, if it has happened more than once."""

    @property
    def began(self) -> Boottime:
        """When it happened first."""
        return self.at if self.first is None else self.first

    @property
    def request_id(self) -> str:
        """The cloud's id of the request that it speaks of; empty if it speaks of none."""
        found = _REQUEST_ID.search(self.text)
        return found[1] if found else ""

    def repeats(self, other: "PodEvent") -> bool:
        """Whether it is the same as another but for times and RequestIds."""
        alike = self.step == other.step and self.failed == other.failed
        return alike and essence(self.text) == essence(other.text)


class PodMemory:
    """What has happened to the Pods that something has happened to last.

    Invariant: at most MOST_PODS Pods with at most MOST_EVENTS events each, in the order of their times.
    """

    def __init__(self, *, pods: int = MOST_PODS, events: int = MOST_EVENTS) -> None:
        """Start with nothing."""
        self._most_pods = pods
        self._most_events = events
        self._pods: OrderedDict[str, deque[PodEvent]] = OrderedDict()

    def add(self, event: PodEvent) -> PodEvent:
        """Remember an event; return it as it is remembered.

        A clock that seems to run backward (two threads have read it) does not change the order. What repeats
        the last event is counted.
        """
        events = self._pods.setdefault(event.pod, deque(maxlen=self._most_events))
        self._pods.move_to_end(event.pod)
        if events and event.at < events[-1].at:
            event = replace(event, at=events[-1].at)
        if events and event.repeats(events[-1]):
            last = events.pop()
            event = replace(event, count=last.count + 1, first=last.began)
        events.append(event)
        if len(self._pods) > self._most_pods:
            self._pods.popitem(last=False)
        return event

    def of(self, pod: str) -> tuple[PodEvent, ...]:
        """Return what is remembered of a Pod, in order."""
        return tuple(self._pods.get(pod, ()))

    def __iter__(self) -> Iterator[str]:
        """Yield the Pods of which something is remembered."""
        return iter(tuple(self._pods))
