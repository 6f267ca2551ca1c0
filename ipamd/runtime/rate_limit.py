"""How often something may be done: a token bucket that threads share, and that can be paused."""

import threading
from collections.abc import Callable

from ipamd.core.timing.token_bucket import TokenBucket


class RateLimit:
    """Invariant: nobody proceeds before a pause is over, and afterwards not faster than the bucket fills.

    Thread safety: any thread may call any method; none of them waits.
    """

    def __init__(self, *, rate: float, burst: int, clock: Callable[[], float]) -> None:
        """Take how often in a second, how many at once after a silence, and a monotonic clock in seconds."""
        self._bucket = TokenBucket(rate=rate, burst=burst)
        self._clock = clock
        self._guard = threading.Lock()
        self._paused_until = float("-inf")

    def reserve(self, patience: float = float("inf")) -> float | None:
        """Take a turn and return the seconds to wait for it; None, and no turn, past `patience`."""
        with self._guard:
            now = self._clock()
            pause = max(0.0, self._paused_until - now)
            wait = self._bucket.reserve(now + pause, patience=patience - pause)
            return None if wait is None else pause + wait

    def half_full_in(self) -> float:
        """Return the seconds until half of the burst is saved, if nobody takes a turn meanwhile."""
        with self._guard:
            now = self._clock()
            return max(self._bucket.full_by(0.5, now), self._paused_until - now)

    def pause(self, seconds: float) -> None:
        """Let nobody proceed for so long; a longer pause that goes on stays."""
        with self._guard:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
