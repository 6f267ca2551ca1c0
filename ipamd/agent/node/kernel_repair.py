"""The rounds that keep the node's kernel in step with the ledger: node, ENIs, Pods.

Nothing here waits for the cloud or the API server, so that an outage of those cannot keep a lost route from
coming back.
Thread safety: `round` is for one thread at a time, the rest for any.
"""

from collections.abc import Callable

from ipamd.agent.attempts import Attempts
from ipamd.agent.enis import NodeEnis
from ipamd.agent.node.intrusions import Intrusions
from ipamd.agent.node.pod_repair import PodRepair
from ipamd.agent.node.recovery import Recovery
from ipamd.net.dataplane import DataPlane
from ipamd.net.kernel_listing import KernelListing


class RoundListing:
    """The kernel as it was listed in this round.

    Invariant: `_seen` is a listing with how many changes the data plane had made; later ones make it old.
    """

    def __init__(self, dataplane: DataPlane) -> None:
        """Take who lists."""
        self._dataplane = dataplane
        self._seen: tuple[int, KernelListing] | None = None

    def forget(self) -> None:
        """Have it listed anew: a round begins, or something was changed."""
        self._seen = None

    def now(self) -> KernelListing:
        """Return it. Raises: KernelError."""
        changes = self._dataplane.changes
        if self._seen is None or self._seen[0] != changes:
            self._seen = changes, self._dataplane.listing()
        return self._seen[1]


class KernelRepair:
    """Mends the kernel."""

    def __init__(
        self,
        *,
        listing: RoundListing,
        ensure_node: Callable[[KernelListing], object],
        intrusions: Intrusions,
        enis: NodeEnis,
        recovery: Recovery,
        pods: PodRepair,
    ) -> None:
        """Take what lists, who does what in the order of a round, who knows if the ledger can be true."""
        self._listing = listing
        self._ensure_node = ensure_node
        self._intrusions = intrusions
        self._enis = enis
        self._recovery = recovery
        self._pods = pods
        self._attempts = Attempts()
        self._listeners: list[Callable[[], None]] = []

    def on_eni_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when an ENI cannot carry Pods any more, or can again.

        To be used before the rounds begin.
        """
        self._listeners.append(listener)

    def round(self) -> None:
        """Make one round on the caller's thread: both sides of all Pods."""
        self.begin()
        self._attempts.make("Pods' own ends", self._pods.mend_ends)

    def begin(self) -> None:
        """Make the part of a round that the first request should not come before: the node's side."""
        self._listing.forget()
        self._attempts.make("node", lambda: self._ensure_node(self._listing.now()))
        # Before the ENIs: an address whose subnet holds the gateway's keeps them from being set up.
        self._attempts.make("addresses on the node's links", self._mend_links)
        self._attempts.make("ENIs", self._mend_enis)
        if self._recovery.is_settled:
            # Before that, every Pod of a lost store would look like something that nobody owns.
            self._attempts.make("Pods", lambda: self._pods.mend(self._listing.now()))

    def drift(self) -> list[str]:
        """Return what is wrong and could not be mended."""
        return self._attempts.failed()

    def _mend_links(self) -> None:
        if self._intrusions.mend(self._listing.now()):
            self._listing.forget()

    def _mend_enis(self) -> None:
        if self._enis.mend(self._listing.now()):
            for listener in self._listeners:
                listener()
