"""What others have put in the way of Pods' packets on the node: addresses on its links, policy rules.

An address of ours on a link of the node serves nobody and is taken off. A foreign rule may be meant so; it
is told. Thread safety: `mend` is for one thread at a time, the rest for any.
"""

import logging

from ipamd.agent.address_book import AddressBook
from ipamd.net.dataplane import DataPlane

log = logging.getLogger(__name__)


class Intrusions:
    """Invariant: `_rules` are the foreign rules of the last round; `removed` only grows."""

    def __init__(self, book: AddressBook, dataplane: DataPlane) -> None:
        """Take whose addresses these are, and where to look."""
        self._book = book
        self._dataplane = dataplane
        self._rules: tuple[str, ...] = ()
        self.removed = 0
        """How many addresses were taken off links of the node."""

    def mend(self) -> None:
        """Take addresses of Pods and pool off the node's links, and tell of new foreign rules."""
        ips = self._book.ledger.addresses
        for address in self._dataplane.take_off_links(ips):
            self.removed += 1
            log.warning("%s is an address for Pods and was on %s: taken off", address.ip, address.link)
        rules = tuple(self._dataplane.foreign_rules(ips))
        for sentence in rules:
            if sentence not in self._rules:
                log.warning("%s", sentence)
        self._rules = rules

    def problems(self) -> list[str]:
        """Return one sentence for each foreign rule that takes Pods' packets."""
        return list(self._rules)
