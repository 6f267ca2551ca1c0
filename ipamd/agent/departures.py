"""What has left this node of late: addresses that were unassigned, ENIs that were detached.

A list of the cloud that was asked for before, or not long after, may still show them here. It is not believed
about them: what it shows could be another node's by now. An address has left one ENI; that a list shows it at
another one is no old news. Kept in the store, so that the first list of the next process is not believed
either.
Thread safety: any thread may call any method.
"""

import logging
import threading
from collections.abc import Callable

from ipamd.core.ledger.cloud_listing import place
from ipamd.core.timing.boottime import Boottime
from ipamd.store.database import DEPARTURES, Database, StoreError

log = logging.getLogger(__name__)

LAG_SECONDS = 15.0
"""For so long a list is taken for possibly older than a departure; lists lag behind by a few seconds."""

_KEPT_SECONDS = 300.0
"""For so long a departure is known: a list may have been asked for before it and be taken in only now."""


class Departures:
    """When each left: an ENI by its id, an address by its `place`."""

    def __init__(self, database: Database, clock: Callable[[], Boottime]) -> None:
        """Take where they outlast the process, and the clock of the ledger's times."""
        self._database = database
        self._clock = clock
        self._guard = threading.Lock()
        stored = database.fact(DEPARTURES) or {}
        # An instant that is yet to come is of the boot before.
        self._left: dict[str, Boottime] = {name: at for name, at in stored.items() if at <= clock()}

    def note_addresses(self, eni_id: str, *ips: str) -> None:
        """Note that these are off an ENI of the node, before the ledger forgets them."""
        self._note(*(place(eni_id, ip) for ip in ips))

    def note_eni(self, eni_id: str) -> None:
        """Note that an ENI is off the node with its addresses, before the ledger forgets them."""
        self._note(eni_id)

    def _note(self, *names: str) -> None:
        with self._guard:
            now = self._clock()
            known = {name: at for name, at in self._left.items() if now - at < _KEPT_SECONDS}
            self._left = {**known, **dict.fromkeys(names, now)}
            try:
                self._database.put_fact(DEPARTURES, self._left)
            except StoreError as e:
                log.warning("the next agent may take %s for still here: %s", ", ".join(names), e)

    def doubted(self, as_of: Boottime) -> frozenset[str]:
        """Return of which ENIs and places a list says nothing, asked for at that instant."""
        return frozenset(name for name, at in self._left.items() if as_of - at < LAG_SECONDS)
