"""How the claim of a living Pod gets its EIP: chosen from the user's, adopted, or ordered.

Rules in the manner of `claim_rules`, which has the table. An EIP is ordered only after a look at the cloud:
what an earlier order made is adopted. Pure.
"""

from ipamd.core.claim import change_record, eip_selection
from ipamd.core.claim.actions import (
    Action,
    Allocate,
    LookAtCloud,
    MarkNotProvisioned,
    Postpone,
    RecordAddress,
    RedateOrder,
    Wait,
)
from ipamd.core.claim.eipclaim import Claim, ClaimAddress
from ipamd.core.claim.facts import ClaimFacts, created_eips
from ipamd.core.claim.placement import Obstacle
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.release import ATTEMPT_WINDOW, SETTLE, is_ahead
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.model import Eip, EipOrder, EipStatus

USABLE = (EipStatus.UNBIND, EipStatus.BIND, EipStatus.BIND_ENI)
"""An EIP in one of these states exists and can be recorded."""
_POLL = 0.1
"""Seconds between looks at an EIP that is being created; looks of many claims are made together."""
_PASSING = 3.0
"""Seconds for which nothing is said of an obstacle: most Pods are scheduled within them, caches catch up."""
_BLIND = 30.0
"""Seconds between looks while it is not believed that what is not shown does not exist."""
_LATE = 5.0
"""Seconds between looks for the EIP of an attempt that is not repeated any more."""


def provision(facts: ClaimFacts, claim: Claim, pod: PodView) -> Action:
    """Return the next step towards the claim's EIP."""
    if claim.request is None:
        problem = f"{claim.problem}; correct the claim or delete it"
        return MarkNotProvisioned(reason=Reason.INVALID_ATTRIBUTES, message=problem)
    begun = claim.allocation is not None and claim.allocation.started is not None
    if facts.obstacle and not begun:
        return _postpone(facts, facts.obstacle)
    if claim.allocation is not None and is_ahead(claim.allocation.started, facts.now):
        return RedateOrder()
    if claim.request.order is None:
        return eip_selection.entries_for(claim.request, pod, whole=claim.adopts)
    if facts.eips is None and facts.delivery_in > 0:
        return Wait(reason=f"{facts.ordered} is being created", seconds=facts.delivery_in)
    if facts.eips is None:
        return LookAtCloud()
    found = adopt(facts, claim)
    if found is not None:
        return found
    if not begun:
        return _dropped(claim, claim.request.order) or _order(
            facts, claim.request.order, _attempt(claim), begun=False
        )
    return _order_again(facts, claim, claim.request.order)


def _dropped(claim: Claim, order: EipOrder) -> MarkNotProvisioned | None:
    """Refuse to order an EIP that would be another one than the Pod wants."""
    lost = change_record.dropped(claim.carried, order)
    if not lost:
        return None
    fields = " and ".join(f"spec.attributes.{field}" for field in lost)
    return MarkNotProvisioned(
        reason=Reason.INVALID_ATTRIBUTES,
        message=f"claim {claim} has no {fields}, though its Pod asks for it: the CRD of the API server is "
        "older than the controller; apply that of this release (deploy/crd.yaml), then delete the claim",
    )


def _order_again(facts: ClaimFacts, claim: Claim, order: EipOrder) -> Action:
    """Deal with an order that was begun, and of which the cloud shows nothing.

    It is repeated with its ClientToken, and so tells again what came of it, until the cloud has promised an
    EIP or refused. Another token could make a second EIP. It is used when the promised one is known not to
    come, or when nothing is heard of it for long and the cloud is seen to show what there is.
    """
    attempt, late = _attempt(claim), _late(facts, claim)
    if facts.order_failed:
        return _order(facts, order, attempt + 1, begun=False)
    if not facts.ordered and (not facts.refused or late > SETTLE):
        return _order(facts, order, attempt, begun=True)
    if late > 0:
        promised = facts.ordered or "what was ordered"
        return Wait(
            reason=f"{promised} is not listed yet; another is ordered if it does not come",
            seconds=_POLL if facts.ordered and late > SETTLE else min(late, _LATE),
        )
    if facts.order_delivered:
        return _not_shown(claim, facts.ordered)
    if facts.blind:
        return Wait(reason=facts.blind, seconds=_BLIND, until_sweep=True)
    return _order(facts, order, attempt + 1, begun=False)


def _not_shown(claim: Claim, eip_id: str) -> MarkNotProvisioned:
    return MarkNotProvisioned(
        reason=Reason.EIP_NOT_SHOWN,
        message=f"{eip_id} was delivered for claim {claim}, and the cloud does not show it, asked for by its "
        "id: no other is ordered; check --region, the account of the credentials and whether a CAM policy "
        "hides EIPs; if it was released by hand, delete the Pod",
    )


def _postpone(facts: ClaimFacts, obstacle: Obstacle) -> Action:
    if facts.obstructed_for < _PASSING:
        return Wait(reason=obstacle.message, seconds=_PASSING - facts.obstructed_for)
    return Postpone(obstacle=obstacle)


def _order(facts: ClaimFacts, order: EipOrder, attempt: int, *, begun: bool) -> Action:
    """Order, or order again, if the Pod can have an EIP where it is."""
    if facts.obstacle:
        return _postpone(facts, facts.obstacle)
    return Allocate(attempt=attempt, begun=begun, order=order)


def _attempt(claim: Claim) -> int:
    return claim.allocation.attempt if claim.allocation else 1


def _late(facts: ClaimFacts, claim: Claim) -> float:
    """Return the seconds in which an order that was begun may still deliver.

    For ATTEMPT_WINDOW seconds it is repeated whatever was answered. The last repeat may have been carried out
    and its answer lost, and lists may lack its EIP for SETTLE seconds.
    """
    started = claim.allocation.started if claim.allocation else None
    return 0.0 if started is None else started + ATTEMPT_WINDOW + SETTLE - facts.now


def adopt(facts: ClaimFacts, claim: Claim) -> Action | None:
    """Return what becomes of EIPs that carry the claim's tags; None when there are none."""
    found = created_eips(facts, claim)
    if not found:
        return None
    if len(found) > 1:
        return _ambiguous(claim, found)
    eip = found[0]
    if eip.status not in USABLE or not eip.public_ip:
        return Wait(reason=f"{eip.eip_id} is {eip.status.value}", seconds=facts.delivery_in or _POLL)
    return RecordAddress(
        address=ClaimAddress(eip_id=eip.eip_id, public_ip=eip.public_ip, owned=True),
        reason=Reason.ALLOCATED if eip.eip_id == facts.ordered else Reason.ADOPTED,
    )


def _ambiguous(claim: Claim, found: list[Eip]) -> Action:
    listed = ", ".join(f"{eip.eip_id} ({eip.public_ip or 'no address'}, {eip.status.value})" for eip in found)
    return MarkNotProvisioned(
        reason=Reason.AMBIGUOUS_EIP,
        message=f"{len(found)} EIPs carry the tag of claim {claim}: {listed}; "
        "nothing is done until all but one are released in the console",
    )
