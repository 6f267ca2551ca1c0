"""What others have put in the way of Pods' packets on the node: addresses on its links, policy rules.

An address of ours on a link of the node serves nobody and is taken off. A foreign rule may be meant so; it
is told. Thread safety: `mend` is for one thread at a time, the rest for any.
"""

import logging
from collections.abc import Callable

from ipamd.agent.enis import NodeEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.ledger.states import Address, Unassigning
from ipamd.net.dataplane import DataPlane

log = logging.getLogger(__name__)


class Intrusions:
    """Invariant: `_rules` are the foreign rules of the last round; `removed` only grows."""

    def __init__(
        self, book: SharedLedger, enis: NodeEnis, dataplane: DataPlane, own: Callable[[], str]
    ) -> None:
        """Take whose addresses these are, where to look, and what gives the node's own address."""
        self._book = book
        self._enis = enis
        self._dataplane = dataplane
        self._own = own
        self._rules: tuple[str, ...] = ()
        self.removed = 0
        """How many addresses were taken off links of the node."""

    def mend(self) -> None:
        """Take addresses of Pods and pool off the node's links, and tell of new foreign rules."""
        ips = self._ours()
        for address in self._dataplane.take_off_links(ips):
            self.removed += 1
            log.warning("%s is an address for Pods and was on %s: taken off", address.ip, address.link)
        rules = tuple(self._dataplane.foreign_rules(ips))
        for sentence in rules:
            if sentence not in self._rules:
                log.warning("%s", sentence)
        self._rules = rules

    def _ours(self) -> frozenset[str]:
        """Return the addresses that no link of the node can have: those that are for Pods in the cloud too.

        What the ledger still knows besides may be somebody else's by now, as one that was taken away or
        given back is; after a reboot also the node's own, if its primary address was changed meanwhile.
        """
        addresses = self._book.ledger.addresses.values()
        return frozenset({a.ip for a in addresses if self._is_for_pods(a)} - {self._own()})

    def _is_for_pods(self, address: Address) -> bool:
        # In quarantine also by an ENI that cannot be set up: the address on the link may be the reason.
        doubtful = address.quarantined and self._enis.link(address.eni_id) is not None
        return not doubtful and not isinstance(address.state, Unassigning)

    def problems(self) -> list[str]:
        """Return one sentence for each foreign rule that takes Pods' packets."""
        return list(self._rules)
