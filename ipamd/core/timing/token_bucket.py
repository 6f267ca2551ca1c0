"""A token bucket: how long a request must wait so that a stream of them keeps to a rate.

Pure arithmetic on a given `now` (seconds of any monotonic clock): it never sleeps and holds no lock, so a
bucket that threads share needs a lock of its owner around `reserve`.
"""

_ROUNDING = 1e-6
"""Seconds; sums of fractions on a clock of days are not exact to less."""


class TokenBucket:
    """At most `burst` requests at once and `rate` per second in the long run.

    Invariant: `_ready` is the time at which the next reservation may proceed, and never lies further in the
    past than the burst pays for.
    """

    __slots__ = ("_burst_seconds", "_ready", "_spacing")

    def __init__(self, *, rate: float, burst: int) -> None:
        """Take requests per second and how many may come at once after a pause."""
        if rate <= 0 or burst < 1:
            msg = f"a token bucket needs rate > 0 and burst >= 1, not rate {rate} and burst {burst}"
            raise ValueError(msg)
        self._spacing = 1 / rate
        self._burst_seconds = (burst - 1) / rate
        self._ready = float("-inf")

    def full_by(self, part: float, now: float) -> float:
        """Return the seconds until so much of the burst is saved, if nobody takes any: 0 to 1."""
        full = self._ready + self._burst_seconds * part
        return max(0.0, full - now)

    def reserve(self, now: float, *, patience: float = float("inf")) -> float | None:
        """Take a token and return the seconds to wait before using it.

        None, and no token, past `patience`.
        """
        ready = max(self._ready, now - self._burst_seconds)
        wait = ready - now
        if wait < _ROUNDING:
            wait = 0.0
        if wait > patience:
            return None
        self._ready = ready + self._spacing
        return wait
