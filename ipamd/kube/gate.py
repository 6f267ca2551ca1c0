"""The client-side limit on requests to the API server: one gate that every request of the process passes.

Three regimes. Normally a token bucket, as client-go has it. While the server fails (no answer, 5xx, 429) a
much slower one, whoever asks, so that a thousand nodes do not hold a struggling API server down. And after a
429 with Retry-After nobody passes before the pause is over.
What nobody waits for goes last: it takes no turn of the half of a burst that was saved for the rest.
Thread safety: any thread may call any method; `admit` sleeps.
"""

import time
from collections.abc import Callable
from typing import Final

from ipamd.runtime.rate_limit import RateLimit
from ipamd.runtime.reachability import Reachability

_FAILING_RATE = 1.0
"""Requests per second of this process while the server fails."""
_FAILING_BURST = 2
_LAST = 10.0
"""Seconds after which what nobody waits for takes its turn like all others."""


class RequestGate:
    """Invariant: a request that was admitted has its token in the bucket of the regime it was admitted in."""

    def __init__(
        self,
        *,
        rate: float = 10.0,
        burst: int = 20,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the normal rate and burst.

        The defaults are TKE's --kube-client-qps and --kube-client-burst.
        """
        self._normal = RateLimit(rate=rate, burst=burst, clock=monotonic)
        self._slow = RateLimit(rate=_FAILING_RATE, burst=_FAILING_BURST, clock=monotonic)
        self._monotonic = monotonic
        self._sleep = sleep
        self._failing = False
        self.reachability: Final = Reachability("api-server", monotonic=monotonic)

    def admit(self, patience: float, *, last: bool = False) -> bool:
        """Wait for a turn and return True.

        Return False at once when the turn would come past `patience` seconds. `last` is for what nobody
        waits for: others that come meanwhile have their turns before it.
        """
        if last:
            patience -= self._let_others_pass(min(patience, _LAST))
        wait = self._limit.reserve(patience)
        if wait is None:
            return False
        if wait > 0:
            self._sleep(wait)
        return True

    @property
    def _limit(self) -> RateLimit:
        return self._slow if self._failing else self._normal

    def _let_others_pass(self, patience: float) -> float:
        """Sleep until turns are left that others do not need, or patience ends; return the seconds."""
        began = self._monotonic()
        end = began + patience
        while (wait := min(self._limit.half_full_in(), end - self._monotonic())) > 0:
            self._sleep(wait)
        return self._monotonic() - began

    def answered(self) -> None:
        """Note an answer that shows a working server: back to the normal rate."""
        self._failing = False
        self.reachability.answered()

    def failed(self, why: str) -> None:
        """Note that the server did not answer, or answered 5xx: slow down until it does."""
        self._failing = True
        self.reachability.failed(why)

    def pause(self, seconds: float) -> None:
        """Let nobody pass for `seconds`, and slowly after it until an answer shows that the server copes."""
        self._failing = True
        self.reachability.refused()
        for limit in (self._normal, self._slow):
            limit.pause(seconds)
