"""The last lines that the process has logged, for the status page.

Thread safety: any thread may log and read.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

_LINES: Final = 200
_LONGEST: Final = 500
"""Characters that are kept of a message."""
_OURS: Final = "ipamd"


class RecentLog(logging.Handler):
    """Invariant: it holds the newest records of our own modules, at most so many and so long."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Keep from now on what is given to it."""
        super().__init__()
        self._monotonic = monotonic
        self._lines: deque[tuple[float, str, str]] = deque(maxlen=_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a wrong argument of a record; the other handlers tell of it
            message = str(record.msg)
        shown = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."
        self._lines.append((self._monotonic(), record.levelname, shown))

    def lines(self) -> Iterator[tuple[float, str, str]]:
        """Yield seconds ago, level and message, the newest first."""
        now = self._monotonic()
        for at, level, message in reversed(list(self._lines)):
            yield now - at, level, message

    def start(self) -> None:
        """Begin to keep what our modules log."""
        logging.getLogger(_OURS).addHandler(self)

    def stop(self) -> None:
        """Keep no more."""
        logging.getLogger(_OURS).removeHandler(self)
