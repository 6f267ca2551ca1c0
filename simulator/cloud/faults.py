"""Faults on demand: what goes wrong, for which action, how often.

A FaultPlan is set from tests in-process or from JSON through `apply`; the server and the actions draw from it
at the point where a kind of fault bites. Every fault that was drawn is counted. Thread-safe behind its own
lock. With one seed and one sequence of calls the same calls are hit.
"""

import dataclasses
import itertools
import random
import threading
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """What can be injected; the comment says what is done about the action itself."""

    THROTTLE = "throttle"
    """The answer that a rate limit gives; nothing is done."""
    ERROR = "error"
    """`code` and `message`; nothing is done."""
    BUSY = "busy"
    """The action's "mutually exclusive task is running"; nothing is done."""
    LATENCY = "latency"
    """The action is done `seconds` later; a repeat with its ClientToken meets a request in progress."""
    TIMEOUT_BEFORE = "timeout_before"
    """The connection is closed after `seconds` without an answer; nothing is done."""
    TIMEOUT_AFTER = "timeout_after"
    """The action is done, then the connection is closed after `seconds` without an answer."""
    HTTP_500 = "http_500"
    """Status 500 with an HTML body; nothing is done."""
    BROKEN_JSON = "broken_json"
    """The action is done and the answer cut in the middle."""
    NO_DATE = "no_date"
    """The action is done; the answer has no Date header, as behind a proxy that strips it."""
    STALE_READ = "stale_read"
    """A Describe action answers from `seconds` ago, at most from when the fault was set."""
    PARTIAL = "partial"
    """AssignPrivateIpAddresses gives `count_given` addresses at most."""
    TASK_FAILURE = "task_failure"
    """The action is accepted; its task ends in FAILED and changes nothing."""


class FaultError(ValueError):
    """A description of a fault is wrong; the message names the field and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault to inject."""

    kind: FaultKind
    action: str = "*"
    """Name of the action; * is any."""
    count: int | None = 1
    """How many calls are hit before the fault is used up; None never ends."""
    probability: float = 1.0
    """Share of the matching calls that are hit."""
    seconds: float = 0.0
    code: str = "InternalError"
    message: str = "An injected fault."
    count_given: int = 0
    about: str = ""
    """Of kind error: only calls that have this value among their parameters, such as the id of an ENI."""


class FaultPlan:
    """The faults in force. Invariant: a fault with a count is drawn at most that often."""

    def __init__(self, seed: int = 0) -> None:
        """Start without faults; `seed` decides which calls a probability hits."""
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - repeatable choice, not a secret
        self._numbers = itertools.count(1)
        self._faults: dict[int, Fault] = {}
        self._injected: Counter[str] = Counter()

    def add(self, fault: Fault) -> int:
        """Put a fault in force; give its number."""
        with self._lock:
            number = next(self._numbers)
            self._faults[number] = fault
            return number

    def remove(self, number: int) -> None:
        """Take a fault back; one that is used up or unknown is not an error."""
        with self._lock:
            self._faults.pop(number, None)

    def clear(self, seed: int | None = None) -> None:
        """Take all faults back; counters stay. With a seed the choice by probability starts anew."""
        with self._lock:
            self._faults.clear()
            if seed is not None:
                self._random.seed(seed)

    def take(self, action: str, kind: FaultKind, about: Collection[object] = ()) -> Fault | None:
        """Draw the first fault of `kind` that hits this call of `action`, with these values in it."""
        with self._lock:
            for number, fault in self._faults.items():
                if fault.kind is not kind or fault.action not in ("*", action) or fault.count == 0:
                    continue
                if fault.about and fault.about not in about:
                    continue
                if fault.probability < 1 and self._random.random() >= fault.probability:
                    continue
                if fault.count is not None:
                    left = fault.count - 1
                    if left > 0:
                        self._faults[number] = dataclasses.replace(fault, count=left)
                    else:
                        del self._faults[number]
                self._injected[f"{kind}:{action}"] += 1
                return fault
            return None

    def longest_stale_read(self) -> float | None:
        """Give the oldest answer that a fault in force may ask for, in seconds; None without one."""
        with self._lock:
            ages = [fault.seconds for fault in self._faults.values() if fault.kind is FaultKind.STALE_READ]
            return max(ages, default=None)

    def injected(self) -> dict[str, int]:
        """Count the faults drawn so far by `kind:action`."""
        with self._lock:
            return dict(self._injected)

    def in_force(self) -> dict[int, Fault]:
        """Give the faults in force by number."""
        with self._lock:
            return dict(self._faults)


def apply(plan: FaultPlan, document: Mapping[str, Any]) -> dict[str, Any]:
    """Change a plan as a JSON document says and give its state.

    Keys, all optional, in this order: `clear` (true), `seed` (int, with clear), `remove` (list of numbers),
    `add` (list of objects with the fields of Fault; only `kind` is needed). Raises FaultError and changes
    nothing when a fault is described wrongly.
    """
    unknown = sorted(set(document) - {"clear", "seed", "remove", "add"})
    if unknown:
        raise FaultError(f"unknown key {unknown[0]!r}; allowed are clear, seed, remove, add")
    faults = [fault_from(entry) for entry in document.get("add", [])]
    if document.get("clear"):
        plan.clear(document.get("seed"))
    for number in document.get("remove", []):
        plan.remove(int(number))
    added = [plan.add(fault) for fault in faults]
    return {
        "added": added,
        "in_force": {str(number): dataclasses.asdict(fault) for number, fault in plan.in_force().items()},
        "injected": plan.injected(),
    }


def fault_from(entry: Mapping[str, Any]) -> Fault:
    """Build a fault from a JSON object; raise FaultError naming the wrong field."""
    fields = {field.name: field.type for field in dataclasses.fields(Fault)}
    unknown = sorted(set(entry) - set(fields))
    if unknown:
        raise FaultError(f"a fault has no field {unknown[0]!r}; allowed are {', '.join(fields)}")
    kinds = [kind.value for kind in FaultKind]
    if entry.get("kind") not in kinds:
        raise FaultError(f"kind must be one of {', '.join(kinds)}, not {entry.get('kind')!r}")
    values = {**entry, "kind": FaultKind(entry["kind"])}
    for name in ("action", "code", "message", "about"):
        if not isinstance(values.get(name, ""), str):
            raise FaultError(f"{name} must be a string, not {values[name]!r}")
    for name in ("count", "count_given"):
        value = values.get(name)
        if value is not None and (type(value) is not int or value < 0):
            raise FaultError(f"{name} must be a number of calls, not {value!r}")
    for name in ("probability", "seconds"):
        value = values.get(name, 0.0)
        if type(value) not in (int, float) or value < 0:
            raise FaultError(f"{name} must be a number that is not negative, not {value!r}")
    return Fault(**values)
