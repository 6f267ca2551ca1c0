"""What answers an operator who asks more than what the agent knows by itself."""

from ipamd.agent.cni.add import Add
from ipamd.agent.diagnosis.explain import PodExplain
from ipamd.agent.diagnosis.history import PodHistory
from ipamd.agent.diagnosis.service import DiagnosisService
from ipamd.agent.diagnosis.trace import PodTrace
from ipamd.agent.parts import NodeParts
from ipamd.cloud.witness import AnsweredCall
from ipamd.core.history.changes import PodChange
from ipamd.core.model import PodRef


def build(parts: NodeParts, add: Add) -> DiagnosisService:
    """Return the service, which remembers from now on what happens to Pods."""
    facts, eips = parts.facts, parts.eips
    trace = PodTrace(
        shared_ledger=parts.shared_ledger,
        enis=parts.enis,
        dataplane=parts.dataplane,
        claims=eips.claims,
        vpc=lambda: facts.current.vpc_cidrs,
        node_ip=lambda: facts.current.instance.private_ip,
    )
    explain = PodExplain(
        node=parts.settings.node_name,
        shared_ledger=parts.shared_ledger,
        pods=parts.pods.source,
        claims=eips.claims,
        enis=parts.enis,
        pool=parts.pool.pool,
        exclusive_pool=parts.exclusive_pool,
        cloud=parts.cloud,
        check=parts.sandboxes.check,
        trace=trace,
        history=_history(parts, add),
        bind_errors=eips.reconciler.told,
        fixed=parts.fixed.wait,
    )
    return DiagnosisService(
        explain, parts.settings.effective, config=lambda: parts.pool.config.current.values
    )


def _history(parts: NodeParts, add: Add) -> PodHistory:
    """Return what remembers what happens to Pods: it listens to those who see and do it."""
    shared_ledger, eips = parts.shared_ledger, parts.eips
    history = PodHistory(parts.settings.node_name)
    history.begin(shared_ledger.current)
    shared_ledger.on_transition(
        lambda transition: history.ledger_changed(transition, lambda: shared_ledger.current)
    )
    parts.pods.source.on_change(history.pod_changed)
    eips.claims.on_change(history.claim_changed)
    eips.publisher.on_event(
        lambda pod, reason, message, warning: history.pod_told(str(pod), reason, message, warning=warning)
    )
    eips.association.on_accepted(lambda pod, call: history.note(_accepted(pod, call)))
    add.on_done(
        lambda pod, ip: history.note(
            PodChange(pod=str(pod), step="ADD", text=f"done: the runtime has its answer, {ip}")
        )
    )
    return history


def _accepted(pod: PodRef, call: AnsweredCall) -> PodChange:
    text = f"the cloud accepts {call.action} (RequestId {call.request_id})"
    return PodChange(pod=str(pod), step="bind", text=text, took=call.seconds)
