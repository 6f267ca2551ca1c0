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


class KernelRepair:
    """Mends the kernel."""

    def __init__(
        self,
        *,
        ensure_node: Callable[[], object],
        intrusions: Intrusions,
        enis: NodeEnis,
        recovery: Recovery,
        pods: PodRepair,
    ) -> None:
        """Take who does what, in the order of a round, and who knows whether the ledger can be true."""
        self._ensure_node = ensure_node
        self._intrusions = intrusions
        self._enis = enis
        self._recovery = recovery
        self._pods = pods
        self._attempts = Attempts()
        self._listeners: list[Callable[[], None]] = []

    def on_eni_back(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when an ENI can carry Pods again; to be used before the rounds begin."""
        self._listeners.append(listener)

    def round(self) -> None:
        """Make one round on the caller's thread: both sides of all Pods."""
        self.begin()
        self._attempts.make("Pods' own ends", self._pods.mend_ends)

    def begin(self) -> None:
        """Make the part of a round that the first request should not come before: the node's side."""
        self._attempts.make("node", self._ensure_node)
        # Before the ENIs: an address whose subnet holds the gateway's keeps them from being set up.
        self._attempts.make("addresses on the node's links", self._intrusions.mend)
        self._attempts.make("ENIs", self._mend_enis)
        if self._recovery.is_settled:
            # Before that, every Pod of a lost store would look like something that nobody owns.
            self._attempts.make("Pods", self._pods.mend)

    def drift(self) -> list[str]:
        """Return what is wrong and could not be mended."""
        return self._attempts.failed()

    def _mend_enis(self) -> None:
        if self._enis.mend():
            for listener in self._listeners:
                listener()
