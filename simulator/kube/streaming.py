"""How a watch is served over time: when to send, when to keep silent, when to end.

A WatchStream runs on the thread of its connection and knows no HTTP: the connection gives it the ends of the
line. Other threads reach it by its WatchControl and by waking the store.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from simulator.kube.objects import Obj
from simulator.kube.requests import Request
from simulator.kube.storage import CompactedError, Store
from simulator.kube.watching import Watch, WatchOptions

PATIENCE_SECONDS = 1.0
"""How long a thread waits for news before it looks whether its client is still there."""
_AT_ONCE = 100
"""Events that are written at once; the first of all that there is are sent before the last are spelt out."""
_SHORTEST_SECONDS = 1800.0
"""A stream whose client names no time-out lasts once to twice as long."""
# Not the process-wide generator: that one is hypothesis' while it draws an example.
_chance = random.Random()  # noqa: S311 - spreads reconnections, no secret


@dataclass(slots=True)
class WatchControl:
    """What the server may do to a running watch."""

    request: Request
    cut: bool = False
    """Break the connection."""
    expired: bool = False
    """End with the 410 ERROR event."""


@dataclass(frozen=True, slots=True)
class StreamEnds:
    """The line to the client."""

    send: Callable[[list[Obj]], None]
    gone: Callable[[], bool]
    """Whether the client or the server has hung up."""
    silenced: Callable[[], bool]
    """Whether a fault keeps the stream silent."""


class WatchStream:
    """One watch while it is served."""

    def __init__(self, store: Store, watch: Watch, options: WatchOptions, bookmark_seconds: float) -> None:
        """Serve `watch`, with a bookmark every so many seconds if the client asked for them."""
        self._store = store
        self._watch = watch
        self._bookmark_seconds = bookmark_seconds if options.bookmarks else None
        lasts = _SHORTEST_SECONDS * _chance.uniform(1, 2)
        self._end = time.monotonic() + (options.timeout or lasts)
        self._bookmark_at = self._next_bookmark()

    def run(self, line: StreamEnds, control: WatchControl) -> bool:
        """Send events as they come; returns whether the stream ends in order (else it is broken off)."""
        try:
            self._send(line, self._watch.initial())
            while True:
                tick = self._store.tick
                if control.cut or line.gone():
                    return False
                if line.silenced():
                    self._store.wait(tick, PATIENCE_SECONDS)
                    continue
                now = time.monotonic()
                if now >= self._end:
                    return True
                if control.expired:
                    line.send(
                        [self._watch.expired(CompactedError(self._watch.revision, self._store.revision))]
                    )
                    return True
                self._send(line, list(self._watch.next_events()))
                if now >= self._bookmark_at:
                    line.send([self._watch.bookmark()])
                    self._bookmark_at = self._next_bookmark()
                self._store.wait(tick, min(self._end - now, self._bookmark_at - now, PATIENCE_SECONDS))
        except CompactedError as error:
            line.send([self._watch.expired(error)])
            return True

    def _send(self, line: StreamEnds, events: list[Obj]) -> None:
        for start in range(0, len(events), _AT_ONCE):
            line.send(events[start : start + _AT_ONCE])

    def _next_bookmark(self) -> float:
        return float("inf") if self._bookmark_seconds is None else time.monotonic() + self._bookmark_seconds
