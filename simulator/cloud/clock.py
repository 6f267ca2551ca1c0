"""Where the region's time comes from: the machine's, or a test's own hand.

States advance when `CloudRegion.run_due` is called. With a SystemClock the region's timer thread calls it in
time; with a ManualClock the test does after `advance`. Both are safe to use from many threads.
"""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since the epoch that never go backwards."""

    def now(self) -> float:
        """Give the present moment."""


class SystemClock:
    """The machine's time at construction, continued by its monotonic clock."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Give the present moment."""
        return self._offset + time.monotonic()


class ManualClock:
    """Time that moves when it is told to."""

    def __init__(self, start: float | None = None) -> None:
        """Start at `start`, by default at the machine's time, so that signed requests fit the window."""
        self._now = time.time() if start is None else start
        self._lock = threading.Lock()

    def now(self) -> float:
        """Give the present moment."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, which must not be negative."""
        if seconds < 0:
            raise ValueError(f"time cannot move by {seconds} s")
        with self._lock:
            self._now += seconds
