"""The work on EIPPools: watch -> queue -> worker -> reconciler -> Kubernetes, cloud."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ipamd.controller.account.build import Account
from ipamd.controller.claims.build import Claims, ClaimWork
from ipamd.controller.claims.ports import Ports
from ipamd.controller.eip_pool.executor import EipPoolExecutor
from ipamd.controller.eip_pool.reconciler import PoolReconciler
from ipamd.controller.eip_pool.writer import PoolWriter
from ipamd.controller.tempo import ReplicaPace
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.eip_pool import eippool
from ipamd.core.eip_pool.eippool import EipPool
from ipamd.kube.client import KubeClient
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.optional_watch import IN_CONTROLLER, OptionalWatch
from ipamd.kube.resources import EIPPOOLS
from ipamd.runtime.metric import Metric
from ipamd.runtime.reconcile import ReconcileWorkers
from ipamd.runtime.service import Service, ended
from ipamd.runtime.work_queue import WorkQueue

if TYPE_CHECKING:
    from ipamd.kube.watch import Key

_WORKERS: Final = 2
_AFTER_CLAIMS: Final = 0.2
"""Seconds after a change of a claim until its pool is looked at: many change together in a roll-out."""
_OF_THE_SERVER: Final = ("resourceVersion", "managedFields")
_STATES: Final = {"free": "free", "held": "bound", "all": "total"}
"""Values of the metric's label, and the field of the status that each shows."""


@dataclass(frozen=True, slots=True)
class PoolWork:
    """What runs for EIPPools."""

    watch: Service
    """In every replica."""
    while_leading: Service
    known: Callable[[], list[EipPool]]
    """The pools, as the watch tells."""


class EipPools:
    """The pools of the cluster, as the watch tells, and the queue of work on them."""

    def __init__(self, client: KubeClient, tempo: ReplicaPace, *, wake_claims: Callable[[str], None]) -> None:
        """Take who has the claims looked at that want an EIP of a pool."""
        self.queue: WorkQueue[Key] = WorkQueue(backoff=tempo.backoff)
        self._wake_claims = wake_claims
        self._seen: dict[str, Mapping[str, Any]] = {}  # used by the watch's thread only
        self.watch = OptionalWatch(client, EIPPOOLS, on_change=self._changed).at_pace(IN_CONTROLLER)

    def look_at_all(self) -> None:
        """Have all pools looked at."""
        for obj in self.watch.items() or ():
            self.queue.add(("", obj["metadata"]["name"]))

    def _changed(self) -> None:
        """Have those pools looked at that others have changed, with the claims that name them.

        A status is ours: if each write of it had the pools looked at, one busy pool would have the cloud
        asked for the EIPs of all, again and again.
        """
        now = {obj["metadata"]["name"]: _by_others(obj) for obj in self.watch.items() or ()}
        before, self._seen = self._seen, now
        for name in before.keys() | now.keys():
            if before.get(name) != now.get(name):
                self.queue.add(("", name))
                self._wake_claims(name)

    def known(self) -> list[EipPool]:
        """Return the pools, as the watch tells."""
        return [eippool.read(obj) for obj in self.watch.items() or ()]

    def claim_changed(self, claim: Claim) -> None:
        """Have the pool of a claim looked at."""
        if claim.request and claim.request.pool:
            self.queue.add_after(("", claim.request.pool), _AFTER_CLAIMS)

    def metrics(self) -> Iterator[Metric]:
        """Yield what the pools' status says."""
        pools = self.known()
        yield Metric(
            name="tke_eni_eip_pool_eips",
            text="EIPs of an EIPPool; what is neither free nor held is changing or of no use.",
            labels=("pool", "state"),
            samples={
                (pool.name, state): _number(pool.status.get(field))
                for pool in pools
                for state, field in _STATES.items()
            },
        )
        yield Metric(
            name="tke_eni_eip_pool_waiting",
            text="EIPClaims that wait for an EIP of an EIPPool.",
            labels=("pool",),
            samples={(pool.name,): _number(pool.status.get("waiting")) for pool in pools},
        )
        yield Metric(
            name="tke_eni_eip_pool_problem",
            text="1 for an EIPPool whose condition Ready is False; none that is being deleted.",
            labels=("pool", "reason"),
            samples={(pool.name, reason): 1.0 for pool in pools if (reason := pool.trouble)},
        )


def build(
    cluster_id: str,
    claims: Claims,
    work: ClaimWork,
    ports: Ports,
    *,
    client: KubeClient,
    account: Account,
    tempo: ReplicaPace,
) -> PoolWork:
    """Return the work on pools; before the cluster is watched."""
    pools = EipPools(client, tempo, wake_claims=claims.cluster.wake_who_wants_of)
    claims.cluster.on_claim(pools.claim_changed)
    writer = PoolWriter(client)
    executor = EipPoolExecutor(
        cluster_id,
        live=work.live,
        selection=work.selection,
        account=account.type,
        writer=writer,
        ports=ports,
    )
    reconciler = PoolReconciler(
        cluster=claims.cluster,
        live=work.live,
        executor=executor,
        selection=work.selection,
        writer=writer,
        ports=ports,
    )
    workers = ReconcileWorkers(
        "eip-pools", _WORKERS, pools.queue, reconciler.reconcile, no_news=(NotLeaderError,)
    )

    def start() -> None:
        pools.look_at_all()
        workers.start()

    return PoolWork(
        watch=Service(
            name="EIPPools", start=pools.watch.start, stop=ended(pools.watch.stop), metrics=pools.metrics
        ),
        while_leading=Service(name="EIPPool workers", start=start, stop=workers.stop),
        known=pools.known,
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int) else 0.0


def _by_others(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what of a pool people write."""
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _OF_THE_SERVER}
    return {"metadata": metadata, "spec": obj.get("spec")}
