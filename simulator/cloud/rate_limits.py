"""How often an action may be called: so many times in each second of the clock, for each sub-account.

The published limits (document 652/121590) belong to the actions; this counts. Thread-safe behind its own
lock.
"""

import threading

from simulator.cloud import situations
from simulator.cloud.actions.action import Action
from simulator.cloud.config import RateLimits


class RateLimiter:
    """Counts calls by sub-account and action in the present second."""

    def __init__(self, config: RateLimits) -> None:
        """Take whether to count and the factor for all limits."""
        self._config = config
        self._lock = threading.Lock()
        self._second = 0
        self._counts: dict[tuple[str, str], int] = {}

    def check(self, principal: str, action: Action, now: float) -> None:
        """Count a call; raise the action's throttling error when it is one too many."""
        if not self._config.enabled:
            return
        limit = max(1, int(action.rate * self._config.scale))
        with self._lock:
            if int(now) != self._second:
                self._second = int(now)
                self._counts = {}
            current = self._counts.get((principal, action.name), 0) + 1
            self._counts[principal, action.name] = current
        if current > limit:
            raise action.throttled.error(current=current, limit=limit, action=action.name)


def throttled(action: Action) -> situations.ApiError:
    """Give the error of a call that is one too many, for an injected fault."""
    return action.throttled.error(current=action.rate + 1, limit=action.rate, action=action.name)
