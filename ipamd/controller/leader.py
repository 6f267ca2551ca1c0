"""One replica of the controller: the services that it runs, in order, and those that only the leader runs.

Watches, Events and the queue are there in every replica, so that the next leader begins with what it needs.
Thread safety: `start_watching`, `stand_for_election` and `stop` are for one thread; the election's thread
begins and ends the leader's work; `metrics` is for any.
"""

import logging
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Final

from ipamd.cloud.tencent import TencentCloud
from ipamd.controller.account import build as account_room
from ipamd.controller.claims import build as claims_room
from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.in_flight import InFlight
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.release_gate import ReleaseGate
from ipamd.controller.claims.sweep_waits import SweepWaits
from ipamd.controller.claims.writer import ClaimWriter
from ipamd.controller.egress import build as egress_room
from ipamd.controller.eip_pool import build as eip_pool_room
from ipamd.controller.events import COMPONENT, ClaimEvents
from ipamd.controller.masquerade import build as masquerade_room
from ipamd.controller.nodes import build as nodes_room
from ipamd.controller.options import ControllerSettings
from ipamd.controller.sweep import build as sweep_room
from ipamd.controller.tempo import ReplicaPace
from ipamd.controller.vpc_ips import build as vpc_ips_room
from ipamd.core.model import EipQuota
from ipamd.kube.client import KubeClient
from ipamd.kube.events import EventPace, EventRecorder
from ipamd.kube.leases import Election
from ipamd.runtime.metric import Metric, gauge
from ipamd.runtime.service import Service, Services

log = logging.getLogger(__name__)

_GRACE: Final = 15.0
"""Seconds that all work of the leader gets to end what it has begun.

A cloud write lasts no longer than the Lease. With the seconds in which the Lease is given back it is below
the Pod's terminationGracePeriodSeconds.
"""
_WATCH_GRACE: Final = 10.0
"""The same of what every replica runs; nothing of it is lost by an earlier end."""
_EVENTS: Final = EventPace(rate=20.0, capacity=8192, quiet=300.0)
"""A thousand refused claims and their Pods hear of it within two minutes."""


class Leader:
    """One replica of the controller.

    Invariant: the leader's services run only between the election's start and its loss or `stop`.
    """

    def __init__(
        self,
        settings: ControllerSettings,
        *,
        client: KubeClient,
        cloud: TencentCloud,
        election: Election,
        tempo: ReplicaPace | None = None,
    ) -> None:
        """Take the outside world; nothing is asked of it before `start_watching`."""
        tempo = tempo or ReplicaPace()
        self._election = election
        self.lost = threading.Event()
        recorder = EventRecorder(client, COMPONENT, socket.gethostname(), pace=_EVENTS)
        teller = ClaimEvents(recorder)
        tell = partial(teller.lease, settings.lease_namespace, settings.lease_name)
        account = account_room.build(cloud, tell, tempo)
        claims = claims_room.Claims(settings, client, tempo)
        self.clock = account.clock
        self._quota = account.quota
        ports = Ports(
            fence=election,
            cloud=cloud,
            writer=ClaimWriter(client),
            teller=teller,
            in_flight=InFlight(),
            on_freed=claims.wake_refused,
            release_stopped=ReleaseGate(client, settings.namespace, stopped=settings.stop_releases).closed,
            blind=lambda: self.sweep.doubt(),  # noqa: PLW0108 - it is made after this
            sweep_waits=SweepWaits(claims.queue.add),
            absences=Absences(tempo.steady),
            obstacles=Absences(tempo.steady),
            clock_doubt=account.clock.doubt,
            clock=tempo.clock,
            steady=tempo.steady,
            tell=tell,
        )
        self.cluster, self.queue = claims.cluster, claims.queue
        masquerade = masquerade_room.build(
            settings.ip_masq_agent_config, claims, client=client, fence=election, teller=teller, tempo=tempo
        )
        nodes = nodes_room.build(
            settings.node_taint, claims.cluster, client, fence=election, teller=teller, tempo=tempo
        )
        claim_work = claims_room.build(settings, claims, ports, client=client, cloud=cloud, account=account)
        eip_pools = eip_pool_room.build(
            settings.cluster_id, claims, claim_work, ports, client=client, account=account, tempo=tempo
        )
        self.sweep = sweep_room.build(
            settings, claims.cluster, ports, client=client, cloud=cloud, pools=eip_pools.known
        )
        vpc_ips = vpc_ips_room.build(
            settings, claims, claim_work, ports, client=client, cloud=cloud, tempo=tempo
        )
        self.fixed_ips = vpc_ips.claims
        """Tells all VpcIPClaims."""
        self._standing = Services(
            Service(name="Events", start=recorder.start, stop=recorder.stop),
            claims_room.watch(claims),
            masquerade.watch,
            eip_pools.watch,
            vpc_ips.watch,
            nodes.watch,
        )
        self._leading = Services(
            *account.while_leading,
            *claim_work.services,
            eip_pools.while_leading,
            *vpc_ips.while_leading,
            egress_room.build(claims, ports, cloud, interval=settings.egress_check_interval),
            masquerade.while_leading,
            *nodes.while_leading,
            sweep_room.run(self.sweep, settings, tempo),
        )

    @property
    def leading(self) -> bool:
        """Whether this replica holds the Lease now."""
        return self._election.leading

    @property
    def quotas(self) -> tuple[EipQuota, ...]:
        """The account's quotas of EIPs, as the leader read them last."""
        return self._quota.quotas

    def start_watching(self) -> None:
        """Fill the caches and begin to write Events."""
        self._standing.start()

    def stand_for_election(self) -> None:
        """Work as soon as the Lease is won."""
        self._election.start(on_started=self._on_started, on_lost=self._on_lost)

    def stop(self) -> None:
        """End the work, then give the Lease back, so that the next leader finds nobody at work."""
        ended = self._leading.stop_together(_GRACE)
        if not ended:
            log.warning("work goes on after %.0f s; the Lease is left to expire", _GRACE)
        self._election.stop(give_back=ended)
        self._standing.stop(_WATCH_GRACE)

    def metrics(self) -> Iterator[Metric]:
        """Yield what all services show, and whether this replica leads."""
        yield gauge("tke_eni_leader", "1 on the replica that leads, else 0.", int(self.leading))
        yield from self._standing.metrics()
        yield from self._leading.metrics()

    def _on_started(self) -> None:
        if not self.lost.is_set():  # services start once; after a loss the process ends
            self._leading.start()

    def _on_lost(self) -> None:
        self.queue.close()
        self.lost.set()
