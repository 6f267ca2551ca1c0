"""The work queue: which objects are to be looked at, and when; serial for each, parallel for different ones.

A key that is added while a worker has it comes again afterwards, so no change is missed and no two workers
hold the same object. A failure brings the key back after a growing, jittered delay; a change of the object
brings it back at once. Of those that wait, some go first, and of some only a few are worked on at once
(`Turn`). The queue knows nothing of what the keys mean.
"""

import heapq
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from typing import Generic, TypeVar

from ipamd.core.timing.backoff import Backoff
from ipamd.runtime import chance

_LONGEST_WAIT = 3600.0
"""Seconds until a worker without work looks at the clock."""
_ECHO = 1.0
"""Seconds until a key that failed is worked on again because it changed meanwhile."""
_SHARE = 4
"""Each so many-th key that is taken is the oldest, whatever goes first."""
_PATIENT = 4
"""Keys with Turn.PATIENT that workers may hold at once, if nothing else is said."""
_STALE = 64
"""Entries of keys that came earlier that may be kept, beyond as many as there are keys."""

K = TypeVar("K", bound=Hashable)


class Turn(Enum):
    """When a key that waits is taken, compared with others; in this order."""

    FIRST = "first"
    ORDINARY = "ordinary"
    PATIENT = "patient"
    """Only a few of these are with workers at once: they must not spend what others need."""


class WorkQueue(Generic[K]):
    """Invariant: a key is with at most one worker, and waits at most once for now and once for later.

    A key of `_ready` is in one of `_lines`, the one that `_ready` names. `_heap` has an entry for each key of
    `_later`; after a push no more stale ones than that, and a few.

    Thread safety: any thread may call any method.
    """

    def __init__(
        self,
        *,
        backoff: Backoff | None = None,
        turn: Callable[[K], Turn] = lambda _: Turn.ORDINARY,
        patient: int = _PATIENT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how long failures are backed off from, and when which key is taken.

        `turn` is asked with the lock held: it returns at once and calls nothing of the queue. At most
        `patient` keys with Turn.PATIENT are with workers at once.
        """
        self._turn = turn
        self._patient = patient
        self._lines: dict[Turn, dict[K, int]] = {turn: {} for turn in Turn}  # with the number of the arrival
        self._arrived = 0
        self._taken = 0
        self._backoff = backoff or Backoff(first=1.0, longest=300.0)
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._ready: dict[K, Turn] = {}
        self._later: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._pushed = 0
        self._held: dict[K, Turn] = {}
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._closed = False

    def add(self, key: K) -> None:
        """Ask for the key to be worked on now, or as soon as the worker that has it is done."""
        with self._changed:
            if key not in self._held:
                self._later.pop(key, None)
            self._add(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Ask for the key to be worked on in `seconds`, unless it comes earlier anyway."""
        with self._changed:
            self._schedule(key, seconds)

    def get(self) -> K | None:
        """Wait for a key and take it; None when the queue is closed."""
        with self._changed:
            while not self._closed:
                self._wake_due()
                lines = list(self._open_lines())
                if lines:
                    return self._take(lines)
                self._changed.wait(self._seconds_to_next())
            return None

    def _open_lines(self) -> Iterator[dict[K, int]]:
        """Yield the lines that a key may be taken from now, in order."""
        full = sum(turn is Turn.PATIENT for turn in self._held.values()) >= self._patient
        for turn, line in self._lines.items():
            if line and not (full and turn is Turn.PATIENT):
                yield line

    def _take(self, lines: list[dict[K, int]]) -> K:
        """Take what goes first, and every few times the oldest, so that no kind stops the others."""
        self._taken += 1
        line = lines[0] if self._taken % _SHARE else min(lines, key=lambda line: next(iter(line.values())))
        key = next(iter(line))
        del line[key]
        self._held[key] = self._ready.pop(key)
        return key

    def done(self, key: K) -> None:
        """Give the key back; it comes again if it was added meanwhile."""
        with self._changed:
            if self._held.pop(key, None) is Turn.PATIENT:
                self._changed.notify()  # another one may be taken
            if key not in self._again:
                return
            self._again.discard(key)
            if key in self._failures:
                # Most likely the echo of what the worker wrote itself before it failed.
                self._schedule(key, _ECHO)
            else:
                self._later.pop(key, None)
                self._add(key)

    def succeeded(self, key: K) -> None:
        """Forget the key's failures."""
        with self._changed:
            self._failures.pop(key, None)

    def failed(self, key: K, *, at_least: float = 0.0) -> float:
        """Bring the key back after its back-off; return the seconds."""
        with self._changed:
            count = self._failures.get(key, 0) + 1
            self._failures[key] = count
        delay = max(at_least, self._backoff.delay(count, chance.fraction))
        self.add_after(key, delay)
        return delay

    def close(self) -> None:
        """End all waits; keys that wait are dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def is_free(self, seconds: float) -> bool:
        """Return whether the lock could be had within the time; who holds it for longer is stuck."""
        if not self._changed.acquire(timeout=seconds):
            return False
        self._changed.release()
        return True

    def __len__(self) -> int:
        """Return how many keys wait, now or for later."""
        with self._changed:
            return len(self._ready) + len(self._later)

    def _add(self, key: K) -> None:
        if key in self._held:
            self._again.add(key)
            return
        turn, before = self._turn(key), self._ready.get(key)
        if turn is before:
            return
        self._arrived += 1
        arrived = self._lines[before].pop(key) if before else self._arrived
        self._lines[turn][key] = arrived
        self._ready[key] = turn
        self._changed.notify()

    def _schedule(self, key: K, seconds: float) -> None:
        due = self._monotonic() + max(0.0, seconds)
        if key in self._ready or self._later.get(key, float("inf")) <= due:
            return
        self._later[key] = due
        self._pushed += 1
        heapq.heappush(self._heap, (due, self._pushed, key))
        if len(self._heap) > 2 * len(self._later) + _STALE:
            self._drop_stale()
        self._changed.notify()

    def _drop_stale(self) -> None:
        """Forget entries of keys that came earlier: one that is due in a week would stay as long."""
        self._heap = [entry for entry in self._heap if self._later.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)

    def _wake_due(self) -> None:
        now = self._monotonic()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._later.get(key) == due:  # else it was brought forward, and this entry is stale
                del self._later[key]
                self._add(key)

    def _seconds_to_next(self) -> float | None:
        if not self._heap:
            return None
        # Bounded, because a condition cannot wait for centuries, which a wrong date may ask for.
        return min(max(0.0, self._heap[0][0] - self._monotonic()), _LONGEST_WAIT)
