"""The line of claims that wait for an EIP of one pool: who has asked is in it, the oldest first. Pure.

A claim is in the line from its first refusal on (`PoolExhausted` in its condition), so that one which asks
for nothing yet, because its Pod has no Node, holds nobody up.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from ipamd.core.claim.eipclaim import PROVISIONED, Claim, condition
from ipamd.core.claim.reason import Reason

_Turn = tuple[float, str, str]


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """The claims that waited for an EIP of one pool at one moment. Invariant: `turns` is sorted."""

    turns: tuple[_Turn, ...]

    @classmethod
    def of(cls, claims: Iterable[Claim]) -> "WaitingLine":
        """Return the line of claims that are in it (`is_in_line`)."""
        return cls(tuple(sorted(map(_turn, claims))))

    def before(self, claim: Claim) -> tuple[int, int]:
        """Return how many others come before the claim, and how many others wait.

        The claim itself may be in the line or not.
        """
        mine = _turn(claim)
        ahead = bisect_left(self.turns, mine)
        is_in_it = self.turns[ahead : ahead + 1] == (mine,)
        return ahead, len(self.turns) - is_in_it


def is_in_line(claim: Claim) -> bool:
    """Whether the claim has been refused an EIP of its pool for want of one, and still wants it."""
    if claim.address is not None or claim.deleting or claim.request is None or not claim.request.pool:
        return False
    if claim.pod is not None and claim.pod.last_seen is not None:
        return False
    return condition(claim.conditions, PROVISIONED).get("reason") == Reason.POOL_EXHAUSTED.value


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims as they are to be served."""
    return sorted(claims, key=_turn)


def _turn(claim: Claim) -> _Turn:
    return claim.created, claim.namespace, claim.name
