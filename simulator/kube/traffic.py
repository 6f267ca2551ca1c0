"""Counts of requests by verb, resource and user agent, so that a test can say how much a client asks.

Thread-safe: one lock.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from simulator.kube.objects import Obj

_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Call:
    """One request that arrived."""

    at: float
    """Monotonic seconds."""
    verb: str
    resource: str
    user_agent: str


class Traffic:
    """The requests that a server got. Invariant: at most the last 100 000 are kept, the totals are of all."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing counted."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=_REMEMBERED)
        self._totals: Counter[tuple[str, str, str]] = Counter()
        self._codes: Counter[int] = Counter()

    def record(self, verb: str, resource: str, user_agent: str) -> None:
        """Count a request when it arrives."""
        with self._lock:
            self._calls.append(Call(self._monotonic(), verb, resource, user_agent))
            self._totals[verb, resource, user_agent] += 1

    def answered(self, code: int) -> None:
        """Count an answer by its HTTP status."""
        with self._lock:
            self._codes[code] += 1

    def count(self, *, verb: str = "", resource: str = "", user_agent: str = "") -> int:
        """Return how many requests there were; "" means any, `user_agent` is a part of the header."""
        with self._lock:
            return sum(
                number
                for (seen_verb, seen_resource, seen_agent), number in self._totals.items()
                if verb in ("", seen_verb) and resource in ("", seen_resource) and user_agent in seen_agent
            )

    def busiest_second(self, user_agent: str = "") -> int:
        """Return the most requests that a user agent made within any one second."""
        with self._lock:
            times = [call.at for call in self._calls if user_agent in call.user_agent]
        most, first = 0, 0
        for last, at in enumerate(times):
            while at - times[first] >= 1.0:
                first += 1
            most = max(most, last - first + 1)
        return most

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._calls.clear()
            self._totals.clear()
            self._codes.clear()

    def as_json(self) -> Obj:
        """Return the counts for the admin API."""
        with self._lock:
            agents = sorted({agent for _, _, agent in self._totals})
        busiest = {agent: self.busiest_second(agent) for agent in agents}
        with self._lock:
            requests = [
                {"verb": verb, "resource": resource, "userAgent": agent, "count": number}
                for (verb, resource, agent), number in sorted(self._totals.items())
            ]
            codes = {str(code): count for code, count in sorted(self._codes.items())}
            return {"requests": requests, "codes": codes, "busiestSecond": busiest}
