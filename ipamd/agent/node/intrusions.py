"""What others have put in the way of Pods' packets on the node: addresses on its links, policy rules.

An address of ours on a link of the node serves nobody and is taken off. A foreign rule may be meant so; it
is told. Thread safety: `mend` is for one thread at a time, the rest for any.
"""

import logging
from collections.abc import Callable

from ipamd.agent.enis import NodeEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.core.ledger.states import Address, Unassigning
from ipamd.net.dataplane import DataPlane
from ipamd.net.host_addresses import HostAddress
from ipamd.net.kernel_listing import KernelListing

log = logging.getLogger(__name__)


class Intrusions:
    """Invariant: `_rules` are the foreign rules of the last round; `removed` only grows."""

    def __init__(
        self, shared_ledger: SharedLedger, enis: NodeEnis, dataplane: DataPlane, own: Callable[[], str]
    ) -> None:
        """Take whose addresses these are, where to look, and what gives the node's own address."""
        self._shared_ledger = shared_ledger
        self._enis = enis
        self._dataplane = dataplane
        self._own = own
        self._rules: tuple[str, ...] = ()
        self.removed = 0
        """How many addresses were taken off links of the node."""

    def mend(self, seen: KernelListing | None = None) -> bool:
        """Take addresses of Pods and pool off the node's links, and tell of new foreign rules.

        Returns whether something was taken off.
        """
        ips, seen = self._ours(), seen or self._dataplane.listing()
        taken = self._dataplane.take_off_links(ips, seen)
        for address in taken:
            self.removed += 1
            self._dataplane.repaired(_on_link(address))
        rules = tuple(rule.text for rule in self._dataplane.foreign_rules(ips, seen))
        for sentence in rules:
            if sentence not in self._rules:
                log.warning("%s", sentence)
        self._rules = rules
        return bool(taken)

    def differences(self, seen: KernelListing) -> list[Difference]:
        """Return the addresses that `mend` would take off, and the foreign rules; touches nothing."""
        ips = self._ours()
        found = [_on_link(address) for address in self._dataplane.addresses_on_links(ips, seen)]
        return found + [
            Difference(
                code=FindingCode.FOREIGN_RULE,
                subject=f"rule/{rule.priority}",
                text=rule.text,
                ip=rule.ips[0] if len(rule.ips) == 1 else "",
            )
            for rule in self._dataplane.foreign_rules(ips, seen)
        ]

    def _ours(self) -> frozenset[str]:
        """Return the addresses that no link of the node can have: those that are for Pods in the cloud too.

        What the ledger still knows besides may be somebody else's by now, as one that was taken away or
        given back is; after a reboot also the node's own, if its primary address was changed meanwhile.
        """
        addresses = self._shared_ledger.current.addresses.values()
        return frozenset({a.ip for a in addresses if self._is_for_pods(a)} - {self._own()})

    def _is_for_pods(self, address: Address) -> bool:
        # In quarantine also by an ENI that cannot be set up: the address on the link may be the reason.
        doubtful = address.quarantined and self._enis.link(address.eni_id) is not None
        return not doubtful and not isinstance(address.state, Unassigning)

    def problems(self) -> list[str]:
        """Return one sentence for each foreign rule that takes Pods' packets."""
        return list(self._rules)


def _on_link(address: HostAddress) -> Difference:
    return Difference(
        code=FindingCode.POD_ADDRESS_ON_LINK,
        subject=f"address/{address.ip}",
        text=f"{address.ip} is an address for Pods and is on link {address.link} of the node",
        ip=address.ip,
    )
