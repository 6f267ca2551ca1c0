"""How long something has been wrong without a break, as seen by those who ask again and again."""

import threading
from collections.abc import Callable


class Persistence:
    """Trouble with its duration.

    Invariant: `_since` is None exactly when there was none at the last look. Thread safety: any thread.
    """

    def __init__(self, trouble: Callable[[], list[str]], *, clock: Callable[[], float]) -> None:
        """Take what tells the trouble, one sentence each, and a monotonic clock in seconds."""
        self._trouble = trouble
        self._clock = clock
        self._guard = threading.Lock()
        self._since: float | None = None

    def for_longer_than(self, seconds: float) -> list[str]:
        """Return the trouble there is, if there has been some at each look for so many seconds."""
        with self._guard:
            trouble = self._trouble()
            if not trouble:
                self._since = None
                return []
            now = self._clock()
            if self._since is None:
                self._since = now
            return trouble if now - self._since >= seconds else []
