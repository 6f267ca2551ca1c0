"""Faults on demand: what can go wrong between a client and an API server, switched on and off while it runs.

A Fault says which requests it is for (verb, resource, user agent; for a number of times or until it is
removed) and what happens to them. `Faults` holds the active ones, decides for each request, and counts. It
does nothing by itself: the connection carries out what was decided. The JSON forms are those of the
admin API:

    {"kind": "status", "verb": "list", "resource": "pods", "code": 429, "retryAfterSeconds": 2, "times": 3}

Thread-safe: one lock.
"""

import itertools
import threading
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Any

from simulator.kube import status
from simulator.kube.objects import Obj
from simulator.kube.requests import Request

_CHANGES = {"update", "patch", "delete"}
_MESSAGES = {
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: simulated"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
}


class FaultKind(Enum):
    """What happens to a request that a fault is for."""

    REFUSE = "refuse"
    """Nobody listens: connections are refused and open ones closed (all requests; no matching)."""
    CLOSE = "close"
    """The connection is closed without an answer."""
    HANG = "hang"
    """No answer comes and the connection stays open, until the fault is removed."""
    STATUS = "status"
    """The request fails with `code`, and `retryAfterSeconds` if given."""
    CONFLICT = "conflict"
    """Every `every`-th update, patch or delete fails with 409, as if another client had written first."""
    LATENCY = "latency"
    """The request is handled after `seconds`."""
    LOST_ANSWER = "lost-answer"
    """The request is carried out, then the connection is closed without an answer."""
    STALE = "stale"
    """A list for resourceVersion 0 shows the state of `revisions` writes ago: a watch cache that lags."""
    FREEZE = "freeze"
    """A watch, also one that runs, sends nothing and is not closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule. Empty `verb`, `resource`, `user_agent`, `name` match everything."""

    kind: FaultKind
    verb: str = ""
    resource: str = ""
    """`pods`, `nodes/status`."""
    user_agent: str = ""
    """Part of the User-Agent header."""
    name: str = ""
    times: int | None = None
    """How many requests it hits; None: any number until it is removed."""
    code: int = 503
    """HTTP status (STATUS)."""
    retry_after_seconds: int | None = None
    """Header and detail of the failure (STATUS)."""
    every: int = 2
    """Which of the writes (CONFLICT)."""
    revisions: int = 100
    """How far behind (STALE)."""
    seconds: float = 0.0
    """How late (LATENCY)."""

    def matches(self, request: Request, user_agent: str) -> bool:
        """Say whether the rule is for a request."""
        if self.kind is FaultKind.CONFLICT and request.verb not in _CHANGES:
            return False
        cached = request.verb == "list" and request.query.get("resourceVersion") == "0"
        if self.kind is FaultKind.STALE and not cached:
            return False
        return (
            self.verb in ("", request.verb)
            and self.resource in ("", request.counted_as)
            and self.name in ("", request.name)
            and self.user_agent in user_agent
        )

    def error(self, request: Request) -> status.ApiError:
        """Return the failure that the client sees (STATUS, CONFLICT)."""
        if self.kind is FaultKind.CONFLICT:
            return status.conflict(request.group, request.resource, request.name)
        reason, message = _MESSAGES.get(self.code, ("", f"simulated failure {self.code}"))
        if self.retry_after_seconds is None:
            return status.ApiError(status.failure(self.code, reason, message))
        details = {"retryAfterSeconds": self.retry_after_seconds}
        headers = {"Retry-After": str(self.retry_after_seconds)}
        return status.ApiError(status.failure(self.code, reason, message, details), headers=headers)


_JSON_NAMES = {"userAgent": "user_agent", "retryAfterSeconds": "retry_after_seconds"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "verb": str,
    "resource": str,
    "user_agent": str,
    "name": str,
    "times": int,
    "code": int,
    "retry_after_seconds": int,
    "every": int,
    "revisions": int,
    "seconds": (int, float),
}


def from_json(document: Obj) -> Fault:
    """Read a fault. Raises ValueError that names the member and what is allowed."""
    fields: dict[str, Any] = {_JSON_NAMES.get(key, key): value for key, value in document.items()}
    kinds = [kind.value for kind in FaultKind]
    kind = fields.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"fault kind {kind!r} is not known; use one of {', '.join(kinds)}")
    for name, value in fields.items():
        if name not in _TYPES:
            raise ValueError(f"fault {kind!r} has no member {name!r}; use {', '.join(sorted(_TYPES))}")
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            message = f"fault {kind!r}: {name} is {value!r}, which is not of its type"
            raise ValueError(message)  # noqa: TRY004 - wrong JSON is wrong input, not a wrong call
    if fields.get("every", 1) < 1 or fields.get("times", 1) < 1:
        raise ValueError(f"fault {kind!r}: every and times count from 1")
    return Fault(kind=FaultKind(kind), **fields)


class Faults:
    """The active faults of a server.

    Invariant: a fault with `times` hits no more than so often, but stays on the list (and what it made hang
    goes on to hang) until it is removed; `hits` counts every request that a fault changed.
    """

    def __init__(self) -> None:
        """No faults."""
        self._lock = threading.Lock()
        self._active: dict[int, Fault] = {}
        self._left: dict[int, int] = {}
        self._seen: Counter[int] = Counter()
        self._hits: Counter[str] = Counter()
        self._numbers = itertools.count(1)

    def add(self, fault: Fault) -> int:
        """Switch a fault on; returns the number to remove it by."""
        with self._lock:
            number = next(self._numbers)
            self._active[number] = fault
            if fault.times is not None:
                self._left[number] = fault.times
            return number

    def remove(self, number: int) -> None:
        """Switch a fault off; an unknown number is one that is off."""
        with self._lock:
            self._drop(number)

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            for number in list(self._active):
                self._drop(number)

    def take(self, request: Request, user_agent: str, *kinds: FaultKind) -> Fault | None:
        """Return the first fault of these kinds that hits a request, and count it."""
        with self._lock:
            for number, fault in self._active.items():
                if fault.kind not in kinds or not fault.matches(request, user_agent):
                    continue
                if self._left.get(number) == 0:
                    continue
                self._seen[number] += 1
                if fault.kind is FaultKind.CONFLICT and self._seen[number] % fault.every:
                    continue
                self._hits[fault.kind.value] += 1
                if number in self._left:
                    self._left[number] -= 1
                return fault
            return None

    def active(self, kind: FaultKind, request: Request | None = None, user_agent: str = "") -> bool:
        """Say whether a fault of the kind is on (for a request); counts nothing."""
        with self._lock:
            return any(
                fault.kind is kind and (request is None or fault.matches(request, user_agent))
                for fault in self._active.values()
            )

    def hits(self, kind: FaultKind) -> int:
        """Return how many requests faults of the kind have changed."""
        with self._lock:
            return self._hits[kind.value]

    def as_json(self) -> Obj:
        """Return the active faults and the counts for the admin API."""
        with self._lock:
            active = [
                {
                    "id": number,
                    "kind": fault.kind.value,
                    "verb": fault.verb,
                    "resource": fault.resource,
                    "userAgent": fault.user_agent,
                    "left": self._left.get(number),
                }
                for number, fault in self._active.items()
            ]
            return {"active": active, "hits": dict(self._hits)}

    def _drop(self, number: int) -> None:
        self._active.pop(number, None)
        self._left.pop(number, None)
        self._seen.pop(number, None)
