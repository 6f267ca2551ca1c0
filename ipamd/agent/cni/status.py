"""STATUS: whether the node can take Pods.

STATUS decides over the Node's readiness: a runtime that gets an error reports its network as not ready, the
kubelet then the Node; its Pods leave their Services at once and are evicted some minutes later. So a node
whose Pods run is reported as unavailable only when they themselves have been in trouble for minutes (51).
That it can take no further Pod - full, refused more addresses by the cloud, its disk not writable - is said
by STATUS (50) only while no Pod would suffer from it, and always by `ipamctl status`, by the extended
resources and by the Events of the Pods that do not start.
Thread safety: any thread may call any method.
"""

import time
from collections.abc import Callable, Iterator

from ipamd.agent.persistence import Persistence
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.cni.requests import StatusRequest
from ipamd.core.ledger.states import Assigned, Occupied
from ipamd.runtime.metric import Metric, gauge


class Readiness:
    """Serves STATUS."""

    def __init__(
        self,
        shared_ledger: SharedLedger,
        pool: Pool,
        *,
        kernel_drift: Callable[[], list[str]],
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where to look, who tells what is wrong with packets, and the seconds that trouble may last."""
        self._shared_ledger = shared_ledger
        self._pool = pool
        self._patience = patience
        self._kernel_drift = Persistence(kernel_drift, clock=clock)
        self._disk = Persistence(shared_ledger.unwritten, clock=clock)
        self._dry = Persistence(pool.dry, clock=clock)

    def check(self, request: StatusRequest) -> None:
        """Return when the plugin can serve ADD; CniError 50 or 51 with the reason if not."""
        found = self._trouble()
        if found is not None:
            code, message, advice = found
            raise CniError(code, f"STATUS: {message}", advice=advice, version=request.conf.version)

    def metrics(self) -> Iterator[Metric]:
        """Yield whether STATUS succeeds."""
        yield gauge(
            "tke_eni_node_available",
            "1 while STATUS succeeds; else the runtime reports the node's network as not ready.",
            int(self._trouble() is None),
        )

    def _trouble(self) -> tuple[Code, str, str] | None:
        """Return why STATUS fails: code, message and advice; None when it succeeds."""
        drift = self._kernel_drift.for_longer_than(self._patience)
        disk = self._disk.for_longer_than(self._patience)
        dry = self._dry.for_longer_than(self._patience)
        if drift:
            return Code.LIMITED_CONNECTIVITY, "; ".join(drift), "see `ipamctl status` and the agent's log"
        if self._shared_ledger.current.in_state(Assigned, Occupied):
            return None
        obstacle = self._pool.obstacle()
        if obstacle is None and not disk and not dry:
            return None
        reason = obstacle.message if obstacle is not None else [*disk, *dry][0]
        if obstacle is not None:
            advice = obstacle.advice
        else:
            advice = "make room on the node's disk" if disk else self._pool.advice() or "see the agent's log"
        return Code.PLUGIN_NOT_AVAILABLE, f"no address for Pods: {reason}", advice
