"""The rounds that may have to wait: for the cloud, for the API server, for a Pod's turn.

Thread safety: `round` is for one thread at a time, the rest for any.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ipamd.agent.attempts import Attempts
from ipamd.agent.cni.pending_deletes import PendingDeletes
from ipamd.agent.node.cloud_check import CloudCheck
from ipamd.agent.node.orphan_sandboxes import OrphanSandboxes
from ipamd.agent.node.ranges import NodeRanges
from ipamd.agent.node.recovery import Recovery
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.ledger.states import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideParts:
    """Who does what."""

    book: SharedLedger
    reconciler: Recovery
    cloud_check: CloudCheck
    sweeping: OrphanSandboxes
    pending: PendingDeletes
    ranges: NodeRanges
    cut_off: Callable[[], Iterable[Address]]
    """Gives the addresses whose owner has no link any more."""
    addresses_have_changed: Callable[[], None]
    """Hears that a look has brought or taken addresses, or has made the ledger true."""
    trigger: Callable[[], None]
    """Has pool and EIP reconciler look again."""


class OutsideRepair:
    """Keeps the ledger in step with cloud, API server and queued DELs."""

    def __init__(self, parts: OutsideParts) -> None:
        """Take the parts."""
        self._parts = parts
        self._attempts = Attempts()

    def round(self) -> None:
        """Make one round on the caller's thread."""
        parts = self._parts
        if parts.cloud_check.is_due:
            self._attempts.make("cloud", self._look)
        self._attempts.make("addresses", parts.cloud_check.report)
        self._attempts.make("ranges", parts.ranges.look)
        if parts.reconciler.is_settled:
            self._attempts.make("Pods that are gone", self._sweep)
            self._attempts.make("queued DELs", parts.pending.drain)
        parts.trigger()

    def drift(self) -> list[str]:
        """Return what could not be done."""
        return self._attempts.failed()

    def _look(self) -> None:
        before = self._state()
        self._parts.cloud_check.look()
        if self._state() != before:
            self._parts.addresses_have_changed()

    def _state(self) -> tuple[bool, frozenset[str]]:
        return self._parts.reconciler.is_settled, frozenset(self._parts.book.ledger.addresses)

    def _sweep(self) -> None:
        current = self._parts.book.ledger.addresses
        # The kernel was looked at a while ago: who got a new sandbox since then is another one's business.
        self._parts.sweeping.sweep([a for a in self._parts.cut_off() if current.get(a.ip) == a])
