"""The life cycle of a VpcIPClaim: one table from (stage of the claim, its Pod) to the rule for what is next.

    ABSENT -> PENDING -> PROVISIONED <-> BOUND        the claim lives
                 deleted: UNBINDING -> RELEASING -> gone

As for EIPClaims every pair that can occur is in the table, a rule returns exactly one action, and nothing is
freed on doubt: a claim is deleted only after a live look at the Pod, an address is unassigned or given back
only after a live look at the cloud, and a node counts as gone only after a live look at it. A claim that a
person deletes keeps its address for as long as its Pod runs: the agent takes it off when the Pod is gone.
Pure.
"""

from collections.abc import Callable, Mapping

from ipamd.core.annotations.vpc_ip import VpcIpPolicy
from ipamd.core.claim.actions import (
    AddFinalizer,
    DeleteClaim,
    Idle,
    LookAtOwners,
    LookAtPod,
    Postpone,
    RecordPod,
    SetNodeLabel,
    SetOwnerReference,
    Wait,
)
from ipamd.core.claim.eipclaim import ClaimPod, condition
from ipamd.core.claim.facts import ClaimStage, PodRelation
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.timing import durations
from ipamd.core.vpc_ip import (
    expiry,
    own_eni,
    own_reservation,
    provision,
    release,
    replacement,
    status,
    vpcip,
    wish,
)
from ipamd.core.vpc_ip.actions import (
    CreateVpcIpClaim,
    LookAtBook,
    MarkReleasing,
    RefuseAddress,
    RefusePod,
    SyncLine,
    VpcIpAction,
    WriteLine,
)
from ipamd.core.vpc_ip.facts import VpcIpFacts, relation_of, stage_of
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, VpcIpClaim

_STALE_CACHE = 1.0
"""Seconds until a watch cache that lagged behind a live look is asked again."""
_CLOCK_AGAIN = 30.0
"""Seconds until a claim is looked at again that waits for the clock to be right."""
_LEAVING = 30.0
"""Seconds until the workload of a Pod is looked at again; the Pod's own change comes first in most cases."""


def decide(facts: VpcIpFacts) -> VpcIpAction:
    """Return what the controller does next about the claim."""
    stage, relation = stage_of(facts.claim), relation_of(facts.claim, facts.pod)
    return _TABLE[stage, relation](facts)


def _idle(_: VpcIpFacts) -> VpcIpAction:
    return Idle()


def _create(facts: VpcIpFacts) -> VpcIpAction:
    pod = _the_pod(facts)
    if not pod.node:
        return Idle()
    request = wish.read(facts, pod)
    if isinstance(request, RefusePod):
        return request
    if facts.obstacle:
        postponed = provision.postpone(facts, facts.obstacle)
        if not isinstance(postponed, Postpone):
            return postponed
        reason, message = postponed.obstacle
        return RefusePod(pod=pod, reason=VpcIpReason(reason.value), message=message, passes=True)
    if not _cascades(facts, pod, kept=request.delete_policy is VpcIpPolicy.NEVER):
        return CreateVpcIpClaim(pod=pod, request=request)
    if facts.workload is None:
        return LookAtOwners(pod=pod)
    if facts.workload.leaving:
        return Wait(reason=f"the workload of Pod {pod.ref} is being deleted", seconds=_LEAVING)
    return CreateVpcIpClaim(pod=pod, request=request, owner=facts.workload.owner)


def _hold(_: VpcIpFacts) -> VpcIpAction:
    return AddFinalizer()


def _provision(facts: VpcIpFacts) -> VpcIpAction:
    """Get the claim of a living Pod its address."""
    claim, pod = _the_claim(facts), _the_pod(facts)
    follow = _follow(facts, claim, pod)
    if follow:
        return follow
    return Idle() if pod.deleting else provision.provision(facts, claim)


def _keep(facts: VpcIpFacts) -> VpcIpAction:
    """Follow the living Pod; unassign for a node that is gone, as the Pod's new node cannot."""
    claim, pod = _the_claim(facts), _the_pod(facts)
    follow = _follow(facts, claim, pod)
    if follow:
        return follow
    if claim.binding and pod.node and claim.binding.node != pod.node:
        return release.unassign(facts, claim)
    refused = own_reservation.give_up(facts, claim) or own_eni.forget(facts, claim) or _replace_address(claim)
    if refused:
        return refused
    again = provision.reserve_kept(facts, claim) if claim.binding is None else None
    return again or _book(facts, claim) or Idle()


def _replace_address(claim: VpcIpClaim) -> VpcIpAction | None:
    """Take from a claim the address that somebody else uses, unless a Pod has had it, or it was nominated."""
    if claim.binding or claim.address is None or not replacement.is_due(claim):
        return None
    said = condition(claim.conditions, ASSIGNED).get("message", "")
    return RefuseAddress(message=f"{claim.address.ip} is somebody else's ({said}); another is chosen")


def _book(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Keep the claim's line in the book; somebody may have taken it out by force."""
    if claim.address is None:
        return None
    if facts.line is None and facts.book is None:
        return LookAtBook()
    line = facts.line or next((one for one in facts.book or () if one.ip == claim.address.ip), None)
    if line is None:
        return WriteLine(address=claim.address)
    if line.deleting or line.claim_uid != claim.uid:
        return None
    if vpcip.status_patch(line, claim) or vpcip.label_patch(line, claim):
        return SyncLine(line=line)
    return None


def _pass_on(facts: VpcIpFacts) -> VpcIpAction:
    """Give a kept claim to the next Pod of its name; let any other go first."""
    claim, pod = _the_claim(facts), _the_pod(facts)
    if not claim.retained:
        return _let_go(facts)
    asked = wish.read(facts, pod)
    if isinstance(asked, RefusePod):
        return asked
    if _keeps_nothing(claim) and asked != claim.request:
        reason = f"it has no address yet, and Pod {claim} asks for something else now"
        return _unless_wanted(facts, claim, PodRelation.SAME) or DeleteClaim(reason=reason)
    misfit = wish.misfit(claim, pod, asked)
    return misfit or RecordPod(pod=ClaimPod(uid=pod.ref.uid, node=pod.node))


def _let_go(facts: VpcIpFacts) -> VpcIpAction:
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
        wanted = _unless_wanted(facts, claim, PodRelation.SAME, PodRelation.NEXT)
        return wanted or _delete_expired(facts, claim)
    if facts.clock_doubt and (undated or left is not None):
        left = _CLOCK_AGAIN if left is None else min(left, _CLOCK_AGAIN)
    return _within(left, _rest(facts, claim))


def _rest(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction:
    """Keep a claim without a Pod: its line in step, its address reserved and off a gone node."""
    if claim.binding:
        off = release.unassign(facts, claim)
        return (_book(facts, claim) or off) if isinstance(off, Wait) else off
    finished = provision.finish(facts, claim) or provision.reserve_kept(facts, claim)
    return finished or _book(facts, claim) or Idle()


def _unless_wanted(facts: VpcIpFacts, claim: VpcIpClaim, *relations: PodRelation) -> VpcIpAction | None:
    """Return None if a live look has shown that no Pod of these kinds has the claim's name."""
    if facts.live_pod is None:
        return LookAtPod()
    if relation_of(claim, facts.live_pod.pod) in relations:
        return Wait(reason=f"the cache of Pods still lacks Pod {claim}", seconds=_STALE_CACHE)
    return None


def _delete_unused(claim: VpcIpClaim) -> VpcIpAction:
    if claim.pod_uid:
        return DeleteClaim(reason=f"Pod {claim} (UID {claim.pod_uid}) is gone")
    return DeleteClaim(
        reason=f"no Pod {claim} uses it; to make a claim before its Pod, write spec.deletePolicy Never",
        event="UnusedClaim",
    )


def _delete_expired(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction:
    limit = durations.text_of(expiry.limit_of(facts, claim) or 0)
    return DeleteClaim(reason=f"Pod {claim} is gone, and the claim is kept for {limit}", event="ExpiredClaim")


def _within(seconds: float | None, action: VpcIpAction) -> VpcIpAction:
    """Return an action that ends the round so that the next look is in time."""
    if seconds is None or not isinstance(action, Idle | Wait):
        return action
    if isinstance(action, Wait) and action.seconds <= seconds:
        return action
    return Wait(reason="the claim may expire then", seconds=seconds)


def _keeps_nothing(claim: VpcIpClaim) -> bool:
    """Whether we made the claim, and no address came of it or can still come."""
    return bool(claim.made_for) and claim.address is None and claim.allocation.started is None


def _cascades(facts: VpcIpFacts, pod: PodView, *, kept: bool) -> bool:
    """Whether the claim of the Pod is to be deleted with the Pod's workload."""
    return facts.rules.cascade and kept and pod.controller is not None


def _follow(facts: VpcIpFacts, claim: VpcIpClaim, pod: PodView) -> VpcIpAction | None:
    """Keep label, status.pod and owner in step with the Pod that the claim serves."""
    home = release.home(claim, pod.node)
    if home and claim.node != label_value(home):
        return SetNodeLabel(node=home)
    wanted = ClaimPod(uid=pod.ref.uid, node=pod.node)
    if claim.pod != wanted:
        return RecordPod(pod=wanted)
    kept = claim.retained and claim.request is not None
    if claim.has_owner or pod.deleting or not _cascades(facts, pod, kept=kept):
        return None
    if facts.workload is None:
        return LookAtOwners(pod=pod)
    owner = None if facts.workload.leaving else facts.workload.owner
    return SetOwnerReference(owner=owner) if owner else None


def _unbind_deleted(facts: VpcIpFacts) -> VpcIpAction:
    return _told(facts, release.unassign(facts, _the_claim(facts)))


def _release(facts: VpcIpFacts) -> VpcIpAction:
    return _told(facts, release.release(facts))


def _told(facts: VpcIpFacts, action: VpcIpAction) -> VpcIpAction:
    """Have a deleted claim say that it waits before it does."""
    claim, pod = _the_claim(facts), facts.pod
    if not isinstance(action, Wait) or status.releasing(claim, facts.now) is None:
        return action
    runs = relation_of(claim, pod) is PodRelation.SAME and pod is not None and not pod.deleting
    return MarkReleasing(pod_runs=runs and claim.binding is not None)


def _the_claim(facts: VpcIpFacts) -> VpcIpClaim:
    if facts.claim is None:
        raise ValueError("this rule is for a claim that exists")
    return facts.claim


def _the_pod(facts: VpcIpFacts) -> PodView:
    if facts.pod is None:
        raise ValueError("this rule is for a Pod that exists")
    return facts.pod


VpcIpRule = Callable[[VpcIpFacts], VpcIpAction]

_TABLE: Mapping[tuple[ClaimStage, PodRelation], VpcIpRule] = {
    (ClaimStage.ABSENT, PodRelation.NONE): _idle,
    (ClaimStage.ABSENT, PodRelation.NEXT): _create,
    (ClaimStage.ABSENT, PodRelation.STRANGER): _idle,
    **{(ClaimStage.UNHELD, relation): _hold for relation in PodRelation},
    (ClaimStage.PENDING, PodRelation.SAME): _provision,
    (ClaimStage.PROVISIONED, PodRelation.SAME): _keep,
    (ClaimStage.BOUND, PodRelation.SAME): _keep,
    **{
        (stage, relation): rule
        for stage in (ClaimStage.PENDING, ClaimStage.PROVISIONED, ClaimStage.BOUND)
        for relation, rule in (
            (PodRelation.NONE, _let_go),
            (PodRelation.STRANGER, _let_go),
            (PodRelation.NEXT, _pass_on),
        )
    },
    **{(ClaimStage.UNBINDING, relation): _unbind_deleted for relation in PodRelation},
    **{(ClaimStage.RELEASING, relation): _release for relation in PodRelation},
    **{(ClaimStage.LEFT, relation): _idle for relation in PodRelation},
}
