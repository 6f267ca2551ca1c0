"""The line of claims that wait for an EIP of one pool: who has asked is in it, the oldest first. Pure.

A claim is in the line from its first refusal on (`PoolExhausted` in its condition), so that one which asks
for nothing yet, because its Pod has no Node, holds nobody up.
"""

from collections.abc import Iterable

from ipamd.core.claim.eipclaim import PROVISIONED, Claim, condition
from ipamd.core.claim.reason import Reason


def is_in_line(claim: Claim) -> bool:
    """Whether the claim has been refused an EIP of its pool for want of one, and still wants it."""
    if claim.address is not None or claim.deleting or claim.request is None or not claim.request.pool:
        return False
    if claim.pod is not None and claim.pod.last_seen is not None:
        return False
    return condition(claim.conditions, PROVISIONED).get("reason") == Reason.POOL_EXHAUSTED.value


def before(claim: Claim, others: Iterable[Claim]) -> tuple[int, int]:
    """Return how many of the others are before the claim in the line of its pool, and how many are in it."""
    waiting = [c for c in others if c.uid != claim.uid and is_in_line(c) and _pool(c) == _pool(claim)]
    return sum(1 for other in waiting if _turn(other) < _turn(claim)), len(waiting)


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims as they are to be served."""
    return sorted(claims, key=_turn)


def _turn(claim: Claim) -> tuple[float, str, str]:
    return claim.created, claim.namespace, claim.name


def _pool(claim: Claim) -> str:
    return claim.request.pool if claim.request else ""
