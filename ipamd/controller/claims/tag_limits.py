"""Which tags the account was seen to refuse, so that orders go without them for a while.

Thread safety: any thread may call any method.
"""

import threading
from collections.abc import Callable

from ipamd.core.eip.tagging import Tagging

_AGAIN = 3600.0
"""Seconds after which all tags are tried again: people delete values, and quotas are raised."""


class TagLimits:
    """Invariant: `tagging` is FULL, or less was refused within the last hour."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._steady = steady
        self._lock = threading.Lock()
        self._tagging = Tagging.FULL
        self._until = 0.0

    @property
    def tagging(self) -> Tagging:
        """With which tags to order now."""
        with self._lock:
            if self._steady() >= self._until:
                self._tagging = Tagging.FULL
            return self._tagging

    def refused(self, tagging: Tagging) -> bool:
        """Note that an order with these tags was refused for them; return whether to order with fewer."""
        with self._lock:
            if self._tagging is tagging:  # of orders that were refused at once the first one counts
                self._tagging = tagging.less
                self._until = self._steady() + _AGAIN
            return tagging is not Tagging.NONE
