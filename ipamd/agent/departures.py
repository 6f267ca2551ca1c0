"""What has left this node of late: addresses that were unassigned, ENIs that were detached.

A list of the cloud that was asked for before, or not long after, may still show them here. It is not believed
about them: what it shows could be another node's by now. Kept in the store, so that the first list of the
next process is not believed either.
Thread safety: any thread may call any method.
"""

import logging
import threading
from collections.abc import Callable

from ipamd.core.timing.boottime import Boottime
from ipamd.store.database import DEPARTURES, Database, StoreError

log = logging.getLogger(__name__)

LAG_SECONDS = 15.0
"""For so long a list is taken for possibly older than a departure; lists lag behind by a few seconds."""


class Departures:
    """By name, which is a private address or the id of an ENI, when it left."""

    def __init__(self, database: Database, clock: Callable[[], Boottime]) -> None:
        """Take where they outlast the process, and the clock of the ledger's times."""
        self._database = database
        self._clock = clock
        self._guard = threading.Lock()
        stored = database.fact(DEPARTURES) or {}
        # An instant that is yet to come is of the boot before.
        self._left: dict[str, Boottime] = {name: at for name, at in stored.items() if at <= clock()}

    def note(self, *names: str) -> None:
        """Note that these are off the node, before the ledger forgets them."""
        with self._guard:
            now = self._clock()
            recent = {name: at for name, at in self._left.items() if now - at < LAG_SECONDS}
            self._left = {**recent, **dict.fromkeys(names, now)}
            try:
                self._database.put_fact(DEPARTURES, self._left)
            except StoreError as e:
                log.warning("the next agent may take %s for still here: %s", ", ".join(names), e)

    def doubted(self, as_of: Boottime) -> frozenset[str]:
        """Return of what a list says nothing, asked for at that instant."""
        return frozenset(name for name, at in self._left.items() if as_of - at < LAG_SECONDS)
