"""Which of the EIPs that there are a claim gets: the entry of its Pod's number, else a free one at random.

They come from a list of ids, a selector, or an EIPPool, where claims wait in a line (`eip_line`). An
EIP is free when it may be used, is bound nowhere and stands in no other claim. Whoever decides has read all
claims live and keeps everybody else from choosing meanwhile (`ipamd.controller.claims.eip_selection`);
then of two claims that want one EIP exactly one gets it, and the other is told which claim holds it. Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ipamd.core import tags
from ipamd.core.annotations import eip_id_list
from ipamd.core.annotations.eip import EipRequest
from ipamd.core.claim.actions import Choose, MarkNotProvisioned, RecordAddress, Wait
from ipamd.core.claim.eipclaim import Claim, ClaimAddress
from ipamd.core.claim.reason import Reason
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.model import Eip, EipStatus

_MOST_TOLD = 8
"""EIPs of a pool of which a message says who has them."""
_POLL = 1.0
"""Seconds between looks at an EIP that is just becoming free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOffer:
    """What an EIPPool says to those who want an EIP of it, and who else does."""

    name: str
    uid: str
    refusal: tuple[Reason, str] | None = None
    """Why the claim gets none of it, whatever is free."""
    growth: str = ""
    """What is done for those who wait, in words; empty when the pool has all that it may have."""
    ahead: int = 0
    """How many claims have asked before this one, and wait."""
    waiting: int = 0
    """How many others wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionFacts:
    """What the choice depends on, beside the claim itself."""

    cluster_id: str
    tagged_only: bool
    eips: Mapping[str, Eip]
    """The EIPs of list, selector or pool that exist, as the cloud shows them now."""
    holders: Mapping[str, Claim]
    """The claims that have an EIP, by its id."""
    lot: float
    """A random number in [0, 1)."""
    pool: PoolOffer | None = None
    adopts: bool = False
    """Whether EIPs that TKE's own component has created and kept may be used: an operator has said so."""


@dataclass(frozen=True, slots=True)
class _Obstacle:
    reason: Reason
    text: str
    passing: bool = False
    """Whether it goes by itself in a moment."""


_Check = Callable[[SelectionFacts, Claim, Eip], _Obstacle | None]


def entries_for(request: EipRequest, pod: PodView, *, whole: bool) -> Choose | MarkNotProvisioned:
    """Return which EIPs of those that its EIPClaim names the Pod may have.

    With `whole` the number of its name does not count.
    """
    selector = request.selector
    everything = Choose(address_ids=request.address_ids, selector=selector, pool=request.pool)
    number = None if request.pool or whole else eip_id_list.number_of(pod)
    length = len(request.address_ids) if selector is None else selector.length
    if number is None or length is None:
        return everything
    if number < length:
        if selector is not None:
            return Choose(selector=selector.entry(number))
        return Choose(address_ids=(request.address_ids[number],))
    source = "eip-id-list" if selector is None else "eip-selector"
    return MarkNotProvisioned(
        reason=Reason.NO_SUCH_ENTRY,
        message=f"Pod {pod.ref} takes entry {number + 1} of its {source}, as its name ends in {number}; "
        f"the list of its EIPClaim has {length}: add EIPs to the list and create the Pod again, or run "
        "fewer replicas",
    )


def settle(claim: Claim, choice: Choose, facts: SelectionFacts) -> RecordAddress | MarkNotProvisioned | Wait:
    """Return the EIP that the claim gets, or why it gets none now."""
    pool = facts.pool
    if pool and pool.refusal:
        return MarkNotProvisioned(reason=pool.refusal[0], message=pool.refusal[1])
    candidates = choice.address_ids or tuple(sorted(facts.eips))
    obstacles = {eip_id: _obstacle(facts, claim, eip_id) for eip_id in candidates}
    free = [facts.eips[eip_id] for eip_id, obstacle in obstacles.items() if obstacle is None]
    if len(free) > (pool.ahead if pool else 0):
        eip = free[int(facts.lot * len(free))]
        address = ClaimAddress(eip_id=eip.eip_id, public_ip=eip.public_ip, owned=False)
        return RecordAddress(address=address, reason=Reason.CHOSEN)
    found = [obstacle for obstacle in obstacles.values() if obstacle is not None]
    passing = next((obstacle for obstacle in found if obstacle.passing), None)
    if passing and not (pool and pool.ahead):
        return Wait(reason=passing.text, seconds=_POLL)
    if pool:
        return wait_in_line(pool, [obstacle.text for obstacle in found])
    if not found:
        return MarkNotProvisioned(
            reason=Reason.EIP_NOT_FOUND,
            message=f"there is no EIP {choice.source} in this account and region: give one the tag or name, "
            "or correct the annotation and create the Pod again",
        )
    return MarkNotProvisioned(
        reason=_common_reason(found),
        message=_joined([obstacle.text for obstacle in found]),
    )


def wait_in_line(pool: PoolOffer, taken: list[str]) -> MarkNotProvisioned:
    """Return what is said to a claim that waits for an EIP of the pool: its place, and who has what."""
    shown = "; ".join(taken[:_MOST_TOLD]) + (
        f"; and {len(taken) - _MOST_TOLD} more" if len(taken) > _MOST_TOLD else ""
    )
    advice = pool.growth or (
        "add EIPs to the pool, or let old Pods go first (a Deployment does with maxSurge: 0)"
    )
    return MarkNotProvisioned(
        reason=Reason.POOL_EXHAUSTED,
        message=f"place {pool.ahead + 1} of {pool.waiting + 1} in the line for EIPPool {pool.name}: "
        f"{shown or 'it has no EIP'}: {advice}",
    )


def refuse_if_held(choice: Choose, holders: Mapping[str, Claim]) -> MarkNotProvisioned | None:
    """Return the refusal when every EIP of the list is a user's and held by a claim."""
    for eip_id in choice.address_ids:
        holder = holders.get(eip_id)
        if holder is None or (holder.address and holder.address.owned):
            return None
    listed = holdings({eip_id: holders[eip_id] for eip_id in choice.address_ids})
    return MarkNotProvisioned(reason=Reason.EIP_IN_USE, message=_joined(listed))


def holdings(holders: Mapping[str, Claim]) -> list[str]:
    """Return in words who has which EIP, as the claims say."""
    return [
        _held_text(
            eip_id,
            holder,
            f"{holder.binding.private_ip} on {holder.binding.eni_id}" if holder.binding else "",
        )
        for eip_id, holder in sorted(holders.items())
    ]


def _joined(obstacles: list[str]) -> str:
    if len(obstacles) == 1:
        return obstacles[0]
    return f"none of the {len(obstacles)} EIPs of the list is free: {'; '.join(obstacles)}"


def _common_reason(found: list[_Obstacle]) -> Reason:
    """Return the reason that a person or time has to deal with; a mix that time may mend is not a failure."""
    reasons = [obstacle.reason for obstacle in found]
    if Reason.EIP_IN_USE in reasons and len(set(reasons)) > 1:
        return Reason.NO_FREE_EIP
    return reasons[0]


def _obstacle(facts: SelectionFacts, claim: Claim, eip_id: str) -> _Obstacle | None:
    eip = facts.eips.get(eip_id)
    if eip is None or eip.status is EipStatus.OFFLINING:
        return _Obstacle(
            Reason.EIP_NOT_FOUND,
            f"{eip_id} does not exist in this account and region: correct the list and create the Pod again",
        )
    return next((obstacle for check in _CHECKS if (obstacle := check(facts, claim, eip))), None)


def _forbidden(facts: SelectionFacts, claim: Claim, eip: Eip) -> _Obstacle | None:
    if facts.pool or not facts.tagged_only or tags.allows_namespace(eip.tags, claim.namespace):
        return None
    said = eip.tags.get(tags.NAMESPACES)
    has = f'has "{said}"' if said is not None else "has no such tag"
    return _Obstacle(
        Reason.EIP_NOT_ALLOWED,
        f"{eip.eip_id} is not for namespace {claim.namespace}: the controller runs with --eip-id-list-rule="
        f'tagged, so the EIP needs the tag {tags.NAMESPACES} with "{claim.namespace}" among its words, and '
        f"it {has}: let the owner of the EIP set it",
    )


def _created(facts: SelectionFacts, claim: Claim, eip: Eip) -> _Obstacle | None:
    del claim
    cluster = eip.tags.get(tags.CLUSTER_ID)
    if cluster not in (None, facts.cluster_id):
        return _Obstacle(
            Reason.EIP_OF_OTHER_CLUSTER,
            f"{eip.eip_id} belongs to cluster {cluster} by its tag {tags.CLUSTER_ID}: name another EIP, or "
            "remove the tag if that cluster does not need it",
        )
    pool_uid = eip.tags.get(tags.POOL_UID, "")
    if pool_uid:
        return _of_pool(facts, eip, pool_uid)
    uid = tags.claim_of(eip.tags, eip.name)
    if not uid and (tags.CREATED_EIP not in eip.tags or facts.adopts):
        return None
    holder = facts.holders.get(eip.eip_id)
    made_for = f"EIPClaim {holder}" if holder else f"an EIPClaim (UID {uid or '?'})"
    return _Obstacle(
        Reason.EIP_OF_OTHER_CLAIM,
        f"{eip.eip_id} was created for {made_for} and is released with it: name an EIP that you allocated",
    )


def _of_pool(facts: SelectionFacts, eip: Eip, pool_uid: str) -> _Obstacle | None:
    if facts.pool and facts.pool.uid == pool_uid:
        return None
    return _Obstacle(
        Reason.EIP_OF_POOL,
        f"{eip.eip_id} was created for an EIPPool (UID {pool_uid}) and serves those who name that pool: "
        "write the annotation eip-pool, or name another EIP",
    )


def _held(facts: SelectionFacts, claim: Claim, eip: Eip) -> _Obstacle | None:
    del claim
    holder = facts.holders.get(eip.eip_id)
    if holder is None:
        return None
    return _Obstacle(Reason.EIP_IN_USE, _held_text(eip.eip_id, holder, eip.place if eip.bound else ""))


def _held_text(eip_id: str, holder: Claim, place: str) -> str:
    where = f" (bound to {place})" if place else ""
    rest = ""
    if holder.deleting:
        rest = ", which is being deleted"
    elif holder.retained and holder.pod and holder.pod.last_seen is not None:
        rest = (
            ", whose Pod is gone and which is kept for the next Pod of that name: if none comes, run kubectl "
            f"delete eipc {holder.name} -n {holder.namespace}"
        )
    return f"{eip_id}{where} is held by EIPClaim {holder}{rest}"


def _unusable(facts: SelectionFacts, claim: Claim, eip: Eip) -> _Obstacle | None:
    del facts, claim
    if eip.cascade_release:
        return _Obstacle(
            Reason.EIP_RELEASED_WHEN_UNBOUND,
            f"{eip.eip_id} has CascadeRelease: the cloud releases it for good when it is unbound, so it "
            "would be lost with its first Pod: name an EIP that was allocated by itself",
        )
    if eip.is_blocked:
        return _Obstacle(
            Reason.EIP_BLOCKED, f"{eip.eip_id} is blocked (attack or abuse): see the console, or name another"
        )
    if eip.is_arrears:
        return _Obstacle(
            Reason.EIP_IN_ARREARS,
            f"{eip.eip_id} is isolated for arrears: top up the account, or name another",
        )
    return None


def _bound(facts: SelectionFacts, claim: Claim, eip: Eip) -> _Obstacle | None:
    del facts, claim
    if eip.status is EipStatus.UNBIND and eip.public_ip:
        return None
    if eip.status in (EipStatus.UNBIND, EipStatus.UNBINDING, EipStatus.CREATING):
        return _Obstacle(Reason.EIP_IN_USE, f"{eip.eip_id} is {eip.status.value}", passing=True)
    return _Obstacle(
        Reason.EIP_BOUND_ELSEWHERE,
        f"{eip.eip_id} is in use: it is bound ({eip.status.value}) to {eip.place}: unbind it there, or name "
        "another",
    )


_CHECKS: tuple[_Check, ...] = (_forbidden, _created, _held, _unusable, _bound)
"""From what says least about others to what says most about where the EIP is."""
