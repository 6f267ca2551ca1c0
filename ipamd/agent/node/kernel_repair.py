"""The rounds that keep the node's kernel in step with the ledger: node, ENIs, Pods.

Nothing here waits for the cloud or the API server, so that an outage of those cannot keep a lost route from
coming back.
Thread safety: `round` is for one thread at a time, the rest for any.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.attempts import Attempts
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.enis import NodeEnis
from ipamd.agent.node.intrusions import Intrusions
from ipamd.agent.node.pod_sides import PodSides
from ipamd.agent.node.repair import Repair, RepairResult
from ipamd.core.ledger.states import Address
from ipamd.core.model import PodRef
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import Ranges

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelParts:
    """Who does what."""

    dataplane: DataPlane
    primary_mac: str
    ranges: Callable[[], Ranges]
    """Gives what Pods reach with their own address, as it is known now."""
    enis: NodeEnis
    repairing: Repair
    pod_sides: PodSides
    intrusions: Intrusions
    announcer: ClaimPublisher
    is_settled: Callable[[], bool]
    """Whether the ledger can be true."""
    is_over: Callable[[Address], bool]
    """Whether the watch says that an address's Pod is gone or has finished."""
    eni_is_back: Callable[[], None]
    """Hears that an ENI can carry Pods again."""
    pods_are_gone: Callable[[], None]
    """Hears that sandboxes have lost their links whose Pods may be gone too."""


class KernelRepair:
    """Mends the kernel.

    Invariant: `cut_off` has the owners without link of the last round; `mended` and `removed` only grow.
    """

    def __init__(self, parts: KernelParts) -> None:
        """Take the parts."""
        self._parts = parts
        self._attempts = Attempts()
        self._told: dict[str, str] = {}
        self._found: RepairResult | None = None
        self.cut_off: tuple[Address, ...] = ()
        """Addresses whose owner has no link any more."""
        self.mended = 0
        """How many Pods had lost something of the node's side, which was made again."""
        self.removed = 0
        """How much of nobody was taken away."""

    def round(self) -> None:
        """Make one round on the caller's thread: both sides of all Pods."""
        self.begin()
        self._attempts.make("Pods' own ends", self._mend_pod_sides)

    def begin(self) -> None:
        """Make the part of a round that the first request should not come before: the node's side."""
        parts = self._parts
        self._attempts.make("node", self._mend_node)
        # Before the ENIs: an address whose subnet holds the gateway's keeps them from being set up.
        self._attempts.make("addresses on the node's links", parts.intrusions.mend)
        self._attempts.make("ENIs", self._mend_enis)
        if parts.is_settled():
            # Before that, every Pod of a lost store would look like something that nobody owns.
            self._attempts.make("Pods", self._mend_pods)

    def drift(self) -> list[str]:
        """Return what is wrong and could not be mended."""
        return self._attempts.failed()

    def lost(self) -> list[str]:
        """Return one sentence for each Pod without a link that still exists."""
        return list(self._told.values())

    def _mend_node(self) -> None:
        self._parts.dataplane.ensure_node(self._parts.primary_mac, self._parts.ranges())

    def _mend_enis(self) -> None:
        if self._parts.enis.mend():
            self._parts.eni_is_back()

    def _mend_pods(self) -> None:
        found = self._parts.repairing.repair()
        self.mended += found.mended
        self.removed += found.removed
        self._found = found
        before, self.cut_off = self.cut_off, found.cut_off
        self._report(found)
        if set(found.cut_off) - set(before):
            self._parts.pods_are_gone()

    def _mend_pod_sides(self) -> None:
        found, self._found = self._found, None
        if found is not None:
            self.mended += self._parts.pod_sides.mend(found.links)

    def _report(self, found: RepairResult) -> None:
        told = {}
        for address in found.cut_off:
            if address.pod is None or self._parts.is_over(address):
                continue
            message = f"the link of {address.ip} is gone from the node"
            if address.ip not in self._told:
                self._tell(address.pod, message)
            told[address.ip] = f"Pod {address.pod}: {message}"
        self._told = told

    def _tell(self, pod: PodRef, message: str) -> None:
        log.warning("Pod %s: %s", pod, message)
        self._parts.announcer.warning(pod, "NetworkLost", f"{message}; the Pod needs a new sandbox")
