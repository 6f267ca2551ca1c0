"""How often a node asks the cloud for its ENIs: losses are noticed soon, and all nodes stay under one rate.

The nodes of an account share it (DescribeNetworkInterfaces: 100 a second). A node asks once an interval;
when the cloud says that it is too much, the node doubles its wait, and shortens it again step by step with
each answer. So the nodes of an account settle at what the rate allows, however many they are, and none has to
know the others. Another failure is no reason to ask less: when the cloud is back, it should be noticed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ipamd.core.cloud_errors.kind import CloudErrorKind

_LONGEST = 300.0
"""Seconds; a loss should not go unnoticed for longer, whatever the rate."""
_SHORTER = 0.75
_SPREAD = 0.2
"""Part of the wait that is left to chance: nodes that were started at one moment must not ask at one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPace:
    """The wait between two looks; immutable, each outcome makes the next one."""

    interval: float
    """Seconds between two looks, at most, while the cloud answers."""
    wait: float = 0.0
    """Seconds that the last look was followed by; never below the interval."""

    def after(self, failure: CloudErrorKind | None) -> "LookPace":
        """Return the pace after a look that was answered (None), or failed in this manner."""
        wait = max(self.wait, self.interval)
        if failure is CloudErrorKind.THROTTLED:
            wait = min(max(_LONGEST, self.interval), 2 * wait)
        elif failure is None:
            wait = max(self.interval, _SHORTER * wait)
        return LookPace(interval=self.interval, wait=wait)

    def seconds(self, random: Callable[[], float]) -> float:
        """Return the seconds until the next look; `random` gives a float in [0, 1)."""
        return max(self.wait, self.interval) * (1 - _SPREAD * random())
