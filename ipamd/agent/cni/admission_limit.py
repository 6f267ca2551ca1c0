"""How many requests may wait at once, so that there is always a thread left for those that need not wait.

ADDs that wait for an address or an EIP block a thread of the server for up to a minute; DEL, STATUS and ADDs
from the warm pool must not queue up behind them.
"""

import contextlib
import threading
from collections.abc import Iterator

from ipamd.core.errors import TryAgainError


class Seats:
    """A bounded waiting room. Thread safety: any thread may call any method."""

    def __init__(self, count: int) -> None:
        """Take how many may wait at once."""
        self._count = count
        self._free = threading.BoundedSemaphore(count)

    @contextlib.contextmanager
    def taken(self, what: str) -> Iterator[None]:
        """Wait for `what` inside the block; TryAgainError at once when the room is full."""
        if not self._free.acquire(blocking=False):
            raise TryAgainError(
                f"{self._count} Pods of this node wait already, this one would wait for {what}",
                advice="the kubelet tries again by itself",
            )
        try:
            yield
        finally:
            self._free.release()
