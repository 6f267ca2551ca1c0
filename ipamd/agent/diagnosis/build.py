"""What answers an operator who asks more than what the agent knows by itself."""

from collections.abc import Callable

import grpc

from ipamd.agent.cni.add import Add
from ipamd.agent.cni.build import Sandboxes
from ipamd.agent.diagnosis.explain import PodExplain
from ipamd.agent.diagnosis.history import PodHistory
from ipamd.agent.diagnosis.service import DiagnosisService
from ipamd.agent.diagnosis.trace import PodTrace
from ipamd.agent.eips.build import NodeEips
from ipamd.agent.enis import NodeEnis
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.options import AgentSettings
from ipamd.agent.pods.build import NodePods
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.history.changes import PodChange
from ipamd.net.dataplane import DataPlane
from ipamd.rpc import diagnosis_pb2_grpc

Register = Callable[[grpc.Server], None]
"""Adds services to a server that has not been started."""


def build(
    settings: AgentSettings,
    facts: LiveFacts,
    *,
    shared_ledger: SharedLedger,
    dataplane: DataPlane,
    enis: NodeEnis,
    eips: NodeEips,
    pods: NodePods,
    pool: Pool,
    sandboxes: Sandboxes,
    add: Add,
    cloud: TencentCloud,
) -> Register:
    """Return what adds the service, which remembers from now on what happens to Pods."""
    trace = PodTrace(
        shared_ledger=shared_ledger,
        enis=enis,
        dataplane=dataplane,
        claims=eips.claims,
        vpc=lambda: facts.current.vpc_cidrs,
        node_ip=lambda: facts.current.instance.private_ip,
    )
    explain = PodExplain(
        node=settings.node_name,
        shared_ledger=shared_ledger,
        pods=pods.source,
        claims=eips.claims,
        enis=enis,
        pool=pool,
        cloud=cloud,
        check=sandboxes.check,
        trace=trace,
        history=_history(settings, shared_ledger, pods, eips, add),
        bind_errors=eips.reconciler.told,
    )
    service = DiagnosisService(explain, settings.effective)
    return lambda server: diagnosis_pb2_grpc.add_DiagnosisServicer_to_server(service, server)


def _history(
    settings: AgentSettings, shared_ledger: SharedLedger, pods: NodePods, eips: NodeEips, add: Add
) -> PodHistory:
    """Return what remembers what happens to Pods: it listens to those who see and do it."""
    history = PodHistory(settings.node_name)
    history.begin(shared_ledger.current)
    shared_ledger.on_change(lambda: history.ledger_changed(lambda: shared_ledger.current))
    pods.source.on_change(history.pod_changed)
    eips.claims.on_change(history.claim_changed)
    eips.publisher.on_event(
        lambda pod, reason, message, warning: history.pod_told(str(pod), reason, message, warning=warning)
    )
    add.on_done(
        lambda pod, ip: history.note(
            PodChange(pod=str(pod), step="ADD", text=f"done: the runtime has its answer, {ip}")
        )
    )
    return history
