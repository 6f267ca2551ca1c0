"""The account in virtual time, and who calls it: the simulator counts, the product's limiter and back-off."""

import random
from collections import Counter
from collections.abc import Generator

from ipamd.cloud.throttling import Limiter, node_limiter
from ipamd.core.timing.backoff import Backoff
from simulator.cloud.actions import catalog
from simulator.cloud.config import Latencies, RateLimits
from simulator.cloud.rate_limits import RateLimiter
from simulator.cloud.situations import ApiError
from testbed.scale.virtual.timeline import Timeline

_PRINCIPAL = "role"
"""All CVMs of the account have one role, and so one allowance."""
_ANSWER_SECONDS = 0.03
_LEAST_SECONDS = 0.05
_BACKOFF = Backoff()
_ACTIONS = {action.name: action for action in catalog.ALL}
LATENCIES = Latencies()


class Account:
    """Counts calls as the cloud does. Invariant: `asked` are those that were admitted, `refused` the rest."""

    def __init__(self, timeline: Timeline, seed: int = 1) -> None:
        self.timeline = timeline
        self.random = random.Random(seed)
        self.asked: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._limiter = RateLimiter(RateLimits())

    def admits(self, action: str) -> bool:
        """Count a call; return whether it is carried out."""
        try:
            self._limiter.check(_PRINCIPAL, _ACTIONS[action], self.timeline.now)
        except ApiError:
            self.refused[action] += 1
            return False
        self.asked[action] += 1
        return True


class Caller:
    """One process: its share of the rates, and how it repeats, as `ipamd.cloud.session.Session` does."""

    def __init__(self, account: Account, limiter: Limiter | None = None) -> None:
        """Take whom it calls, and its limiter if it is not an agent's."""
        self._account = account
        self._limiter = limiter or node_limiter(account.timeline.time)

    def call(self, action: str, seconds: float) -> Generator[float, None, bool]:
        """Call until it is carried out, for so many seconds at most; yields waits, returns whether it was."""
        account, end = self._account, self._account.timeline.now + seconds
        attempt = 0
        while True:
            attempt += 1
            wait = self._limiter.reserve(action, max(0.0, end - account.timeline.now - _LEAST_SECONDS))
            if wait is None:
                return False
            yield wait
            if account.admits(action):
                yield _ANSWER_SECONDS
                return True
            self._limiter.quieten(action, _BACKOFF.ceiling(attempt))
            pause = _BACKOFF.delay(attempt, account.random.random)
            if pause + _LEAST_SECONDS >= end - account.timeline.now:
                return False
            yield pause
