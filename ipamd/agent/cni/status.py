"""Whether the node can take Pods, and if not, why: for STATUS, for people, in one place.

STATUS decides over the Node's readiness: a runtime that gets an error reports its network as not ready, the
kubelet then the Node; its Pods leave their Services at once and are evicted some minutes later. So a node
whose Pods run is reported as unavailable only when they themselves have been in trouble for minutes (51).
That it can take no further Pod - full, refused more addresses by the cloud, its disk not writable - is said
by STATUS (50) only while no Pod would suffer from it, and always by `ipamctl status`, by the extended
resources and by the Events of the Pods that do not start.
Thread safety: any thread may call any method.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ipamd.agent.enis import NodeEnis
from ipamd.agent.persistence import Persistence
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.cni.requests import StatusRequest
from ipamd.core.ledger.states import Assigned, Occupied
from ipamd.runtime.metric import Metric, gauge


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Knows of all parts what keeps the node from taking Pods."""

    book: SharedLedger
    enis: NodeEnis
    pool: Pool
    notices: Callable[[], list[str]]
    """One sentence for each thing that keeps no Pod from the node, and that an operator has to know."""
    watches: Callable[[], list[str]]
    """One sentence for each watch that has not caught up."""
    drift: Callable[[], list[str]]
    """One sentence for each thing that is wrong and could not be mended."""
    kernel_drift: Persistence
    """That part of it which concerns packets."""
    disk: Persistence
    """One sentence while the store cannot be written."""
    dry: Persistence
    """One sentence while no Pod runs and no address has come for one."""
    patience: float
    """Seconds for which they are expected to go by themselves."""
    cut_off: Callable[[], list[str]]
    """One sentence for each Pod that has lost its link."""
    foreign: Callable[[], list[str]]
    """One sentence for each thing of others that is in the way of Pods' packets; STATUS does not heed it."""
    configuration: Callable[[], list[str]]
    """One sentence for each thing of the runtime's network configuration that an operator has to mend. STATUS
    does not heed it: whether a runtime can add Pods by it, the runtime tells itself."""

    def problems(self) -> list[str]:
        """Return one sentence for each reason why the node cannot take Pods, or not all kinds of Pods."""
        obstacle = self.pool.obstacle()
        found = [str(obstacle)] if obstacle else []
        return [
            *self.drift(),
            *self.book.unwritten(),
            *found,
            *self.enis.problems(),
            *self.cut_off(),
            *self.foreign(),
            *self.watches(),
            *self.configuration(),
        ]

    def metrics(self) -> Iterator[Metric]:
        """Yield how many problems there are."""
        yield gauge(
            "tke_eni_node_problems",
            "Reasons why the node cannot take Pods, or not all kinds (ipamctl status).",
            len(self.problems()),
        )

    def check(self, request: StatusRequest) -> None:
        """Serve STATUS: return when the plugin can serve ADD, CniError 50 or 51 with the reason if not."""
        drift = self.kernel_drift.for_longer_than(self.patience)
        disk = self.disk.for_longer_than(self.patience)
        dry = self.dry.for_longer_than(self.patience)
        if drift:
            raise CniError(
                Code.LIMITED_CONNECTIVITY,
                f"STATUS: {'; '.join(drift)}",
                advice="see `ipamctl status` and the agent's log",
                version=request.conf.version,
            )
        if self.book.ledger.in_state(Assigned, Occupied):
            return
        obstacle = self.pool.obstacle()
        if obstacle is not None or disk or dry:
            reason = obstacle.message if obstacle is not None else [*disk, *dry][0]
            advice = "make room on the node's disk" if disk else self.pool.advice()
            raise CniError(
                Code.PLUGIN_NOT_AVAILABLE,
                f"STATUS: no address for Pods: {reason}",
                advice=obstacle.advice if obstacle is not None else advice or "see the agent's log",
                version=request.conf.version,
            )
