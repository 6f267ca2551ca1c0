"""One node's agent: the services that it runs, in the order of their start and stop.

    after a restart   watches -> reboot or lost store -> node's network, ENIs -> queued DELs, socket -> repair
                      -> first look at the cloud -> pool, EIPs, resources, facts
    else              watches -> reboot or lost store -> node's network, ENIs, cloud
                      -> pool, EIPs, resources, facts -> repair -> queued DELs, socket

Requests are served as soon as the ledger can be believed. It ends in the opposite order of the second line.
No part starts a thread before it is started. Thread safety: `start` and `stop` are for one thread.
"""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from ipamd.agent.cni import build as cni_room
from ipamd.agent.cni.request_timing import Observe, RequestTiming
from ipamd.agent.cni.server import Server
from ipamd.agent.cni.status import Readiness
from ipamd.agent.components import NodeComponent, NodeComponents, outside
from ipamd.agent.diagnosis import build as diagnosis_room
from ipamd.agent.eips import build as eips_room
from ipamd.agent.enis import NodeEnis
from ipamd.agent.findings import build as findings_room
from ipamd.agent.introspection import Identity, IntrospectionService
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.maintenance import MaintenanceService
from ipamd.agent.network_conf import build as network_conf_room
from ipamd.agent.node import build as node_room
from ipamd.agent.node.repair_log import RepairLog
from ipamd.agent.options import AgentSettings
from ipamd.agent.pods import build as pods_room
from ipamd.agent.pool import build as pool_room
from ipamd.agent.problems import NodeProblems, harms
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud import metadata as metadata_service
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.kubernetes.node_condition import NodeReason
from ipamd.core.start_progress import StartStep
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.client import KubeClient
from ipamd.kube.events import EventRecorder
from ipamd.monitoring import Content
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import DataPlaneConfig, PodEgress
from ipamd.runtime.metric import Metric
from ipamd.runtime.service import Service, Services
from ipamd.store import recovery

COMPONENT: Final = "tke-eni-agent"
_SYNC_SECONDS: Final = 10.0
"""How long the watches are waited for before the first request; what they do not know is asked live."""
_RESTART_SYNC_SECONDS: Final = 2.0
"""The same where Pods run, whose DELs must not wait."""
_GRACE: Final = 5.0
_ALL_GRACE: Final = 120.0
"""More than all services may take together; most of them take nothing of it."""


class Agent:
    """The agent of one node; `start` is called once, `stop` also when that failed."""

    def __init__(  # noqa: PLR0913 - the outside world has so many parts
        self,
        settings: AgentSettings,
        facts: LiveFacts,
        opened: recovery.Opened,
        *,
        cloud: TencentCloud,
        client: KubeClient,
        metadata: Metadata | None = None,
        observe: Observe | None = None,
    ) -> None:
        """Take who the node is, what was before, and the outside world; `observe` hears of CNI requests."""
        self._spans, self._node, self._facts = settings.spans, settings.node_name, facts
        database = opened.database
        shared_ledger = self.ledger = SharedLedger(database, opened.ledger)
        repair_log = RepairLog(clock=time.monotonic)
        dataplane = self.dataplane = _dataplane(settings, repair_log)
        events = EventRecorder(client, COMPONENT, settings.node_name)

        self._pods = pods = pods_room.build(
            settings, client=client, shared_ledger=shared_ledger, dataplane=dataplane
        )
        self._enis = enis = NodeEnis(
            facts.current.instance,
            cloud=cloud,
            dataplane=dataplane,
            shared_ledger=shared_ledger,
            database=database,
            unknown_owners=pods.unknown_owners,
        )
        made = pool_room.build(
            settings, facts, shared_ledger=shared_ledger, enis=enis, cloud=cloud, database=database
        )
        pool = made.pool
        self._eips = eips = eips_room.build(
            settings,
            client=client,
            cloud=cloud,
            events=events,
            shared_ledger=shared_ledger,
            dataplane=dataplane,
            pods=pods,
            enis=enis,
        )
        self.sandboxes = sandboxes = cni_room.build(
            settings, shared_ledger=shared_ledger, dataplane=dataplane, enis=enis, pods=pods
        )
        ranges = node_room.ranges(settings, facts, client=client, database=database)
        self._recovery = node_room.recovery(opened, shared_ledger, enis)
        self._repair = repair = node_room.repair(
            settings,
            facts,
            shared_ledger=shared_ledger,
            dataplane=dataplane,
            enis=enis,
            ranges=ranges,
            recovery=self._recovery,
            pods=pods,
            eips=eips,
            sandboxes=sandboxes,
        )
        resources = node_room.resources(settings, facts, client=client, pool=pool, enis=enis)
        for trigger in (pool.trigger, eips.reconciler.trigger, resources.trigger):
            repair.outside.on_round(trigger)
        conf = network_conf_room.build(settings, on_repair=repair_log.note)

        def behind() -> list[str]:
            watches = (("Pods", pods.source), ("EIPClaims", eips.claims), ("Node", resources))
            return [
                f"the {what} of this node could not be read from the API server yet"
                for what, watch in watches
                if not watch.has_synced
            ]

        components = NodeComponents(
            (
                outside(client.reachability, behind),
                outside(cloud.reachability, repair.outside.drift),
                outside(facts.metadata),
                NodeComponent(
                    name="kernel",
                    troubles=lambda: [
                        *repair.rounds.kernel_drift(),
                        *enis.problems(),
                        *repair.cut_off(),
                        *repair.foreign(),
                        *repair_log.disturbances(),
                    ],
                    last_good=repair.rounds.kernel_good_at,
                ),
                NodeComponent(
                    name="pool",
                    troubles=lambda: [*pool.problems(), *shared_ledger.unwritten()],
                    detail=partial(pool_room.figures, shared_ledger, pool),
                ),
                NodeComponent(
                    name="eips",
                    troubles=eips.troubles,
                    detail=lambda: eips_room.figures(shared_ledger, enis, facts.current.instance.vcpus),
                ),
                NodeComponent(name="cni-configuration", troubles=conf.problems, detail=lambda: conf.file),
            )
        )
        self._problems = problems = NodeProblems(
            (
                harms(NodeReason.REPAIR_FAILED, repair.rounds.drift),
                harms(NodeReason.STORE_UNWRITABLE, shared_ledger.unwritten),
                pool.entries,
                harms(NodeReason.ENI_BROKEN, enis.problems),
                harms(NodeReason.POD_CUT_OFF, repair.cut_off),
                harms(NodeReason.FOREIGN_RULE, repair.foreign),
                harms(NodeReason.NOT_SYNCED, behind),
                harms(NodeReason.CNI_CONFIGURATION, conf.problems),
            ),
            disturbances=repair_log.disturbances,
            notices=(ranges.notices, pool.notices, conf.lacking),
            components=components,
        )
        inspection = findings_room.build(
            settings,
            facts,
            shared_ledger=shared_ledger,
            dataplane=dataplane,
            enis=enis,
            pool=pool,
            eips=eips,
            sandboxes=sandboxes,
            repair=repair,
            repair_log=repair_log,
            recovery=self._recovery,
            ranges=ranges,
            conf=conf,
            cloud=cloud,
            client=client,
            metadata=metadata,
            behind=behind,
        )
        readiness = Readiness(
            shared_ledger, pool, kernel_drift=repair.rounds.kernel_drift, patience=settings.status_patience
        )
        add = cni_room.add(
            settings,
            sandboxes,
            shared_ledger=shared_ledger,
            dataplane=dataplane,
            enis=enis,
            pods=pods,
            pool=pool,
            eips=eips,
        )
        identity = Identity(
            node=settings.node_name,
            region=facts.current.region,
            instance=lambda: facts.current.instance,
            started_at=shared_ledger.now(),
        )
        server = self.server = Server(
            settings.socket,
            cni_room.service(settings, sandboxes, add, readiness, shared_ledger),
            IntrospectionService(
                identity,
                shared_ledger=shared_ledger,
                pool=pool,
                enis=enis,
                eip_reconciler=eips.reconciler,
                problems=problems,
            ),
            MaintenanceService(
                shared_ledger=shared_ledger,
                inspection=inspection,
                repair=repair.rounds,
                repair_log=repair_log,
                snapshot=dataplane.snapshot,
            ),
            () if observe is None else (RequestTiming(observe),),
            more=(
                made.control,
                diagnosis_room.build(
                    settings,
                    facts,
                    shared_ledger=shared_ledger,
                    dataplane=dataplane,
                    enis=enis,
                    eips=eips,
                    pods=pods,
                    pool=pool,
                    sandboxes=sandboxes,
                    add=add,
                    cloud=cloud,
                ),
            ),
        )
        self._watching = (
            Service(name="Events", start=events.start, stop=events.stop),
            Service(name="ledger", metrics=shared_ledger.metrics),
            Service(name="repair log", metrics=repair_log.metrics),
            Service(name="ENIs", metrics=enis.metrics),
            Service(name="STATUS", metrics=readiness.metrics),
            Service(name="components", metrics=components.metrics),
            pool_room.subnets(settings, facts, enis=enis, cloud=cloud),
            pods.watch,
            eips.watch,
            node_room.watch(ranges),
        )
        # Not before the first look: what the cloud has must not be asked for again.
        self._working = (
            pool_room.run(made),
            *eips.bind,
            node_room.offer(resources),
            Service(name="facts", start=facts.start, stop=facts.stop, grace=_GRACE),
        )
        self._repairing = (repair.service,)
        said = node_room.condition(
            settings, resources, client=client, problems=problems.entries, enis=enis, events=events
        )
        repair_log.on_repair(said.repaired)
        self._serving = (
            *cni_room.serve(server, sandboxes, conf.announce, metrics=problems.metrics),
            node_room.say(said),
        )
        self._services = Services(*self._watching, *self._working, *self._repairing, *self._serving)

    def start(self, stopping: threading.Event, begin: Callable[[StartStep], None] = lambda _: None) -> None:
        """Start everything in order; return when that is done, or soon after `stopping` is set.

        `begin` is told of each step until the socket is there.
        """
        begin(StartStep.WATCHES)
        Services(*self._watching).start()
        restart = self._recovery.is_restart
        self._recovery.begin(self._spans)
        self._wait_synced(_RESTART_SYNC_SECONDS if restart else _SYNC_SECONDS)
        begin(StartStep.NETWORK)
        self._repair.rounds.round(outside=not restart)
        begin(StartStep.SOCKET)
        if restart:
            Services(*self._serving, *self._repairing).start()
            self._recovery.wait_looked(stopping)
            Services(*self._working).start()
        else:
            Services(*self._working, *self._repairing, *self._serving).start()

    def stop(self) -> None:
        """End everything in order, also what was not started."""
        self._services.stop(_ALL_GRACE)

    def metrics(self) -> Iterator[Metric]:
        """Yield what all services show."""
        yield from self._services.metrics()

    def page(self) -> Content:
        """Return what the status page shows of the node now."""
        from ipamd.agent import status_page  # noqa: PLC0415 - only who looks at the page pays for it

        return status_page.content(
            self._node,
            self._facts.current,
            shared_ledger=self.ledger,
            enis=self._enis,
            problems=self._problems,
            errors=self._eips.reconciler.errors(),
        )

    def _wait_synced(self, seconds: float) -> None:
        deadline = Deadline.after(seconds, time.monotonic)
        self._eips.claims.wait_synced(deadline.remaining())
        self._pods.source.wait_synced(deadline.remaining())


def _dataplane(settings: AgentSettings, repair_log: RepairLog) -> DataPlane:
    closed = (
        frozenset() if settings.pod_metadata_access else metadata_service.addresses(settings.metadata_url)
    )
    return DataPlane(
        DataPlaneConfig(
            pod_egress=PodEgress(settings.pod_egress),
            eip_source_nat_exemption=settings.eip_source_nat_exemption,
            closed_to_pods=closed,
            sysctl_root=settings.sysctl_root,
        ),
        repair_log.note,
    )
