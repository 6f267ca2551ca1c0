"""Which part of the agent knows which: all of them are made here, and started and stopped in order.

Nothing else in the package makes another part. No part starts a thread before it is started.
"""

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from ipamd.agent.cni import pending_deletes
from ipamd.agent.cni.add import Add, AddTools
from ipamd.agent.cni.check import Check
from ipamd.agent.cni.delete import Delete
from ipamd.agent.cni.gc import GarbageCollection
from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.cni.pending_deletes import PendingDeletes
from ipamd.agent.cni.request_timing import RequestTiming
from ipamd.agent.cni.sandbox_wiring import SandboxWiring
from ipamd.agent.cni.server import WAITING, Server
from ipamd.agent.cni.service import CniService, Verbs
from ipamd.agent.cni.status import Readiness
from ipamd.agent.eips.associate import BindTools
from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.eips.confirm import EipConfirmation
from ipamd.agent.eips.disassociate import Disassociation
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.eips.reconciler import EipReconciler
from ipamd.agent.eips.wait import EipWait
from ipamd.agent.enis import Adapters, NodeEnis
from ipamd.agent.health import AgentHealth
from ipamd.agent.introspection import Identity, IntrospectionService, Views
from ipamd.agent.maintenance import MaintenanceParts, MaintenanceService
from ipamd.agent.network_conf.plugins import NodePlugins
from ipamd.agent.network_conf.sync import NetworkConfiguration
from ipamd.agent.node import facts as node_facts
from ipamd.agent.node.cloud_check import CloudCheck
from ipamd.agent.node.extended_resources import ExtendedResources
from ipamd.agent.node.facts import NodeFacts
from ipamd.agent.node.intrusions import Intrusions
from ipamd.agent.node.live_facts import LiveFacts
from ipamd.agent.node.orphan_sandboxes import OrphanSandboxes
from ipamd.agent.node.pod_sides import PodSides, SideTools
from ipamd.agent.node.ranges import GivenRanges, NodeRanges
from ipamd.agent.node.recovery import Recovery
from ipamd.agent.node.repair import Repair
from ipamd.agent.node.repair_loop import RepairLoop, UpkeepParts
from ipamd.agent.options import AgentSettings
from ipamd.agent.persistence import Persistence
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.release import SandboxRelease
from ipamd.agent.pods.source import PodSource
from ipamd.agent.pods.unknown_owners import UnknownOwners
from ipamd.agent.pool.executor import EniPlan, PoolExecutor
from ipamd.agent.pool.pool import Pool, PoolTerms
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud import metadata
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.polling import EipWatch
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.kubernetes import capacity
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.client import KubeClient
from ipamd.kube.events import EventRecorder
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import DataPlaneConfig, PodEgress
from ipamd.runtime.concurrency_limit import ConcurrencyLimit
from ipamd.store import recovery

if TYPE_CHECKING:
    from ipamd.metrics.registry import Metrics

COMPONENT = "tke-eni-agent"
_SERVER_GRACE = 10.0
_WORK_GRACE = 5.0
_SYNC_SECONDS = 10.0
"""How long the watches are waited for before the first request; what they do not know is asked live."""
_RESTART_SYNC_SECONDS = 2.0
"""The same where Pods run, whose DELs must not wait."""
_FACTS_LOOKS = 20
"""How many looks at the cloud pass until it is asked again who this node is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was found and opened before the parts can be made."""

    settings: AgentSettings
    facts: NodeFacts
    opened: recovery.Opened
    boot_id: str
    cloud: TencentCloud
    metadata: Metadata
    client: KubeClient
    health: AgentHealth
    metrics: "Metrics | None"
    """None: nobody wants to know."""


class Agent:
    """All parts of one agent; `serve` is called once."""

    def __init__(self, around: Surroundings) -> None:
        """Make the parts."""
        self._around = around
        settings = around.settings
        self._book = SharedLedger(around.opened.database, around.opened.ledger)
        self._dataplane = DataPlane(
            DataPlaneConfig(
                pod_egress=PodEgress(settings.pod_egress),
                eip_source_nat_exemption=settings.eip_source_nat_exemption,
                closed_to_pods=frozenset()
                if settings.pod_metadata_access
                else metadata.addresses(settings.metadata_url),
                sysctl_root=settings.sysctl_root,
            )
        )
        self._turns = PodLocks()
        self._pending_adds = PendingAdds()
        self._events = EventRecorder(around.client, COMPONENT, settings.node_name)
        self._pods = PodSource(around.client, settings.node_name, on_change=self._pod_changed)
        self._claims = ClaimSource(around.client, settings.node_name, on_change=self._claim_changed)
        self._announcer = ClaimPublisher(
            settings.node_name,
            client=around.client,
            claims=self._claims,
            pods=self._pods,
            events=self._events,
            clock=time.time,  # what is written to the API server is for people and other machines
        )
        self._facts = LiveFacts(
            around.facts,
            ask=lambda deadline: node_facts.ask(around.metadata, around.cloud, deadline),
            database=around.opened.database,
            interval=_FACTS_LOOKS * settings.cloud_check_interval,
            on_change=self._facts_changed,
        )
        self._enis = self._make_enis()
        self._pool = self._make_pool()
        self._watch = EipWatch(around.cloud)
        self._eip_reconciler = self._make_eip_reconciler()
        self._releasing = SandboxRelease(
            book=self._book,
            dataplane=self._dataplane,
            pods=self._pods,
            turns=self._turns,
            holds=settings.holds,
            cooldown=settings.ip_cooldown,
        )
        self._deleting = Delete(
            book=self._book, releasing=self._releasing, turns=self._turns, pending=self._pending_adds
        )
        queues = (settings.pending_deletes, pending_deletes.in_memory(settings.socket))
        self._pending = PendingDeletes(queues, self._deleting)
        self._adding = self._make_adding()
        self._sweeping = OrphanSandboxes(
            book=self._book, pods=self._pods, deleting=self._deleting, cooldown=settings.ip_cooldown
        )
        self._reconciler = Recovery(
            around.opened.past,
            rebooting=lambda: around.opened.database.expect_boot(around.boot_id),
            settled=lambda: recovery.finish_start(around.opened.database, around.boot_id),
            book=self._book,
            enis=self._enis,
        )
        self._cloud_check = CloudCheck(
            self._reconciler,
            book=self._book,
            enis=self._enis,
            announcer=self._announcer,
            interval=settings.cloud_check_interval,
            monotonic=time.monotonic,
        )
        self._intrusions = Intrusions(
            self._book, self._enis, self._dataplane, own=lambda: self._facts.current.instance.private_ip
        )
        self._ranges = self._make_ranges()
        self._upkeep = self._make_upkeep()
        self._configuration = self._make_configuration()
        self._resources = ExtendedResources(
            around.client,
            settings.node_name,
            lambda: capacity.resources(
                self._facts.current.instance.vcpus, self._pool.terms.limits, self._enis.other_public_ips
            ),
            agent=settings.agent_pod,
        )
        self._server = self._make_server()
        around.health.watch(self._book)

    def serve(self, stack: contextlib.ExitStack, stopping: threading.Event) -> None:
        """Start everything in order and leave on `stack` how to stop it; return when that is done.

        Requests are served as soon as the ledger can be believed: after a restart at once, else when the
        cloud has been looked at.
        """
        self._leave_stops(stack)
        self._book.on_change(self._trigger)
        self._events.start()
        for source in (self._pods, self._claims, self._ranges):
            source.start()
        restart = self._reconciler.is_restart
        self._reconciler.begin(self._around.settings.spans)
        self._wait_synced(_RESTART_SYNC_SECONDS if restart else _SYNC_SECONDS)
        self._upkeep.round(outside=not restart)
        if restart:
            self._open()
            self._upkeep.start()
            self._reconciler.wait_looked(stopping)
        # Not before that: what the cloud has must not be asked for again.
        self._pool.start()
        self._eip_reconciler.start()
        self._resources.start()
        self._facts.start()
        if not restart:
            self._upkeep.start()
            self._open()

    def _leave_stops(self, stack: contextlib.ExitStack) -> None:
        """What is stopped first is named last; a part that was not started may be stopped."""
        stack.callback(self._events.stop)
        stack.callback(self._pods.stop)
        stack.callback(self._claims.stop)
        stack.callback(self._ranges.stop)
        stack.callback(self._pool.stop, _WORK_GRACE)
        stack.callback(self._eip_reconciler.stop, _WORK_GRACE)
        stack.callback(self._watch.close)
        stack.callback(self._resources.stop)
        stack.callback(self._facts.stop, _WORK_GRACE)
        stack.callback(self._upkeep.stop, _WORK_GRACE)
        stack.callback(self._server.stop, _SERVER_GRACE)
        if self._configuration is not None:
            stack.callback(self._configuration.stop, _WORK_GRACE)

    def _wait_synced(self, seconds: float) -> None:
        deadline = Deadline.after(seconds, time.monotonic)
        self._claims.wait_synced(deadline.remaining())
        self._pods.wait_synced(deadline.remaining())

    def _open(self) -> None:
        """Serve, with the queued DELs done: before, and for those that came meanwhile."""
        self._pending.drain()
        self._server.start()
        if self._configuration is not None:
            self._configuration.start()
        self._pending.drain()

    def _make_enis(self) -> NodeEnis:
        around = self._around
        adapters = Adapters(
            cloud=around.cloud,
            dataplane=self._dataplane,
            book=self._book,
            database=around.opened.database,
            unknown_owners=UnknownOwners(book=self._book, dataplane=self._dataplane, pods=self._pods),
        )
        return NodeEnis(around.facts.instance, adapters)

    def _make_pool(self) -> Pool:
        actions = PoolExecutor(
            self._eni_plan,
            cloud=self._around.cloud,
            enis=self._enis,
            book=self._book,
            database=self._around.opened.database,
            monotonic=time.monotonic,
        )
        return Pool(self._pool_terms, book=self._book, enis=self._enis, actions=actions)

    def _eni_plan(self) -> EniPlan:
        settings, facts = self._around.settings, self._facts.current
        return EniPlan(
            instance=facts.instance,
            cluster_id=settings.cluster_id,
            subnet_ids=settings.pod_subnets or (facts.instance.subnet_id,),
            security_groups=settings.security_groups or facts.security_groups,
        )

    def _pool_terms(self) -> PoolTerms:
        settings = self._around.settings
        return PoolTerms(
            limits=self._facts.current.limits, targets=settings.targets, cooldown=settings.ip_cooldown
        )

    def _make_eip_reconciler(self) -> EipReconciler:
        settings = self._around.settings
        tools = BindTools(
            cloud=self._around.cloud,
            effects=EipConfirmation(self._around.cloud, self._watch),
            book=self._book,
            dataplane=self._dataplane,
            turns=self._turns,
            announcer=self._announcer,
            monotonic=time.monotonic,
        )
        disassociation = Disassociation(
            settings.node_name,
            settings.cluster_id,
            claims=self._claims,
            tools=tools,
            cooldown=settings.ip_cooldown,
        )
        return EipReconciler(
            settings.node_name,
            claims=self._claims,
            pods=self._pods,
            enis=self._enis,
            disassociation=disassociation,
            tools=tools,
        )

    def _make_adding(self) -> Add:
        settings = self._around.settings
        eips = EipWait(
            node=settings.node_name, book=self._book, claims=self._claims, eip_reconciler=self._eip_reconciler
        )
        sandboxes = SandboxWiring(
            book=self._book,
            enis=self._enis,
            dataplane=self._dataplane,
            releasing=self._releasing,
            turns=self._turns,
            pending=self._pending_adds,
            cooldown=settings.ip_cooldown,
        )
        tools = AddTools(
            book=self._book,
            pool=self._pool,
            pods=self._pods,
            eips=eips,
            announcer=self._announcer,
            sandboxes=sandboxes,
            releasing=self._releasing,
            turns=self._turns,
            pending=self._pending_adds,
            waiting_limit=ConcurrencyLimit(WAITING),
            supersede=self._pending.supersede,
        )
        return Add(tools, eip_wait=settings.eip_wait)

    def _make_ranges(self) -> NodeRanges:
        settings = self._around.settings
        given = GivenRanges(
            direct=settings.direct_cidrs,
            services=settings.service_cidrs,
            matter=PodEgress(settings.pod_egress) is PodEgress.NODE,
        )
        return NodeRanges(
            given,
            vpc=lambda: self._facts.current.vpc_cidrs,
            client=self._around.client,
            database=self._around.opened.database,
            on_change=self._ranges_changed,
        )

    def _make_upkeep(self) -> RepairLoop:
        settings, facts = self._around.settings, self._around.facts
        repairing = Repair(
            book=self._book,
            enis=self._enis,
            dataplane=self._dataplane,
            turns=self._turns,
            pending=self._pending_adds,
            cooldown=settings.ip_cooldown,
        )
        parts = UpkeepParts(
            book=self._book,
            dataplane=self._dataplane,
            primary_mac=facts.primary_mac,
            ranges=self._ranges,
            enis=self._enis,
            reconciler=self._reconciler,
            repairing=repairing,
            intrusions=self._intrusions,
            pod_sides=PodSides(
                SideTools(
                    book=self._book,
                    enis=self._enis,
                    dataplane=self._dataplane,
                    are_under_way=self._pending_adds.are_under_way,
                )
            ),
            sweeping=self._sweeping,
            pending=self._pending,
            announcer=self._announcer,
            cloud_check=self._cloud_check,
            trigger=self._look_around,
        )
        return RepairLoop(parts, interval=settings.repair_interval)

    def _make_configuration(self) -> NetworkConfiguration | None:
        settings = self._around.settings
        if settings.cni_conf is None:
            return None
        return NetworkConfiguration(
            settings.cni_conf,
            chosen=settings.chained_plugins,
            binaries=NodePlugins(settings.cni_bin_dir),
            interval=settings.repair_interval,
        )

    def _make_server(self) -> Server:
        settings, facts = self._around.settings, self._around.facts
        readiness = Readiness(
            book=self._book,
            enis=self._enis,
            pool=self._pool,
            notices=self._ranges.notices,
            watches=self._watches_behind,
            drift=self._upkeep.drift,
            kernel_drift=Persistence(self._upkeep.kernel_drift, clock=time.monotonic),
            disk=Persistence(self._book.unwritten, clock=time.monotonic),
            dry=Persistence(self._pool.dry, clock=time.monotonic),
            patience=settings.status_patience,
            cut_off=lambda: [*self._upkeep.cut_off(), *self._cloud_check.missing()],
            foreign=self._intrusions.problems,
            configuration=self._configuration.problems if self._configuration else list,
        )
        checking = Check(book=self._book, enis=self._enis, dataplane=self._dataplane, turns=self._turns)
        verbs = Verbs(
            adding=self._adding,
            deleting=self._deleting,
            checking=checking,
            collecting=GarbageCollection(
                book=self._book, deleting=self._deleting, are_under_way=self._pending_adds.are_under_way
            ),
            readiness=readiness,
        )
        identity = Identity(
            node=settings.node_name,
            region=facts.region,
            instance=lambda: self._facts.current.instance,
            started_at=self._book.now(),
        )
        views = Views(
            book=self._book,
            pool=self._pool,
            enis=self._enis,
            eip_reconciler=self._eip_reconciler,
            readiness=readiness,
        )
        maintenance = MaintenanceParts(
            book=self._book,
            checking=checking,
            readiness=readiness,
            upkeep=self._upkeep,
            snapshot=self._dataplane.snapshot,
        )
        return Server(
            settings.socket,
            CniService(verbs, add_timeout=settings.add_timeout, wake=self._book.wake),
            IntrospectionService(identity, views),
            MaintenanceService(maintenance),
            self._interceptors(views),
        )

    def _interceptors(self, views: Views) -> tuple[grpc.ServerInterceptor, ...]:
        metrics = self._around.metrics
        if metrics is None:
            return ()
        for part in (self._book, self._eip_reconciler, views.readiness, self._upkeep):
            metrics.show(part.metrics)
        return (RequestTiming(metrics.cni_requests().observe),)

    def _trigger(self) -> None:
        self._pool.trigger()
        self._eip_reconciler.trigger()

    def _look_around(self) -> None:
        self._trigger()
        self._resources.trigger()

    def _facts_changed(self) -> None:
        self._look_around()
        self._ranges_changed()

    def _ranges_changed(self) -> None:
        self._upkeep.look_at_kernel()

    def _claim_changed(self) -> None:
        self._book.wake()
        self._eip_reconciler.trigger()

    def _pod_changed(self, kind: str, pod: PodView) -> None:
        if kind == "deleted" or not pod.wants_sandbox:
            self._sweeping.comes_not_back(pod.ref)
            self._book.wake()  # its ADD need not wait any longer
        self._eip_reconciler.trigger()

    def _watches_behind(self) -> list[str]:
        watches = (("Pods", self._pods), ("EIPClaims", self._claims), ("Node", self._resources))
        return [
            f"the {what} of this node could not be read from the API server yet"
            for what, watch in watches
            if not watch.has_synced
        ]
