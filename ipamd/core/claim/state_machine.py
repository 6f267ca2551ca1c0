"""The life cycle of an EIPClaim: one table from (stage of the claim, its Pod) to the rule for what is next.

    ABSENT -> PENDING -> PROVISIONED <-> BOUND        the claim lives
                 deleted: UNBINDING -> RELEASING -> gone

Every pair that can occur is in the table, and a rule returns exactly one action. Nothing is freed on doubt: a
claim is deleted only after a live look at the Pod, an EIP is released or unbound only after a live look at
the cloud, and a node counts as gone only after a live look at it. Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ipamd.core.annotations import eip
from ipamd.core.annotations.eip import DeletePolicy
from ipamd.core.claim import change, expiry, provision, release
from ipamd.core.claim.actions import (
    Action,
    AddFinalizer,
    Allocate,
    Create,
    DeleteClaim,
    Idle,
    LookAtCloud,
    LookAtOwners,
    LookAtPod,
    RecordPod,
    RejectPod,
    SetNodeLabel,
    SetOwnerReference,
    Wait,
)
from ipamd.core.claim.eipclaim import Claim, ClaimPod
from ipamd.core.claim.facts import ClaimFacts, ClaimStage, PodRelation, relation_of, stage_of
from ipamd.core.claim.reason import Reason
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.timing import durations, timestamps

_STALE_CACHE = 1.0
"""Seconds until a watch cache that lagged behind a live look is asked again."""
_CLOCK_AGAIN = 30.0
"""Seconds until a claim is looked at again that waits for the clock to be right."""
_LEAVING = 30.0
"""Seconds until the workload of a Pod is looked at again; the Pod's own change comes first in most cases."""


def decide(facts: ClaimFacts) -> Action:
    """Return what the controller does next about the claim."""
    stage, relation = stage_of(facts.claim), relation_of(facts.claim, facts.pod)
    return _TABLE[stage, relation](facts)


def _idle(_: ClaimFacts) -> Action:
    return Idle()


def _create(facts: ClaimFacts) -> Action:
    pod = _the_pod(facts)
    try:
        request = eip.request_of(pod, facts.rules.default_network)
    except InvalidInputError as e:
        return RejectPod(pod=pod, reason=Reason.INVALID_ATTRIBUTES, message=str(e))
    if not _cascades(facts, pod, retained=request.delete_policy is DeletePolicy.NEVER):
        return Create(pod=pod, request=request)
    workload = facts.workload
    if workload is None:
        return LookAtOwners(pod=pod)
    if workload.leaving:
        # Its claim may have been deleted with it, just before the Pod is: that must not order another EIP.
        return Wait(reason=f"the workload of Pod {pod.ref} is being deleted", seconds=_LEAVING)
    return Create(pod=pod, request=request, owner=workload.owner)


def _hold(_: ClaimFacts) -> Action:
    return AddFinalizer()


def _provision(facts: ClaimFacts) -> Action:
    """Get the claim of a living Pod its EIP."""
    claim, pod = _the_claim(facts), _the_pod(facts)
    follow = _follow(facts, claim, pod)
    if isinstance(follow, RecordPod):
        return _with_order(follow, _provision(replace(facts, claim=replace(claim, pod=follow.pod))))
    if follow:
        return follow
    if pod.deleting:
        return Idle()
    begun = claim.allocation is not None and claim.allocation.started is not None
    carried = None if begun else change.carry(claim, pod, facts.rules.default_network)
    return carried or provision.provision(facts, claim, pod)


def _with_order(record: RecordPod, following: Action) -> Action:
    """Return both as one action if an order comes next: its attempt is recorded in the same place."""
    if isinstance(following, Allocate) and not following.begun:
        return replace(following, pod=record.pod)
    return record


def _keep(facts: ClaimFacts) -> Action:
    """Follow the living Pod, also in what its EIP is to be.

    Unbind for a node that is gone, as the Pod's new node cannot.
    """
    claim, pod = _the_claim(facts), _the_pod(facts)
    follow = _follow(facts, claim, pod)
    if follow:
        return follow
    if claim.binding and pod.node and claim.binding.node != pod.node:
        return release.unbind(facts, claim)
    leaves = release.leave(facts, claim)
    if leaves or pod.deleting:
        return leaves or Idle()
    return change.carry(claim, pod, facts.rules.default_network) or change.change(facts, claim) or Idle()


def _pass_on(facts: ClaimFacts) -> Action:
    """Give a retained claim to the next Pod of its name; let any other go first."""
    claim, pod = _the_claim(facts), _the_pod(facts)
    if not claim.retained:
        return _let_go(facts)
    if _keeps_nothing(claim) and not _says_the_same(claim, pod):
        reason = f"it has no EIP yet, and Pod {claim} asks for something else now"
        return _unless_wanted(facts, claim, PodRelation.SAME) or DeleteClaim(reason=reason)
    return RecordPod(pod=ClaimPod(uid=pod.ref.uid, node=pod.node))


def _let_go(facts: ClaimFacts) -> Action:
    """Deal with a claim whose Pod is gone; only a live look at the Pod makes that certain."""
    claim = _the_claim(facts)
    if not claim.retained:
        return _unless_wanted(facts, claim, PodRelation.SAME) or _delete_unused(claim)
    served = claim.pod
    undated = bool(claim.pod_uid) and (served is None or served.last_seen is None)
    if undated and not facts.clock_doubt:  # the date of a wrong clock would count for ever
        gone = ClaimPod(uid=claim.pod_uid, node=served.node if served else "", last_seen=facts.now)
        return _unless_wanted(facts, claim, PodRelation.SAME) or RecordPod(pod=gone)
    left = expiry.seconds_left(facts, claim)
    if left is not None and left <= 0:
        return _unless_wanted(facts, claim, PodRelation.SAME, PodRelation.NEXT) or _delete_expired(
            facts, claim
        )
    if facts.clock_doubt and (undated or left is not None):
        left = _CLOCK_AGAIN if left is None else min(left, _CLOCK_AGAIN)
    return _within(left, _rest(facts, claim))


def _unless_wanted(facts: ClaimFacts, claim: Claim, *relations: PodRelation) -> Action | None:
    """Return None if a live look has shown that no Pod of these kinds has the claim's name."""
    if facts.live_pod is None:
        return LookAtPod()
    if relation_of(claim, facts.live_pod.pod) in relations:
        return Wait(reason=f"the cache of Pods still lacks Pod {claim}", seconds=_STALE_CACHE)
    return None


def _delete_unused(claim: Claim) -> Action:
    if claim.pod_uid:
        return DeleteClaim(reason=f"Pod {claim} (UID {claim.pod_uid}) is gone")
    return DeleteClaim(
        reason=f"no Pod {claim} uses it; to make a claim before its Pod, write spec.deletePolicy Never",
        event="UnusedClaim",
    )


def _delete_expired(facts: ClaimFacts, claim: Claim) -> Action:
    limit = durations.text_of(expiry.limit_of(facts, claim) or 0)
    seen = claim.pod.last_seen if claim.pod else None
    since = f"since {timestamps.to_text(seen)}" if seen else "for as long as this controller leads"
    return DeleteClaim(
        reason=f"Pod {claim} is gone {since}, and the claim is kept for {limit}", event="ExpiredClaim"
    )


def _rest(facts: ClaimFacts, claim: Claim) -> Action:
    """Keep a retained claim without a Pod: finish an order that was begun, and free it from a gone node."""
    if claim.binding:
        return release.unbind(facts, claim)
    if claim.address is None and claim.allocation:
        if facts.eips is None:
            return LookAtCloud()
        return provision.adopt(facts, claim) or Idle()
    return release.leave(facts, claim) or change.change(facts, claim) or Idle()


def _within(seconds: float | None, action: Action) -> Action:
    """Return an action that ends the round so that the next look is in time."""
    if seconds is None or not isinstance(action, Idle | Wait):
        return action
    if isinstance(action, Wait) and action.seconds <= seconds:
        return action
    return Wait(reason="the claim may expire then", seconds=seconds)


def _keeps_nothing(claim: Claim) -> bool:
    """Whether we made the claim, and no EIP came of it or can still come."""
    ordered = claim.allocation is not None and claim.allocation.started is not None
    return bool(claim.made_for) and claim.address is None and claim.binding is None and not ordered


def _says_the_same(claim: Claim, pod: PodView) -> bool:
    try:
        return eip.request_of(pod) == claim.request
    except InvalidInputError:
        return False


def _cascades(facts: ClaimFacts, pod: PodView, *, retained: bool) -> bool:
    """Whether the claim of the Pod is to be deleted with the Pod's workload.

    One that is not retained goes with its Pod, and keeps its EIP until the Pod has ended in peace.
    """
    return facts.rules.cascade and retained and pod.controller is not None


def _follow(facts: ClaimFacts, claim: Claim, pod: PodView) -> Action | None:
    """Keep label, status.pod and owner in step with the Pod that the claim serves."""
    home = release.home(claim, pod.node)
    if home and claim.node != label_value(home):
        return SetNodeLabel(node=home)
    wanted = ClaimPod(uid=pod.ref.uid, node=pod.node)
    if claim.pod != wanted:
        return RecordPod(pod=wanted)
    kept = claim.retained and claim.request is not None
    if claim.has_owner or pod.deleting or not _cascades(facts, pod, retained=kept):
        return None
    if facts.workload is None:
        return LookAtOwners(pod=pod)
    owner = None if facts.workload.leaving else facts.workload.owner
    return SetOwnerReference(owner=owner) if owner else None


def _the_claim(facts: ClaimFacts) -> Claim:
    if facts.claim is None:
        raise ValueError("this rule is for a claim that exists")
    return facts.claim


def _the_pod(facts: ClaimFacts) -> PodView:
    if facts.pod is None:
        raise ValueError("this rule is for a Pod that exists")
    return facts.pod


Rule = Callable[[ClaimFacts], Action]

_TABLE: Mapping[tuple[ClaimStage, PodRelation], Rule] = {
    (ClaimStage.ABSENT, PodRelation.NONE): _idle,
    (ClaimStage.ABSENT, PodRelation.NEXT): _create,
    (ClaimStage.ABSENT, PodRelation.STRANGER): _idle,
    **{(ClaimStage.UNHELD, relation): _hold for relation in PodRelation},
    (ClaimStage.PENDING, PodRelation.NONE): _let_go,
    (ClaimStage.PENDING, PodRelation.SAME): _provision,
    (ClaimStage.PENDING, PodRelation.NEXT): _pass_on,
    (ClaimStage.PENDING, PodRelation.STRANGER): _let_go,
    (ClaimStage.PROVISIONED, PodRelation.NONE): _let_go,
    (ClaimStage.PROVISIONED, PodRelation.SAME): _keep,
    (ClaimStage.PROVISIONED, PodRelation.NEXT): _pass_on,
    (ClaimStage.PROVISIONED, PodRelation.STRANGER): _let_go,
    (ClaimStage.BOUND, PodRelation.NONE): _let_go,
    (ClaimStage.BOUND, PodRelation.SAME): _keep,
    (ClaimStage.BOUND, PodRelation.NEXT): _pass_on,
    (ClaimStage.BOUND, PodRelation.STRANGER): _let_go,
    **{(ClaimStage.UNBINDING, relation): release.unbind_deleted for relation in PodRelation},
    **{(ClaimStage.RELEASING, relation): release.release for relation in PodRelation},
    **{(ClaimStage.LEFT, relation): _idle for relation in PodRelation},
}
