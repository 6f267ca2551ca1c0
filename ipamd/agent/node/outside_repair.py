"""The rounds that may have to wait: for the cloud, for the API server, for a Pod's turn.

Thread safety: `round` is for one thread at a time, the rest for any.
"""

from collections.abc import Callable

from ipamd.agent.attempts import Attempts
from ipamd.agent.cni.pending_deletes import PendingDeletes
from ipamd.agent.node.cloud_check import CloudCheck
from ipamd.agent.node.lost_links import LostLinks
from ipamd.agent.node.orphan_sandboxes import OrphanSandboxes
from ipamd.agent.node.ranges import NodeRanges
from ipamd.agent.node.recovery import Recovery


class OutsideRepair:
    """Keeps the ledger in step with cloud, API server and queued DELs."""

    def __init__(
        self,
        *,
        cloud_check: CloudCheck,
        ranges: NodeRanges,
        recovery: Recovery,
        orphans: OrphanSandboxes,
        lost_links: LostLinks,
        pending: PendingDeletes,
    ) -> None:
        """Take who does what, in the order of a round, and who knows whether the ledger can be true."""
        self._cloud_check = cloud_check
        self._ranges = ranges
        self._recovery = recovery
        self._orphans = orphans
        self._lost_links = lost_links
        self._pending = pending
        self._attempts = Attempts()
        self._listeners: list[Callable[[], None]] = []

    def on_round(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each round; to be used before the rounds begin."""
        self._listeners.append(listener)

    def round(self) -> None:
        """Make one round on the caller's thread."""
        if self._cloud_check.is_due:
            self._attempts.make("cloud", self._cloud_check.look)
        self._attempts.make("addresses", self._cloud_check.report)
        self._attempts.make("ranges", self._ranges.look)
        if self._recovery.is_settled:
            self._attempts.make("Pods that are gone", self._sweep)
            self._attempts.make("queued DELs", self._pending.drain)
        for listener in self._listeners:
            listener()

    def drift(self) -> list[str]:
        """Return what could not be done."""
        return self._attempts.failed()

    def _sweep(self) -> None:
        self._orphans.sweep(self._lost_links.cut_off)
