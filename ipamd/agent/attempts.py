"""The parts of a round, each of which has its turn whatever becomes of the others.

Thread safety: attempts of one object are made by one thread at a time; any thread may read.
"""

import logging
from collections.abc import Callable

from ipamd.core.errors import IpamError
from ipamd.runtime.task import note_defect

log = logging.getLogger(__name__)


class Attempts:
    """Invariant: `_failed` has the latest failure of each part whose last attempt failed."""

    def __init__(self) -> None:
        self._failed: dict[str, str] = {}

    def failed(self) -> list[str]:
        """Return what the last attempts ended with, one sentence for each part that failed."""
        return list(self._failed.copy().values())

    def make(self, what: str, work: Callable[[], object]) -> None:
        """Do a part; what it raises is logged, once as long as it stays the same, and kept."""
        try:
            work()
        except IpamError as e:
            if self._failed.get(what) != e.message:
                log.error("upkeep of %s failed: %s", what, e)  # noqa: TRY400 - the message says it all
            self._failed[what] = e.message
        except Exception as e:  # the other parts and the next round must have their turn
            log.exception("upkeep of %s failed by a defect", what)
            note_defect()
            self._failed[what] = f"a defect of the agent: {type(e).__name__}: {e}"
        else:
            self._failed.pop(what, None)
