"""The work on claims: watch caches -> queue -> workers -> reconciler -> executor -> Kubernetes, cloud."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ipamd.cloud.tencent import TencentCloud
from ipamd.controller.account.build import Account
from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.claim_ages import ClaimAges
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.claims.eip_listing import EipListing
from ipamd.controller.claims.eip_selection import EipSelection
from ipamd.controller.claims.executor import Executor
from ipamd.controller.claims.live_reader import LiveReader
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.provisioning import Provisioning
from ipamd.controller.claims.reconciler import ClaimReconciler
from ipamd.controller.options import ControllerSettings
from ipamd.controller.tempo import ReplicaPace
from ipamd.kube.client import KubeClient
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.watch import Key
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.metric import Metric, gauge
from ipamd.runtime.reconcile import ReconcileWorkers
from ipamd.runtime.service import Service, ended
from ipamd.runtime.work_queue import WorkQueue

_PATIENT_SHARE: Final = 0.25
"""Part of the workers for claims that wait for a free EIP: the requests are for those that get one."""


class Claims:
    """The claims of the cluster and the queue of work on them.

    Invariant: each change of the cluster that matters wakes its key, and then all listeners.
    """

    def __init__(self, settings: ControllerSettings, client: KubeClient, tempo: ReplicaPace) -> None:
        self.outages = Absences(tempo.steady)
        """For how long this replica has seen nodes not to be ready."""
        self.cluster = ClusterView(client, wake=self._wake, outages=self.outages, pace=tempo.pace)
        self.queue: WorkQueue[Key] = WorkQueue(
            backoff=tempo.backoff,
            turn=self.cluster.turn_of,
            patient=max(1, int(settings.workers * _PATIENT_SHARE)),
        )
        self._ages = ClaimAges(tempo.steady)
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each change; to be used before the caches start."""
        self._listeners.append(listener)

    def look_at_all(self) -> None:
        """Have everything looked at again."""
        keys = self.cluster.keys()
        for key in keys:
            self.queue.add(key)

    def wake_refused(self, freed: int) -> None:
        """Let as many claims as EIPs came free try again that were refused for lack of quota."""
        for key in self.cluster.waiting_for_quota(freed):
            self.queue.add(key)

    def metrics(self) -> Iterator[Metric]:
        """Yield what the cache and the queue hold."""
        yield from self._ages.metrics(self.cluster.claims())
        yield gauge(
            "tke_eni_work_queue_length",
            "Claims and Pods that wait to be looked at, now or after a back-off.",
            len(self.queue),
        )

    def _wake(self, key: Key) -> None:
        self.queue.add(key)
        for listener in self._listeners:
            listener()


def watch(claims: Claims) -> Service:
    """Return the caches, which every replica keeps."""
    return Service(
        name="caches",
        start=claims.cluster.start,
        stop=ended(claims.cluster.stop),
        metrics=claims.metrics,
    )


@dataclass(frozen=True, slots=True)
class ClaimWork:
    """What the leader does about claims, and what other rooms need of it."""

    live: LiveReader
    selection: EipSelection
    services: tuple[Service, ...]


def build(
    settings: ControllerSettings,
    claims: Claims,
    ports: Ports,
    *,
    client: KubeClient,
    cloud: TencentCloud,
    account: Account,
) -> ClaimWork:
    """Return the work on claims, which only the leader does."""
    eips = EipListing(cloud, settings.cluster_id)
    live = LiveReader(client, cloud, eips, claims.cluster, outages=claims.outages)
    choices = EipSelection(
        settings.cluster_id, sight=live, ports=ports, tagged_only=settings.rules.tagged_only
    )
    reconciler = ClaimReconciler(
        settings.cluster_id,
        cluster=claims.cluster,
        live=live,
        executor=Executor(Provisioning(settings.cluster_id, ports, account.type), choices, ports),
        ports=ports,
        rules=settings.rules,
    )
    workers = ReconcileWorkers(
        "worker",
        settings.workers,
        claims.queue,
        reconciler.reconcile,
        no_news=(NotLeaderError,),  # a late renewal may yet succeed; who has lost for good ends
    )
    resync = Loop("resync", claims.look_at_all, policy=Survive(), pace=LoopPace(period=settings.resync))
    return ClaimWork(
        live,
        choices,
        (
            Service(name="workers", start=workers.start, stop=workers.stop),
            Service(name="resync", start=resync.start, stop=resync.stop),
        ),
    )
