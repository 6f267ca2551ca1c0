"""The past states of a region, for answers out of a stale replica.

Kept only while a fault asks for stale reads. Not thread-safe: the region's lock guards it. Invariant: entries
are ordered by the moment until which their state was the present one.
"""

from collections import deque

from simulator.cloud.state.world import World

_KEPT_STATES = 2_000


class Timeline:
    """States with the moment at which each ceased to be the present one."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, World]] = deque(maxlen=_KEPT_STATES)

    def before_change(self, world: World, now: float, oldest: float | None) -> None:
        """Keep the state that is about to change if answers up to `oldest` seconds old may be wanted."""
        if oldest is None:
            self._past.clear()
            return
        while self._past and self._past[0][0] < now - oldest:
            self._past.popleft()
        self._past.append((now, world.past()))

    def at(self, moment: float, present: World) -> World:
        """Give the state at `moment`, or the oldest one that was kept."""
        return next((world for until, world in self._past if until > moment), present)
