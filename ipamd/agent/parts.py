"""What works on one node, made room by room: no part needs one that is made later.

Only what makes parts or services of them takes them all; a part itself takes what it uses.
"""

import time
from dataclasses import dataclass

from ipamd.agent.cni import build as cni_room
from ipamd.agent.departures import Departures
from ipamd.agent.eips import build as eips_room
from ipamd.agent.enis import NodeEnis
from ipamd.agent.exclusive import build as exclusive_room
from ipamd.agent.exclusive.pool import ExclusivePool
from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.fixed import build as fixed_room
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.network_conf import build as network_conf_room
from ipamd.agent.node import build as node_room
from ipamd.agent.node.extended_resources import ExtendedResources
from ipamd.agent.node.ranges import NodeRanges
from ipamd.agent.node.recovery import Recovery
from ipamd.agent.node.repair_log import RepairLog
from ipamd.agent.options import AgentSettings
from ipamd.agent.pods import build as pods_room
from ipamd.agent.pool import build as pool_room
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud import metadata as metadata_service
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.tencent import TencentCloud
from ipamd.kube.client import KubeClient
from ipamd.kube.events import EventRecorder
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import DataPlaneConfig, PodEgress
from ipamd.store import recovery as store_recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParts:
    """The parts of one agent; nothing of it has been started."""

    settings: AgentSettings
    facts: LiveFacts
    cloud: TencentCloud
    client: KubeClient
    metadata: Metadata | None
    """None where nobody is asked who the node is."""
    events: EventRecorder
    shared_ledger: SharedLedger
    dataplane: DataPlane
    pods: pods_room.NodePods
    enis: NodeEnis
    pool: pool_room.NodePool
    exclusive: ExclusiveEnis
    exclusive_pool: ExclusivePool
    eips: eips_room.NodeEips
    fixed: fixed_room.NodeFixed
    sandboxes: cni_room.Sandboxes
    ranges: NodeRanges
    recovery: Recovery
    repair: node_room.NodeRepair
    repair_log: RepairLog
    resources: ExtendedResources
    conf: network_conf_room.NetworkConf

    def behind(self) -> list[str]:
        """Return one sentence for each watch that does not know yet what there is."""
        watches = (("Pods", self.pods.source), ("EIPClaims", self.eips.claims), ("Node", self.resources))
        return [
            f"the {what} of this node could not be read from the API server yet"
            for what, watch in watches
            if not watch.has_synced
        ]


def build(
    settings: AgentSettings,
    facts: LiveFacts,
    opened: store_recovery.Opened,
    *,
    events: EventRecorder,
    cloud: TencentCloud,
    client: KubeClient,
    metadata: Metadata | None,
) -> NodeParts:
    """Make all parts of the agent of one node, and have them listen to each other."""
    database = opened.database
    shared_ledger = SharedLedger(database, opened.ledger)
    repair_log = RepairLog(clock=time.monotonic)
    dataplane = _dataplane(settings, facts, opened, repair_log)
    departures = Departures(database, shared_ledger.now)
    exclusive = ExclusiveEnis(
        instance_id=facts.current.instance.instance_id,
        cluster_id=settings.cluster_id,
        dataplane=dataplane,
        database=database,
        departures=departures,
    )
    pods = pods_room.build(
        settings, client=client, shared_ledger=shared_ledger, dataplane=dataplane, exclusive=exclusive
    )
    enis = NodeEnis(
        facts.current.instance,
        cloud=cloud,
        dataplane=dataplane,
        shared_ledger=shared_ledger,
        database=database,
        unknown_owners=pods.unknown_owners,
        exclusive=exclusive,
        departures=departures,
    )
    pool = pool_room.build(
        settings, facts, shared_ledger=shared_ledger, enis=enis, cloud=cloud, database=database
    )
    exclusive_pool = exclusive_room.pool(
        settings,
        facts,
        shared_ledger=shared_ledger,
        node_enis=enis,
        enis=exclusive,
        cloud=cloud,
        database=database,
        like=pool,
    )
    eips = eips_room.build(
        settings,
        client=client,
        cloud=cloud,
        events=events,
        shared_ledger=shared_ledger,
        dataplane=dataplane,
        pods=pods,
        enis=enis,
    )
    fixed = fixed_room.build(
        settings,
        facts,
        client=client,
        cloud=cloud,
        shared_ledger=shared_ledger,
        pods=pods,
        enis=enis,
        pool=pool,
        places=exclusive_pool,
        eip_claims=eips.claims,
        told=eips.publisher,
    )
    sandboxes = cni_room.build(
        settings, shared_ledger=shared_ledger, dataplane=dataplane, enis=enis, pods=pods
    )
    ranges = node_room.ranges(settings, facts, client=client, database=database)
    node_room.reach_by_node(settings, facts, exclusive, ranges)
    recovery = node_room.recovery(opened, shared_ledger, enis)
    repair = node_room.repair(
        settings,
        facts,
        shared_ledger=shared_ledger,
        dataplane=dataplane,
        enis=enis,
        exclusive=exclusive,
        ranges=ranges,
        recovery=recovery,
        pods=pods,
        eips=eips,
        sandboxes=sandboxes,
        repaired=repair_log.note,
    )
    resources = node_room.resources(
        settings, facts, client=client, pool=pool, exclusive_pool=exclusive_pool, enis=enis
    )
    fixed.reconciler.on_detached(eips.reconciler.public_ip_freed)
    eips.reconciler.on_freed(fixed.reconciler.room_freed)
    for trigger in (pool.trigger, eips.reconciler.trigger, fixed.reconciler.trigger, resources.trigger):
        repair.outside.on_round(trigger)
    return NodeParts(
        settings=settings,
        facts=facts,
        cloud=cloud,
        client=client,
        metadata=metadata,
        events=events,
        shared_ledger=shared_ledger,
        dataplane=dataplane,
        pods=pods,
        enis=enis,
        pool=pool,
        exclusive=exclusive,
        exclusive_pool=exclusive_pool,
        eips=eips,
        fixed=fixed,
        sandboxes=sandboxes,
        ranges=ranges,
        recovery=recovery,
        repair=repair,
        repair_log=repair_log,
        resources=resources,
        conf=network_conf_room.build(settings, on_repair=repair_log.note),
    )


def _dataplane(
    settings: AgentSettings, facts: LiveFacts, opened: store_recovery.Opened, repair_log: RepairLog
) -> DataPlane:
    closed = (
        frozenset() if settings.pod_metadata_access else metadata_service.addresses(settings.metadata_url)
    )
    return DataPlane(
        DataPlaneConfig(
            pod_egress=PodEgress(settings.pod_egress),
            eip_source_nat_exemption=settings.eip_source_nat_exemption,
            closed_to_pods=closed,
            # Pods of the mode run on when it is switched off.
            exclusive_source=facts.current.instance.private_ip
            if settings.direct_eni or opened.ledger.exclusive.addresses
            else "",
            sysctl_root=settings.sysctl_root,
        ),
        repair_log.note,
    )
