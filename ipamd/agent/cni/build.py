"""The verbs of CNI: how a sandbox comes, is compared, and goes; and the queue of DELs that came meanwhile."""

from dataclasses import dataclass
from typing import Final

from ipamd.agent.cni import pending_deletes
from ipamd.agent.cni.add import Add
from ipamd.agent.cni.add_waits import AddWaits
from ipamd.agent.cni.check import Check
from ipamd.agent.cni.delete import Delete
from ipamd.agent.cni.gc import GarbageCollection
from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.cni.pending_deletes import PendingDeletes
from ipamd.agent.cni.sandbox_wiring import SandboxWiring
from ipamd.agent.cni.service import CniService
from ipamd.agent.cni.status import Readiness
from ipamd.agent.eips.build import NodeEips
from ipamd.agent.enis import NodeEnis
from ipamd.agent.exclusive.pool import ExclusivePool
from ipamd.agent.fixed.build import NodeFixed
from ipamd.agent.options import AgentSettings
from ipamd.agent.pods.build import NodePods
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.kubernetes.pods import PodView
from ipamd.grpc_server.server import GrpcServer
from ipamd.net.dataplane import DataPlane
from ipamd.runtime.concurrency_limit import ConcurrencyLimit
from ipamd.runtime.metric import Source
from ipamd.runtime.request_threads import RequestThreads
from ipamd.runtime.service import Service

_SERVER_GRACE: Final = 10.0
_SERVED: Final = 4
"""Requests of the plugin that are worked at together; more would only make them take turns."""
_WAITING: Final = 40
"""How many ADDs may wait for an address or an EIP."""
_MOST_THREADS: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandboxes:
    """What ends, compares and spares sandboxes, for the verbs and for the repair."""

    pending_adds: PendingAdds
    delete: Delete
    pending_deletes: PendingDeletes
    check: Check


def build(
    settings: AgentSettings,
    *,
    shared_ledger: SharedLedger,
    dataplane: DataPlane,
    enis: NodeEnis,
    pods: NodePods,
) -> Sandboxes:
    """Return what others need of the sandboxes of the node."""
    pending = PendingAdds()
    delete = Delete(shared_ledger=shared_ledger, releasing=pods.release, locks=pods.locks, pending=pending)
    queues = (settings.pending_deletes, pending_deletes.in_memory(settings.socket))
    return Sandboxes(
        pending_adds=pending,
        delete=delete,
        pending_deletes=PendingDeletes(queues, delete),
        check=Check(shared_ledger=shared_ledger, enis=enis, dataplane=dataplane, locks=pods.locks),
    )


def add(
    settings: AgentSettings,
    sandboxes: Sandboxes,
    *,
    shared_ledger: SharedLedger,
    dataplane: DataPlane,
    enis: NodeEnis,
    pods: NodePods,
    pool: Pool,
    exclusive_pool: ExclusivePool,
    eips: NodeEips,
    fixed: NodeFixed,
) -> Add:
    """Return what serves ADD."""

    def wake_if_over(kind: str, pod: PodView) -> None:
        if kind == "deleted" or not pod.wants_sandbox:
            shared_ledger.wake()  # its ADD need not wait any longer

    pods.source.on_change(wake_if_over)
    wiring = SandboxWiring(
        shared_ledger=shared_ledger,
        enis=enis,
        dataplane=dataplane,
        releasing=pods.release,
        locks=pods.locks,
        pending=sandboxes.pending_adds,
        cooldown=settings.ip_cooldown,
    )
    limit = ConcurrencyLimit(_WAITING)
    return Add(
        queued_deletes=sandboxes.pending_deletes,
        waits=AddWaits(
            shared_ledger,
            pods=pods.source,
            pool=pool,
            exclusive_pool=exclusive_pool,
            eips=eips.wait,
            fixed=fixed.wait,
            limit=limit,
        ),
        sandboxes=wiring,
        eips=eips.wait,
        fixed=fixed.wait,
        announcer=eips.publisher,
    )


def service(
    settings: AgentSettings, sandboxes: Sandboxes, add: Add, readiness: Readiness, shared_ledger: SharedLedger
) -> CniService:
    """Return what serves all verbs."""
    gc = GarbageCollection(
        shared_ledger=shared_ledger,
        deleting=sandboxes.delete,
        are_under_way=sandboxes.pending_adds.are_under_way,
    )
    return CniService(
        add=add,
        delete=sandboxes.delete,
        check=sandboxes.check,
        gc=gc,
        readiness=readiness,
        add_timeout=settings.add_timeout,
    )


def threads() -> RequestThreads:
    """Return what serves the verbs, apart from what serves operators."""
    return RequestThreads("rpc-cni", count=_SERVED, most=_MOST_THREADS)


def serve(
    server: GrpcServer, sandboxes: Sandboxes, announce: Service, *, metrics: Source
) -> tuple[Service, ...]:
    """Return what serves the plugin, with the queued DELs done: before, and for those that came meanwhile.

    `announce` has the runtime know that the plugin is served.
    """

    def drain() -> None:
        sandboxes.pending_deletes.drain()

    return (
        Service(name="DELs queued before", start=drain),
        Service(name="server", start=server.start, stop=server.stop, grace=_SERVER_GRACE, metrics=metrics),
        announce,
        Service(name="DELs queued meanwhile", start=drain),
    )
