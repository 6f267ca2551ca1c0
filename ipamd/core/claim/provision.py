"""How the claim of a living Pod gets its EIP: chosen from the user's, adopted, or ordered.

Rules in the manner of `claim_rules`, which has the table. An EIP is ordered only after a look at the cloud:
what an earlier order made is adopted. Pure.
"""

from ipamd.core.claim import eip_selection
from ipamd.core.claim.actions import Action, Allocate, LookAtCloud, Postpone, RecordAddress, Refuse, Wait
from ipamd.core.claim.eipclaim import Claim, ClaimAddress, Reason
from ipamd.core.claim.facts import Facts, created_eips
from ipamd.core.claim.placement import Obstacle
from ipamd.core.claim.release import ATTEMPT_WINDOW, SETTLE
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.model import Eip, EipOrder, EipStatus

USABLE = (EipStatus.UNBIND, EipStatus.BIND, EipStatus.BIND_ENI)
"""An EIP in one of these states exists and can be recorded."""
_POLL = 0.25
"""Seconds between looks at an EIP that is being created."""
_PASSING = 3.0
"""Seconds for which nothing is said of an obstacle: most Pods are scheduled within them, caches catch up."""
_LATE = 5.0
"""Seconds between looks for the EIP of an attempt that is not repeated any more."""


def provision(facts: Facts, claim: Claim, pod: PodView) -> Action:
    """Return the next step towards the claim's EIP."""
    if claim.request is None:
        problem = f"{claim.problem}; correct the claim or delete it"
        return Refuse(reason=Reason.INVALID_ATTRIBUTES, message=problem)
    begun = claim.allocation is not None and claim.allocation.started is not None
    if facts.obstacle and not begun:
        return _postpone(facts, facts.obstacle)
    if claim.request.order is None:
        return eip_selection.entries_for(claim.request.address_ids, pod)
    if facts.eips is None:
        return LookAtCloud()
    found = adopt(facts, claim)
    if found is not None:
        return found
    if facts.order_failed and claim.allocation:
        return _order(facts, claim.request.order, claim.allocation.attempt + 1, begun=False)
    late = _late(facts, claim)
    if late > 0:
        return Wait(
            reason="an order that was begun may still deliver an EIP; another is ordered if it does not",
            seconds=min(late, _LATE),
        )
    attempt, begun = _attempt(facts, claim)
    if begun and facts.ordered:
        return Wait(reason=f"{facts.ordered} is ordered and not listed yet", seconds=_POLL)
    return _order(facts, claim.request.order, attempt, begun=begun)


def _postpone(facts: Facts, obstacle: Obstacle) -> Action:
    if facts.obstructed_for < _PASSING:
        return Wait(reason=obstacle.message, seconds=_PASSING - facts.obstructed_for)
    return Postpone(obstacle=obstacle)


def _order(facts: Facts, order: EipOrder, attempt: int, *, begun: bool) -> Action:
    """Order, or order again, if the Pod can have an EIP where it is."""
    if facts.obstacle:
        return _postpone(facts, facts.obstacle)
    return Allocate(attempt=attempt, begun=begun, order=order)


def _attempt(facts: Facts, claim: Claim) -> tuple[int, bool]:
    """Return the number of the attempt to make, and whether it was begun before.

    An attempt is repeated with its ClientToken for a while: if it was carried out, the repeat finds its EIP.
    After that the token is spent: an order that was accepted and then failed would be answered with its dead
    EIP for ever. (Mostly that is known before, by its task.)
    """
    allocation = claim.allocation
    if allocation is None:
        return 1, False
    if allocation.started is None:
        return allocation.attempt, False
    if facts.now - allocation.started <= ATTEMPT_WINDOW:
        return allocation.attempt, True
    return allocation.attempt + 1, False


def _late(facts: Facts, claim: Claim) -> float:
    """Return the seconds in which a spent attempt may still deliver; at most 0 when another may be made.

    The last repeat may have been carried out and its answer lost, and lists may lack its EIP for SETTLE
    seconds: an order with another token would make a second one. An attempt that was refused for certain has
    no start any more, and one whose token the cloud called spent has been replaced: both go on at once.
    """
    started = claim.allocation.started if claim.allocation else None
    if started is None or facts.now - started <= ATTEMPT_WINDOW:
        return 0.0
    return started + ATTEMPT_WINDOW + SETTLE - facts.now


def adopt(facts: Facts, claim: Claim) -> Action | None:
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
