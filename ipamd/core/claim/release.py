"""How an EIP comes free: unbound in the place of a node that is gone, then released if we created it.

Rules in the manner of `claim_rules`, which has the table. The order is always the same: binding gone, EIP
shown unbound by the cloud, EIP released, EIP shown to be gone, finalizer dropped. An EIP that the user
supplied is let go at "binding gone". The look that shows an EIP unbound may be the agent's, made just before
it withdrew its binding, if only one order was ever given for the claim: then there is no other EIP, and the
cloud itself refuses to release one that is bound (API document 215/16700). Pure.
"""

from ipamd.core import tags
from ipamd.core.claim import kept_eni
from ipamd.core.claim.actions import (
    Action,
    ClearBinding,
    DisassociateEip,
    DropFinalizer,
    Idle,
    LookAtCloud,
    LookAtNode,
    LookAtPod,
    RedateOrder,
    Release,
    SetNodeLabel,
    Wait,
)
from ipamd.core.claim.eipclaim import BOUND, Claim, ClaimBinding, condition
from ipamd.core.claim.facts import ClaimFacts, LivePod, NodeState, created_eips
from ipamd.core.claim.reason import Reason
from ipamd.core.kubernetes import fields
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.model import Eip, EipStatus
from ipamd.core.timing import timestamps

ATTEMPT_WINDOW = 60.0
"""Seconds from its begin in which an attempt to order is repeated with the same ClientToken."""
SETTLE = 60.0
"""Seconds after an order in which its EIP may still turn up in the cloud's lists."""
FRESH = 10.0
"""Seconds after the agent's word in which its look is as good as one of our own, by both clocks."""
UNSHOWN = 6.0
"""Seconds for which an EIP must not be shown before it is believed to be gone: one look may err."""
_POLL = 1.0
_AGENT = 30.0
"""Seconds between looks while the agent of a living node is expected to unbind."""


def home(claim: Claim, pod_node: str) -> str:
    """Return the node whose agent has to do with the claim: the Pod's, but first the one that has to unbind.

    An agent sees the claims with the label of its node only, so the label stays until its binding is gone.
    """
    bound = claim.binding.node if claim.binding else ""
    return bound or pod_node


def unbind(facts: ClaimFacts, claim: Claim) -> Action:
    """Unbind for a node that is gone; leave it to the agent of one that is not.

    A node that is not ready for long may have a living agent, and the Pod a running container. Only a Pod
    that is gone from the API (by force, or by the out-of-service taint) is known to be wanted no more.
    """
    binding = claim.binding
    if binding is None or not binding.node:
        return Idle()
    if facts.node_fate is NodeState.UNKNOWN:
        return LookAtNode(node=binding.node)
    if facts.node_fate is NodeState.ALIVE and claim.node != label_value(binding.node):
        return SetNodeLabel(node=binding.node)
    if facts.node_fate is NodeState.ALIVE:
        return Wait(reason=f"the agent of node {binding.node} unbinds the EIP", seconds=_AGENT)
    if facts.node_fate is NodeState.LOST:
        if facts.live_pod is None:
            return LookAtPod()
        if _may_run(binding, facts.live_pod):
            return Wait(reason=f"node {binding.node} is not ready, and its Pod not deleted", seconds=_AGENT)
    if facts.eips is None:
        return LookAtCloud()
    return _detach(facts, claim, binding, facts.eips)


def leave(facts: ClaimFacts, claim: Claim) -> Action | None:
    """Unbind the EIP from a kept ENI at which it is not to stay; None when it is not there.

    While a node has the ENI, its agent does.
    """
    kept = facts.kept_eni
    if kept is None or claim.address is None or kept_eni.stays(claim, kept, facts.pod):
        return None
    if claim.binding is not None and claim.binding.eni_id == kept.eni_id:
        return None
    if facts.eips is None:
        return LookAtCloud()
    eip = next((one for one in facts.eips if one.eip_id == claim.address.eip_id), None)
    if eip is None or not kept_eni.rests_at(eip, kept):
        return None
    return DisassociateEip(eip_id=eip.eip_id, leaves_eni=kept.eni_id)


def is_ahead(date: float | None, now: float) -> bool:
    """Whether a date of ours is of a clock that was ahead then: it counts as now, not until it has come."""
    return date is not None and date - now > SETTLE


def unbind_deleted(facts: ClaimFacts) -> Action:
    """Bring a deleted claim to the point where no binding is recorded."""
    claim = facts.claim
    if claim is None or claim.binding is None:
        raise ValueError("this rule is for a claim with a binding")
    if not claim.binding.node:
        return ClearBinding(message="the binding named no node")
    return unbind(facts, claim)


def release(facts: ClaimFacts) -> Action:
    """Release all that was created for a deleted claim, then let the claim go."""
    claim = facts.claim
    if claim is None:
        raise ValueError("this rule is for a claim that exists")
    if claim.address and not claim.address.owned and claim.allocation is None:
        return leave(facts, claim) or DropFinalizer()
    if facts.eips is None:
        return _seen_by_agent(facts, claim) or LookAtCloud()
    ours = _releasable(facts, claim)
    free = tuple(e.eip_id for e in ours if e.status is EipStatus.UNBIND and e.eip_id not in facts.released)
    if free:
        tagged = frozenset(e.eip_id for e in ours if e.tags.get(tags.CLAIM_UID) == claim.uid)
        return Release(eip_ids=free, tagged=tagged)
    bound = [eip for eip in ours if eip.bound]
    if bound:
        return _bound_without_record(facts, claim, bound[0])
    if ours:
        return Wait(reason=f"{ours[0].eip_id} is {ours[0].status.value}", seconds=_POLL)
    unsettled = _unsettled(facts, claim)
    if unsettled > 0 and claim.allocation is not None and is_ahead(claim.allocation.started, facts.now):
        return RedateOrder()
    if unsettled > 0:
        return Wait(reason="an order that was begun may still deliver an EIP", seconds=unsettled)
    return _doubt(facts, claim) or DropFinalizer()


def _seen_by_agent(facts: ClaimFacts, claim: Claim) -> Release | None:
    """Release the recorded EIP, the only one of the claim, if the agent has just seen it unbound."""
    address, order, said = claim.address, claim.allocation, condition(claim.conditions, BOUND)
    if facts.look_first or facts.released or address is None or not address.owned:
        return None
    if order is None or order.attempt != 1 or said.get("reason") != Reason.UNBOUND.value:
        return None
    at = timestamps.from_text(fields.text(said.get("lastTransitionTime")))
    if at is None or abs(facts.now - at) > FRESH:
        return None
    return Release(eip_ids=(address.eip_id,), looked=False)


def _doubt(facts: ClaimFacts, claim: Claim) -> Action | None:
    """Keep a claim whose EIP is gone although this process has not released it, until that is sure."""
    recorded = claim.address.eip_id if claim.address and claim.address.owned else ""
    expected = recorded or ("" if facts.order_failed else facts.ordered)
    if not expected or expected in facts.released:
        return None
    if facts.blind:
        return Wait(reason=facts.blind, seconds=_AGENT, warning="EIPsNotShown", until_sweep=True)
    if facts.unshown_for < UNSHOWN:
        return Wait(reason=f"the cloud does not show {expected}", seconds=UNSHOWN / 2)
    return None


def _detach(facts: ClaimFacts, claim: Claim, binding: ClaimBinding, eips: tuple[Eip, ...]) -> Action:
    """Unbind only what the cloud shows to be bound just as the binding says, and not to stay there."""
    eip = next((e for e in eips if claim.address and e.eip_id == claim.address.eip_id), None)
    if eip is None:
        return ClearBinding(message=f"node {binding.node} is gone, and so is the EIP")
    if eip.status in (EipStatus.UNBIND, EipStatus.OFFLINING):
        return ClearBinding(message=f"node {binding.node} is gone")
    if not eip.bound:
        return Wait(reason=f"{eip.eip_id} is {eip.status.value}", seconds=_POLL)
    if (eip.eni_id, eip.private_ip) != (binding.eni_id, binding.private_ip):
        return ClearBinding(
            message=f"node {binding.node} is gone; {eip.eip_id} is bound elsewhere, to {eip.place}"
        )
    kept = facts.kept_eni
    if kept is not None and kept.eni_id == eip.eni_id and kept_eni.stays(claim, kept, facts.pod):
        return ClearBinding(message=f"node {binding.node} is gone; {eip.eip_id} stays at {eip.eni_id}")
    return DisassociateEip(eip_id=eip.eip_id)


def _may_run(binding: ClaimBinding, live: LivePod) -> bool:
    """Whether the Pod that the EIP was bound for may still be wanted; on doubt it is."""
    return not binding.pod_uid or (live.pod is not None and live.pod.ref.uid == binding.pod_uid)


def _releasable(facts: ClaimFacts, claim: Claim) -> list[Eip]:
    """Return what was created for the claim: by its tags, or by its own record if the tags were removed."""
    tagged = created_eips(facts, claim)
    recorded = claim.address.eip_id if claim.address and claim.address.owned else ""
    untagged = [e for e in facts.eips or () if e.eip_id == recorded and e not in tagged]
    return tagged + untagged


def _bound_without_record(facts: ClaimFacts, claim: Claim, eip: Eip) -> Action:
    """Deal with an EIP of a deleted claim that is bound although no binding is recorded."""
    if kept_eni.rests_at(eip, facts.kept_eni):
        return DisassociateEip(eip_id=eip.eip_id, leaves_eni=eip.eni_id)
    node = claim.pod.node if claim.pod else ""
    if node and facts.node_fate is NodeState.UNKNOWN:
        return LookAtNode(node=node)
    if node and facts.node_fate is NodeState.GONE:
        return DisassociateEip(eip_id=eip.eip_id)
    return Wait(
        reason=f"{eip.eip_id} of the deleted claim {claim} is bound to {eip.place}"
        + (f"; the agent of node {node} unbinds it" if node else "")
        + "; if it was bound by hand, unbind it in the console",
        seconds=_POLL,  # the agent's unbind changes nothing in the claim that would wake us
        warning="EIPStillBound",
    )


def _unsettled(facts: ClaimFacts, claim: Claim) -> float:
    """Return the seconds in which an EIP of the claim may still turn up; at most 0 when it cannot.

    Only lists that are older than the EIP can lack it: an EIP that was ordered is too young for SETTLE
    seconds after its order, one that is recorded for SETTLE seconds after it was seen.
    """
    known = {claim.address.eip_id} if claim.address and claim.address.owned else set()
    if facts.released and known <= facts.released:
        return 0.0
    seen = claim.provisioned_at if known else None
    if seen is not None:
        # A date that is still to come says nothing; `_doubt` waits by another clock.
        return 0.0 if is_ahead(seen, facts.now) else seen + SETTLE - facts.now
    if claim.allocation is None or claim.allocation.started is None:
        return 0.0
    return claim.allocation.started + ATTEMPT_WINDOW + SETTLE - facts.now
