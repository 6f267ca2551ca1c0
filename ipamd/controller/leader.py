"""The leader's work, from the watch caches to the workers, and when it begins and ends.

    watch caches -> queue -> workers -> reconciler (core rules) -> executor -> Kubernetes, cloud

Thread safety: `start_watching`, `stand_for_election` and `stop` are for one thread; the election's thread
begins and ends the work.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from ipamd.cloud.tencent import TencentCloud
from ipamd.controller.account.account_type import AccountChecks
from ipamd.controller.account.clock import ClockChecks
from ipamd.controller.account.quota import QuotaChecks
from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.cluster import Cluster
from ipamd.controller.claims.eip_listing import ClaimEips
from ipamd.controller.claims.eip_selection import Choices
from ipamd.controller.claims.executor import Executor
from ipamd.controller.claims.in_flight import Promises
from ipamd.controller.claims.live_reader import Lookout
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.provisioning import Orders
from ipamd.controller.claims.reconciler import Reconciler
from ipamd.controller.claims.release_gate import ReleaseGate
from ipamd.controller.claims.writer import ClaimWriter
from ipamd.controller.egress.condition import EgressChecks
from ipamd.controller.egress.routes import EgressRoutes
from ipamd.controller.events import COMPONENT, Teller
from ipamd.controller.masquerade.sync import MasqueradeConfig
from ipamd.controller.options import Settings
from ipamd.controller.sweep.losses import ClaimLosses
from ipamd.controller.sweep.sweep import Sights, Sweep
from ipamd.core.claim import eipclaim
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.client import KubeClient
from ipamd.kube.events import EventPace, EventRecorder
from ipamd.kube.leases import Election, NotLeaderError
from ipamd.kube.resources import EIPCLAIMS
from ipamd.kube.watch import Key, WatchPace
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, Pace
from ipamd.runtime.reconcile import ReconcileWorkers
from ipamd.runtime.work_queue import WorkQueue

log = logging.getLogger(__name__)

_GRACE = 15.0
"""Seconds that all parts together get to end what they have begun.

A cloud write lasts no longer than the Lease. With the seconds in which the Lease is given back it is below
the Pod's terminationGracePeriodSeconds.
"""

_PATIENT_SHARE = 0.25
"""Part of the workers for claims that wait for a free EIP: the requests are for those that get one."""

_EVENTS = EventPace(rate=20.0, capacity=8192, quiet=300.0)
"""A thousand refused claims and their Pods hear of it within two minutes."""


_SWEEP_BACKOFF = Backoff(first=2.0, longest=300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """How a replica behaves in time; the defaults are for production."""

    pace: WatchPace | None = None
    """Of the watches."""
    backoff: Backoff | None = None
    """From work on a claim that failed."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch, as they are written into claims and compared with them."""
    steady: Callable[[], float] = time.monotonic
    """Seconds that nobody sets, for how long Pods, and ready nodes, are seen to be absent."""


class Leader:
    """One replica of the controller.

    Invariant: workers run only between the election's start and its loss or `stop`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        client: KubeClient,
        cloud: TencentCloud,
        election: Election,
        tempo: Tempo | None = None,
    ) -> None:
        """Take the outside world; nothing is asked of it before `start_watching`."""
        tempo = tempo or Tempo()
        self._settings = settings
        self._election = election
        outages = Absences(tempo.steady)
        self.cluster = Cluster(client, wake=self._wake, outages=outages, pace=tempo.pace)
        self.queue: WorkQueue[Key] = WorkQueue(
            backoff=tempo.backoff,
            turn=self.cluster.turn_of,
            patient=max(1, int(settings.workers * _PATIENT_SHARE)),
        )
        self._recorder = EventRecorder(client, COMPONENT, socket.gethostname(), pace=_EVENTS)
        self.lost = threading.Event()
        teller = Teller(self._recorder)
        tell = partial(teller.lease, settings.lease_namespace, settings.lease_name)
        self.clock = ClockChecks(tempo.clock, cloud.time, tell, steady=tempo.steady)
        ports = Ports(
            fence=election,
            cloud=cloud,
            writer=ClaimWriter(client),
            teller=teller,
            promises=Promises(),
            on_freed=self._wake_refused,
            release_stopped=ReleaseGate(client, settings.namespace, stopped=settings.stop_releases).closed,
            blind=lambda: self.sweep.counts.blind,
            absences=Absences(tempo.steady),
            obstacles=Absences(tempo.steady),
            clock_doubt=self.clock.doubt,
            clock=tempo.clock,
        )
        eips = ClaimEips(cloud, settings.cluster_id)
        lookout = Lookout(client, cloud, eips, self.cluster, outages=outages)
        choices = Choices(
            settings.cluster_id, sight=lookout, ports=ports, tagged_only=settings.rules.tagged_only
        )
        account = AccountChecks(cloud, tempo.backoff)
        reconciler = Reconciler(
            settings.cluster_id,
            cluster=self.cluster,
            lookout=lookout,
            executor=Executor(Orders(settings.cluster_id, ports, account), choices, ports),
            ports=ports,
            rules=settings.rules,
        )
        self._workers = ReconcileWorkers(
            "worker",
            settings.workers,
            self.queue,
            reconciler.reconcile,
            no_news=(NotLeaderError,),  # left to the leader
        )
        self._egress = EgressChecks(
            EgressRoutes(cloud),
            ports,
            claims=self.cluster.claims,
            interval=settings.egress_check_interval,
        ).loop
        self._masquerade = MasqueradeConfig(
            client,
            settings.ip_masq_agent_config,
            claims=self.cluster.claims,
            fence=election,
            teller=ports.teller,
            pace=tempo.pace,
        )
        self.sweep = Sweep(
            settings.sweep,
            settings.cluster_id,
            sights=Sights(
                cloud=cloud,
                claims=self.cluster.claims,
                live_claims=lambda: [eipclaim.read(obj) for obj in client.list(EIPCLAIMS).items],
                steady=time.monotonic,
            ),
            ports=ports,
            losses=ClaimLosses(cloud, ports, tell),
            tell=tell,
        )
        sweeping = Loop(
            "sweep",
            self.sweep.make_pass,
            policy=Survive(),
            pace=Pace(period=settings.sweep.interval, backoff=tempo.backoff or _SWEEP_BACKOFF),
            no_news=(NotLeaderError,),
        )
        self.quota = QuotaChecks(cloud, tempo.backoff)
        self._parts = (
            account.loop,
            self._workers,
            Loop("resync", self._resync, policy=Survive(), pace=Pace(period=settings.resync)),
            self._egress,
            self._masquerade,
            sweeping,
            self.quota.loop,
        )

    @property
    def leading(self) -> bool:
        """Whether this replica holds the Lease now."""
        return self._election.leading

    def start_watching(self) -> None:
        """Fill the caches and begin to write Events."""
        self._recorder.start()
        self.cluster.start()
        self._masquerade.start_watching()

    def stand_for_election(self) -> None:
        """Work as soon as the Lease is won."""
        self._election.start(on_started=self._on_started, on_lost=self._on_lost)

    def stop(self) -> None:
        """End the work, then give the Lease back, so that the next leader finds nobody at work."""
        with ThreadPoolExecutor(len(self._parts), thread_name_prefix="stopping") as stopping:
            # All at once: together they have no longer than one, and no part begins work while another ends.
            ended = list(stopping.map(lambda part: part.stop(_GRACE), self._parts))
        if not all(ended):
            log.warning("a worker is still busy after %.0f s; the Lease is left to expire", _GRACE)
        self._election.stop(give_back=all(ended))
        self.cluster.stop()
        self._recorder.stop()

    def _on_started(self) -> None:
        if not self.lost.is_set():  # workers start once; after a loss the process ends
            for part in self._parts:
                part.start()

    def _on_lost(self) -> None:
        self.queue.close()
        self.lost.set()

    def _resync(self) -> None:
        """Have everything looked at again."""
        everything = self.cluster.keys()
        for key in everything:
            self.queue.add(key)

    def _wake(self, key: Key) -> None:
        self.queue.add(key)
        self._egress.trigger()
        self._masquerade.trigger()

    def _wake_refused(self, freed: int) -> None:
        """Let as many claims as EIPs came free try again that were refused for lack of quota."""
        for key in self.cluster.waiting_for_quota(freed):
            self.queue.add(key)
