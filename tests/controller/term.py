"""One replica's time as the leader, on a modelled cluster and cloud."""

from typing import Any

from ipamd.controller.account.account_type import AccountChecks
from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.eip_listing import EipListing
from ipamd.controller.claims.eip_selection import EipSelection
from ipamd.controller.claims.executor import Executor
from ipamd.controller.claims.in_flight import InFlight
from ipamd.controller.claims.live_reader import LiveReader
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.provisioning import Provisioning
from ipamd.controller.claims.reconciler import ClaimReconciler
from ipamd.controller.claims.writer import ClaimWriter
from ipamd.controller.eip_pool.executor import EipPoolExecutor
from ipamd.controller.eip_pool.reconciler import PoolReconciler
from ipamd.controller.eip_pool.writer import PoolWriter
from ipamd.controller.events import ClaimEvents
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.leases import NotLeaderError
from tests.controller.model import CLUSTER


class Recorder:
    """Keeps the messages of Events."""

    def __init__(self):
        self.messages = []

    def record(self, _regarding, _kind, reason, message):
        self.messages.append((reason, message))


class Term:
    """One replica's time as the leader: what it began may arrive later, but it begins nothing after it."""

    def __init__(self, cluster):
        self.cluster = cluster
        recorder: Any = cluster.recorder
        api: Any = cluster.api
        ports = Ports(
            fence=self,
            cloud=cluster.cloud,
            writer=ClaimWriter(api),
            teller=ClaimEvents(recorder),
            in_flight=InFlight(monotonic=cluster.clock),
            on_freed=lambda _: None,
            release_stopped=str,
            clock=cluster.clock,
            steady=cluster.clock,
        )
        eips = EipListing(cluster.cloud, CLUSTER, spacing=0.0, monotonic=cluster.clock)
        live = LiveReader(api, cluster.cloud, eips, api, outages=Absences(cluster.clock))
        choices = EipSelection(
            CLUSTER, sight=live, ports=ports, tagged_only=False, lots=cluster.random.random
        )
        account = AccountChecks(cluster.cloud)
        self.reconciler = ClaimReconciler(
            CLUSTER,
            cluster=api,
            live=live,
            executor=Executor(Provisioning(CLUSTER, ports, account), choices, ports),
            ports=ports,
        )

        writer = PoolWriter(api)
        self.pools = PoolReconciler(
            cluster=api,
            live=live,
            executor=EipPoolExecutor(
                CLUSTER, live=live, selection=choices, account=account, writer=writer, ports=ports
            ),
            selection=choices,
            writer=writer,
            ports=ports,
        )

    def deadline(self):
        if self.cluster.leader is not self:
            raise NotLeaderError("replaced")
        return Deadline.after(10, self.cluster.clock)
