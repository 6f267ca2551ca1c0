"""The life cycle of an EIPClaim: one table from (stage of the claim, its Pod) to the rule for what is next.

    ABSENT -> PENDING -> PROVISIONED <-> BOUND        the claim lives
                 deleted: UNBINDING -> RELEASING -> gone

Every pair that can occur is in the table, and a rule returns exactly one action. Nothing is freed on doubt: a
claim is deleted only after a live look at the Pod, an EIP is released or unbound only after a live look at
the cloud, and a node counts as gone only after a live look at it. Pure.
"""

from collections.abc import Callable, Mapping

from ipamd.core import claim_release, eip_attributes
from ipamd.core.claim_actions import (
    Action,
    Allocate,
    Create,
    DeleteClaim,
    Hold,
    Idle,
    LookAtCloud,
    LookAtPod,
    MoveTo,
    RecordAddress,
    Refuse,
    Reject,
    Serve,
    Wait,
)
from ipamd.core.claim_facts import Bearer, Facts, LivePod, Stage, bearer_of, created_eips, stage_of
from ipamd.core.claim_release import ATTEMPT_WINDOW
from ipamd.core.claims import Claim, ClaimAddress, ClaimPod, Reason
from ipamd.core.errors import InvalidInputError
from ipamd.core.model import Eip, EipStatus
from ipamd.core.pods import PodView

USABLE = (EipStatus.UNBIND, EipStatus.BIND, EipStatus.BIND_ENI)
"""An EIP in one of these states exists and can be recorded."""
_POLL = 0.25
"""Seconds between looks at an EIP that is being created."""
_STALE_CACHE = 1.0
"""Seconds until a watch cache that lagged behind a live look is asked again."""


def decide(facts: Facts) -> Action:
    """Return what the controller does next about the claim."""
    stage, bearer = stage_of(facts.claim), bearer_of(facts.claim, facts.pod)
    return _TABLE[stage, bearer](facts)


def _idle(_: Facts) -> Action:
    return Idle()


def _create(facts: Facts) -> Action:
    pod = _the_pod(facts)
    try:
        request = eip_attributes.request_of(pod)
    except InvalidInputError as e:
        return Reject(pod=pod, reason=Reason.INVALID_ATTRIBUTES, message=str(e))
    return Create(pod=pod, request=request)


def _hold(_: Facts) -> Action:
    return Hold()


def _provision(facts: Facts) -> Action:
    """Get the claim of a living Pod its EIP: adopt what an earlier order made, else order."""
    claim, pod = _the_claim(facts), _the_pod(facts)
    follow = _follow(claim, pod)
    if follow:
        return follow
    if pod.deleting:
        return Idle()
    if claim.request is None:
        problem = f"{claim.problem}; correct the claim or delete it"
        return Refuse(reason=Reason.INVALID_ATTRIBUTES, message=problem)
    if facts.eips is None:
        return LookAtCloud()
    attempt, begun = _attempt(facts, claim)
    if begun and facts.ordered and not created_eips(facts, claim):
        return Wait(reason=f"{facts.ordered} is ordered and not listed yet", seconds=_POLL)
    return _adopt(facts, claim) or Allocate(attempt=attempt, begun=begun, order=claim.request.order)


def _keep(facts: Facts) -> Action:
    """Follow the living Pod; unbind for a node that is gone, as the Pod's new node cannot."""
    claim, pod = _the_claim(facts), _the_pod(facts)
    follow = _follow(claim, pod)
    if follow:
        return follow
    if claim.binding and pod.node and claim.binding.node != pod.node:
        return claim_release.unbind(facts, claim)
    return Idle()


def _pass_on(facts: Facts) -> Action:
    """Give a retained claim to the next Pod of its name; let any other go first."""
    claim, pod = _the_claim(facts), _the_pod(facts)
    if not claim.retained:
        return _let_go(facts)
    return Serve(pod=ClaimPod(uid=pod.ref.uid, node=pod.node))


def _let_go(facts: Facts) -> Action:
    """Deal with a claim whose Pod is gone; only a live look at the Pod makes that certain."""
    claim = _the_claim(facts)
    served = claim.pod
    if not claim.retained or served is None or served.last_seen is None:
        if facts.live_pod is None:
            return LookAtPod()
        if _serves(claim, facts.live_pod):
            return Wait(reason=f"the cache of Pods still lacks Pod {claim}", seconds=_STALE_CACHE)
    if not claim.retained:
        return DeleteClaim(reason=f"Pod {claim} (UID {claim.pod_uid}) is gone")
    if served and served.last_seen is None:
        return Serve(pod=ClaimPod(uid=served.uid, node=served.node, last_seen=facts.now))
    return _rest(facts, claim)


def _rest(facts: Facts, claim: Claim) -> Action:
    """Keep a retained claim without a Pod: finish an order that was begun, and free it from a gone node."""
    if claim.binding:
        return claim_release.unbind(facts, claim)
    if claim.address is None and claim.allocation:
        if facts.eips is None:
            return LookAtCloud()
        return _adopt(facts, claim) or Idle()
    return Idle()


def _follow(claim: Claim, pod: PodView) -> Action | None:
    """Keep label and status.pod in step with the Pod that the claim serves."""
    if pod.node and claim.node != pod.node:
        return MoveTo(node=pod.node)
    wanted = ClaimPod(uid=pod.ref.uid, node=pod.node)
    return Serve(pod=wanted) if claim.pod != wanted else None


def _attempt(facts: Facts, claim: Claim) -> tuple[int, bool]:
    """Return the number of the attempt to make, and whether it was begun before.

    An attempt is repeated with its ClientToken for a while: if it was carried out, the repeat finds its EIP.
    After that the token is spent (an order that was accepted and then failed would be answered with its dead
    EIP for ever).
    """
    allocation = claim.allocation
    if allocation is None:
        return 1, False
    if allocation.started is None:
        return allocation.attempt, False
    if facts.now - allocation.started <= ATTEMPT_WINDOW:
        return allocation.attempt, True
    return allocation.attempt + 1, False


def _adopt(facts: Facts, claim: Claim) -> Action | None:
    """Return what becomes of EIPs that carry the claim's tags; None when there are none."""
    found = created_eips(facts, claim)
    if not found:
        return None
    if len(found) > 1:
        return _ambiguous(claim, found)
    eip = found[0]
    if eip.status not in USABLE or not eip.public_ip:
        return Wait(reason=f"{eip.eip_id} is {eip.status.value}", seconds=_POLL)
    return RecordAddress(
        address=ClaimAddress(eip_id=eip.eip_id, public_ip=eip.public_ip, owned=True),
        reason=Reason.ALLOCATED if eip.eip_id == facts.ordered else Reason.ADOPTED,
    )


def _ambiguous(claim: Claim, found: list[Eip]) -> Action:
    listed = ", ".join(f"{eip.eip_id} ({eip.public_ip or 'no address'}, {eip.status.value})" for eip in found)
    return Refuse(
        reason=Reason.AMBIGUOUS_EIP,
        message=f"{len(found)} EIPs carry the tag of claim {claim}: {listed}; "
        "nothing is done until all but one are released in the console",
    )


def _serves(claim: Claim, live: LivePod) -> bool:
    pod = live.pod
    return pod is not None and pod.ref.uid == claim.pod_uid and not pod.finished


def _the_claim(facts: Facts) -> Claim:
    if facts.claim is None:
        raise ValueError("this rule is for a claim that exists")
    return facts.claim


def _the_pod(facts: Facts) -> PodView:
    if facts.pod is None:
        raise ValueError("this rule is for a Pod that exists")
    return facts.pod


Rule = Callable[[Facts], Action]

_TABLE: Mapping[tuple[Stage, Bearer], Rule] = {
    (Stage.ABSENT, Bearer.NONE): _idle,
    (Stage.ABSENT, Bearer.NEXT): _create,
    (Stage.ABSENT, Bearer.STRANGER): _idle,
    **{(Stage.UNHELD, bearer): _hold for bearer in Bearer},
    (Stage.PENDING, Bearer.NONE): _let_go,
    (Stage.PENDING, Bearer.SAME): _provision,
    (Stage.PENDING, Bearer.NEXT): _pass_on,
    (Stage.PENDING, Bearer.STRANGER): _let_go,
    (Stage.PROVISIONED, Bearer.NONE): _let_go,
    (Stage.PROVISIONED, Bearer.SAME): _keep,
    (Stage.PROVISIONED, Bearer.NEXT): _pass_on,
    (Stage.PROVISIONED, Bearer.STRANGER): _let_go,
    (Stage.BOUND, Bearer.NONE): _let_go,
    (Stage.BOUND, Bearer.SAME): _keep,
    (Stage.BOUND, Bearer.NEXT): _pass_on,
    (Stage.BOUND, Bearer.STRANGER): _let_go,
    **{(Stage.UNBINDING, bearer): claim_release.unbind_deleted for bearer in Bearer},
    **{(Stage.RELEASING, bearer): claim_release.release for bearer in Bearer},
    **{(Stage.LEFT, bearer): _idle for bearer in Bearer},
}
