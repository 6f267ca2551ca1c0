"""The work on fixed addresses: watches -> queue -> workers -> reconciler -> executor -> Kubernetes, cloud."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ipamd.cloud.tencent import TencentCloud
from ipamd.controller.claims.build import Claims, ClaimWork
from ipamd.controller.claims.ports import Ports
from ipamd.controller.options import ControllerSettings
from ipamd.controller.tempo import ReplicaPace
from ipamd.controller.vpc_ips.address_book import AddressBook
from ipamd.controller.vpc_ips.address_waits import AddressWaits
from ipamd.controller.vpc_ips.enis import ClaimEnis
from ipamd.controller.vpc_ips.executor import VpcIpExecutor
from ipamd.controller.vpc_ips.keeper_sweep import KeeperSweep
from ipamd.controller.vpc_ips.kept_enis import KeptEnis
from ipamd.controller.vpc_ips.line_notice import LineNotice
from ipamd.controller.vpc_ips.live_reader import VpcIpLiveReader
from ipamd.controller.vpc_ips.pauses import Pauses
from ipamd.controller.vpc_ips.reconciler import VpcIpReconciler
from ipamd.controller.vpc_ips.reservations import Reservations
from ipamd.controller.vpc_ips.sight import VpcIpSight
from ipamd.controller.vpc_ips.sweep import VpcIpSweep
from ipamd.controller.vpc_ips.teller import VpcIpTeller
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core.claim.eipclaim import Phase
from ipamd.core.timing.backoff import Backoff
from ipamd.core.vpc_ip import status
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.kube.client import KubeClient
from ipamd.kube.leases import NotLeaderError
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.metric import Metric, gauge, gauges
from ipamd.runtime.reconcile import ReconcileWorkers
from ipamd.runtime.service import Service, ended
from ipamd.runtime.work_queue import WorkQueue

if TYPE_CHECKING:
    from ipamd.kube.watch import Key

_WORKERS: Final = 4
"""Claims worked on at once: the account reserves 20 addresses a second, and one takes a fraction of that."""
_BACKOFF: Final = Backoff(first=2.0, longest=300.0)


@dataclass(frozen=True, slots=True)
class VpcIpWork:
    """What runs for fixed addresses."""

    watch: Service
    """In every replica."""
    while_leading: tuple[Service, ...]
    claims: Callable[[], list[VpcIpClaim]]
    """All VpcIPClaims, as the watch last told."""


def build(
    settings: ControllerSettings,
    claims: Claims,
    work: ClaimWork,
    ports: Ports,
    *,
    client: KubeClient,
    cloud: TencentCloud,
    tempo: ReplicaPace,
) -> VpcIpWork:
    """Return the work on fixed addresses; before the cluster is watched."""
    queue: WorkQueue[Key] = WorkQueue(backoff=tempo.backoff)
    teller = VpcIpTeller(ports.teller)
    book = AddressBook(
        client,
        claims.cluster,
        wake=queue.add,
        wake_eip=claims.queue.add,
        on_line_deleted=LineNotice(teller, ports.fence).tell,
    )
    writer = VpcIpWriter(client)
    live = VpcIpLiveReader(client, cloud, settings.cluster_id, nodes=work.live)
    sight = VpcIpSight(
        claims.cluster, book, live, pauses=Pauses(tempo.steady), ports=ports, rules=settings.rules
    )
    reservations = Reservations(settings.cluster_id, cloud, writer, teller=teller, ports=ports)
    enis = ClaimEnis(settings.cluster_id, cloud, writer, teller=teller, ports=ports)
    executor = VpcIpExecutor(writer, cloud, reservations, enis, teller=teller, ports=ports)
    reconciler = VpcIpReconciler(sight, executor, writer, teller)
    sweep = VpcIpSweep(settings.sweep, sight, reservations, writer, ports=ports, wake=queue.add)
    eni_sweep = KeeperSweep(settings.sweep, KeptEnis(sight, enis), sight, ports=ports, wake=queue.add)
    workers = ReconcileWorkers("vpc-ips", _WORKERS, queue, reconciler.reconcile, no_news=(NotLeaderError,))
    passes = Loop(
        "vpc-ip-sweep",
        sweep.make_pass,
        policy=Survive(),
        pace=LoopPace(period=settings.sweep.interval, backoff=tempo.after_failures(_BACKOFF)),
        no_news=(NotLeaderError,),
    )
    eni_passes = Loop(
        "vpc-ip-eni-sweep",
        eni_sweep.make_pass,
        policy=Survive(),
        pace=LoopPace(period=settings.sweep.interval, backoff=tempo.after_failures(_BACKOFF)),
        no_news=(NotLeaderError,),
    )

    resync = Loop("vpc-ip-resync", book.wake_all, policy=Survive(), pace=LoopPace(period=settings.resync))
    waits = AddressWaits(tempo.steady, claims.cluster.pod)
    return VpcIpWork(
        watch=Service(
            name="VpcIPClaims", start=book.start, stop=ended(book.stop), metrics=lambda: _metrics(book, waits)
        ),
        while_leading=(
            Service(name="VpcIPClaim workers", start=workers.start, stop=workers.stop),
            Service(name="VpcIPClaim resync", start=resync.start, stop=resync.stop),
            Service(name="VpcIPClaim sweep", start=passes.start, stop=passes.stop, metrics=sweep.metrics),
            Service(
                name="VpcIPClaim ENI sweep",
                start=eni_passes.start,
                stop=eni_passes.stop,
                metrics=eni_sweep.metrics,
            ),
        ),
        claims=book.claims,
    )


def _metrics(book: AddressBook, waits: AddressWaits) -> Iterator[Metric]:
    """Yield what the copies hold."""
    claims = book.claims()
    phases = Counter(map(status.phase_of, claims))
    yield gauges(
        "tke_eni_vpc_ip_claims",
        "VpcIPClaims of the cluster by phase.",
        "phase",
        {phase.value: phases[phase] for phase in Phase},
    )
    yield gauge(
        "tke_eni_vpc_ip_claims_not_reserved",
        "VpcIPClaims whose address the VPC does not keep from others.",
        sum(1 for claim in claims if claim.address and not claim.address.is_reserved),
    )
    yield from waits.metrics(claims)
