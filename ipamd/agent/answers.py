"""What an agent answers, to the runtime and to operators, and what it says of itself."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from ipamd.agent.cni import build as cni_room
from ipamd.agent.cni.service import Observe
from ipamd.agent.cni.status import Readiness
from ipamd.agent.components import NodeComponent, NodeComponents, outside
from ipamd.agent.diagnosis import build as diagnosis_room
from ipamd.agent.eips import build as eips_room
from ipamd.agent.findings import build as findings_room
from ipamd.agent.findings.inspection import Inspection
from ipamd.agent.introspection import Identity, IntrospectionService
from ipamd.agent.maintenance import MaintenanceService
from ipamd.agent.parts import NodeParts
from ipamd.agent.pool import build as pool_room
from ipamd.agent.problems import NodeProblems, harms
from ipamd.core.kubernetes.node_condition import NodeReason
from ipamd.grpc_server.methods import RpcService
from ipamd.grpc_server.server import GrpcServer
from ipamd.rpc import cni_pb2, diagnosis_pb2, introspection_pb2, maintenance_pb2
from ipamd.runtime.request_threads import RequestThreads

_OPERATORS: Final = 2
"""Questions of operators that are worked at together."""
_MOST_OPERATORS: Final = 16
"""With those that wait: watches, repairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAnswers:
    """The agent's server, and what is told besides: the state of what the node depends on, and problems."""

    server: GrpcServer
    readiness: Readiness
    components: NodeComponents
    problems: NodeProblems
    inspection: Inspection


def build(parts: NodeParts, observe: Observe | None) -> NodeAnswers:
    """Return what answers for the parts; `observe` hears of CNI requests."""
    components = _components(parts)
    problems = _problems(parts, components)
    readiness = Readiness(
        parts.shared_ledger,
        parts.pool.pool,
        kernel_drift=parts.repair.rounds.kernel_drift,
        patience=parts.settings.status_patience,
    )
    inspection = findings_room.build(parts)
    return NodeAnswers(
        server=_server(parts, problems, inspection, readiness, observe),
        readiness=readiness,
        components=components,
        problems=problems,
        inspection=inspection,
    )


def _components(parts: NodeParts) -> NodeComponents:
    """Return what the node depends on, with what is wrong with each."""
    repair, enis, pool = parts.repair, parts.enis, parts.pool.pool
    shared_ledger, facts = parts.shared_ledger, parts.facts
    return NodeComponents(
        (
            outside(parts.client.reachability, parts.behind),
            outside(parts.cloud.reachability, repair.outside.drift),
            outside(facts.metadata),
            NodeComponent(
                name="kernel",
                troubles=lambda: [
                    *repair.rounds.kernel_drift(),
                    *enis.problems(),
                    *repair.cut_off(),
                    *repair.foreign(),
                    *parts.repair_log.disturbances(),
                ],
                last_good=repair.rounds.kernel_good_at,
            ),
            NodeComponent(
                name="pool",
                troubles=lambda: [
                    *parts.pool.report.problems(),
                    *parts.fixed.troubles(),
                    *shared_ledger.unwritten(),
                ],
                detail=partial(pool_room.figures, shared_ledger, pool),
            ),
            NodeComponent(
                name="eips",
                troubles=parts.eips.troubles,
                detail=lambda: eips_room.figures(shared_ledger, enis, facts.current.instance.vcpus),
            ),
            NodeComponent(
                name="cni-configuration", troubles=parts.conf.problems, detail=lambda: parts.conf.file
            ),
        )
    )


def _problems(parts: NodeParts, components: NodeComponents) -> NodeProblems:
    """Return what keeps Pods from the node, in the order of the telling."""
    repair, pool = parts.repair, parts.pool
    return NodeProblems(
        (
            harms(NodeReason.REPAIR_FAILED, repair.rounds.drift),
            harms(NodeReason.STORE_UNWRITABLE, parts.shared_ledger.unwritten),
            pool.report.entries,
            pool.security_groups.entries,
            pool.levels.entries,
            pool.config.entries,
            harms(NodeReason.ENI_BROKEN, parts.enis.problems),
            harms(NodeReason.POD_CUT_OFF, repair.cut_off),
            harms(NodeReason.FOREIGN_RULE, repair.foreign),
            harms(NodeReason.NOT_SYNCED, parts.behind),
            harms(NodeReason.CNI_CONFIGURATION, parts.conf.problems),
        ),
        disturbances=parts.repair_log.disturbances,
        notices=(parts.ranges.notices, pool.report.notices, parts.conf.lacking),
        components=components,
    )


def _server(
    parts: NodeParts,
    problems: NodeProblems,
    inspection: Inspection,
    readiness: Readiness,
    observe: Observe | None,
) -> GrpcServer:
    """Return the server of all services on the agent's socket."""
    settings, facts, shared_ledger = parts.settings, parts.facts, parts.shared_ledger
    add = cni_room.add(
        settings,
        parts.sandboxes,
        shared_ledger=shared_ledger,
        dataplane=parts.dataplane,
        enis=parts.enis,
        pods=parts.pods,
        pool=parts.pool.pool,
        exclusive_pool=parts.exclusive_pool,
        eips=parts.eips,
        fixed=parts.fixed,
    )
    identity = Identity(
        node=settings.node_name,
        region=facts.current.region,
        instance=lambda: facts.current.instance,
        started_at=shared_ledger.now(),
    )
    introspection = IntrospectionService(
        identity,
        shared_ledger=shared_ledger,
        pool=parts.pool.pool,
        exclusive_pool=parts.exclusive_pool,
        enis=parts.enis,
        eip_reconciler=parts.eips.reconciler,
        problems=problems,
    )
    maintenance = MaintenanceService(
        shared_ledger=shared_ledger,
        inspection=inspection,
        repair=parts.repair.rounds,
        repair_log=parts.repair_log,
        snapshot=parts.dataplane.snapshot,
    )
    cni = cni_room.service(settings, parts.sandboxes, add, readiness, shared_ledger)
    if observe is not None:
        cni.on_answer(observe)
    # The plugin must never wait for an operator's question.
    operators = RequestThreads("rpc-operator", count=_OPERATORS, most=_MOST_OPERATORS)
    maintained = maintenance_pb2.DESCRIPTOR.services_by_name
    return GrpcServer(
        settings.socket,
        (
            RpcService(cni_pb2.DESCRIPTOR.services_by_name["Cni"], cni, cni_room.threads()),
            RpcService(
                introspection_pb2.DESCRIPTOR.services_by_name["Introspection"], introspection, operators
            ),
            RpcService(maintained["Maintenance"], maintenance, operators),
            RpcService(maintained["PoolControl"], parts.pool.control, operators),
            RpcService(
                diagnosis_pb2.DESCRIPTOR.services_by_name["Diagnosis"],
                diagnosis_room.build(parts, add),
                operators,
            ),
        ),
    )
