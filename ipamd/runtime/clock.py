"""Time as an argument: what tells it, and what waits for it, so that a test need not."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock in seconds, and waits that go by it."""

    def now(self) -> float:
        """Return the time."""

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait until the event is set, or for so long (None: for ever); return whether it is set."""


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        """Return the time since the machine's start."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait for the event."""
        return event.wait(seconds)


SYSTEM = SystemClock()
