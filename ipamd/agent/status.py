"""Whether the node can take Pods, and if not, why: for STATUS, for people, in one place.

STATUS decides over the Node's readiness: a runtime that gets an error reports its network as not ready, the
kubelet then the Node, and after some minutes the Pods of such a Node are evicted. So a node whose Pods run is
reported as unavailable only when they themselves are in trouble (51). That it can take no further Pod - full,
or refused more addresses by the cloud - is said by STATUS (50) only while no Pod would suffer from it, and
always by `ipamctl status`, by the extended resources and by the Events of the Pods that do not start.
Thread safety: any thread may call any method.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.address_book import AddressBook
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pool import Pool
from ipamd.core.addresses import Assigned, Occupied
from ipamd.core.cni import StatusRequest
from ipamd.core.cni_errors import CniError, Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Knows of all parts what keeps the node from taking Pods."""

    book: AddressBook
    enis: NodeEnis
    pool: Pool
    watches: Callable[[], list[str]]
    """One sentence for each watch that has not caught up."""
    drift: Callable[[], list[str]]
    """One sentence for each thing of the node's network that is wrong and could not be mended."""
    cut_off: Callable[[], list[str]]
    """One sentence for each Pod that has lost its link."""
    configuration: Callable[[], list[str]]
    """One sentence for each thing of the runtime's network configuration that an operator has to mend. STATUS
    does not heed it: whether a runtime can add Pods by it, the runtime tells itself."""

    def problems(self) -> list[str]:
        """Return one sentence for each reason why the node cannot take Pods, or not all kinds of Pods."""
        obstacle = self.pool.obstacle()
        found = [str(obstacle)] if obstacle else []
        return [
            *self.drift(),
            *found,
            *self.enis.problems(),
            *self.cut_off(),
            *self.watches(),
            *self.configuration(),
        ]

    def check(self, request: StatusRequest) -> None:
        """Serve STATUS: return when the plugin can serve ADD, CniError 50 or 51 with the reason if not."""
        drift = self.drift()
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
        if obstacle is not None:
            raise CniError(
                Code.PLUGIN_NOT_AVAILABLE,
                f"STATUS: no address for Pods: {obstacle.message}",
                advice=obstacle.advice,
                version=request.conf.version,
            )
