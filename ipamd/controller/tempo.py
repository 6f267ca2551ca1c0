"""How a replica behaves in time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.core.timing.backoff import Backoff
from ipamd.kube.watch import WatchPace


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPace:
    """The defaults are for production."""

    pace: WatchPace | None = None
    """Of the watches."""
    backoff: Backoff | None = None
    """From work that failed; None: each kind of work has its own."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch, as they are written into claims and compared with them."""
    steady: Callable[[], float] = time.monotonic
    """Seconds that nobody sets, for how long Pods, and ready nodes, are seen to be absent."""

    def after_failures(self, usual: Backoff) -> Backoff:
        """Return the back-off of work whose own is `usual`."""
        return self.backoff or usual
