"""What is to be done next for an EIPPool: order, release, wait or nothing. Pure.

Orders are given one after the other, each written down before it is sent, and the next only when what was
ordered is seen or known not to come: so the pool never has more than its `max`. An EIP is released only if it
was created for the pool, no claim has it, and it was free for the pool's time by a steady clock; whether it
is free is looked at again, live, while no claim can choose (`EipSelection.withdraw`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ipamd.core.claim.actions import RedateOrder
from ipamd.core.claim.release import ATTEMPT_WINDOW, SETTLE, UNSHOWN, is_ahead
from ipamd.core.eip_pool.eippool import EipPool
from ipamd.core.model import Eip, EipOrder, EipStatus

_POLL = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EipPoolFacts:
    """What the plan depends on, beside the pool itself."""

    now: float
    """Seconds since the epoch."""
    eips: Mapping[str, Eip]
    """The pool's EIPs, as the cloud shows them now, those of `releasing` too."""
    holders: Mapping[str, str] = field(default_factory=dict)
    """Who has an EIP, as namespace/name of the claim, by the EIP's id."""
    waiting: int = 0
    """Claims in the line."""
    free_for: Mapping[str, float] = field(default_factory=dict)
    """Seconds for which this process has seen an EIP to be free."""
    failed: bool = False
    """Whether the cloud says that the order has failed, or has refused it for certain."""
    unshown: Mapping[str, float] = field(default_factory=dict)
    """Those of `created` that the cloud does not show, asked for by id, and for how many seconds."""
    blind: str = ""
    """Why it is not believed that what is not shown does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPool:
    """Put our finalizer on the pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEip:
    """Write the attempt down, unless it is (`begun`), and order one EIP with its ClientToken."""

    attempt: int
    begun: bool
    order: EipOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOrder:
    """Write down that nothing of the order is to come any more, or nothing at all."""

    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseEip:
    """Release this one, if it is free at a live look while no claim chooses."""

    eip_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLists:
    """Write down which EIPs there are, and which of them are being released."""

    created: tuple[str, ...]
    releasing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LetPoolGo:
    """Let the deleted pool go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing to do now; look again after so many seconds, or when something changes."""

    seconds: float | None = None
    not_shown: bool = False
    """Whether an EIP was delivered that the cloud does not show, so that no other is ordered."""


PoolAction = HoldPool | OrderEip | RedateOrder | EndOrder | ReleaseEip | RecordLists | LetPoolGo | Rest


def decide(pool: EipPool, facts: EipPoolFacts) -> PoolAction:
    """Return the next step for a pool whose spec can be used, or that is being deleted."""
    creates = pool.held or (pool.spec is not None and pool.spec.order is not None)
    if not creates:
        return Rest()
    if not pool.held:
        return Rest() if pool.deleting else HoldPool()
    return (
        _settle_order(pool, facts)
        or _settle_lists(pool, facts)
        or _settle_releases(pool, facts)
        or _size(pool, facts)
    )


def may_release(eip: Eip | None) -> bool:
    """Whether the EIP is unbound, at a live look."""
    return eip is not None and eip.status is EipStatus.UNBIND


def _settle_order(pool: EipPool, facts: EipPoolFacts) -> PoolAction | None:
    """Deal with an order that was begun: no other is given before it is known what came of it."""
    allocation = pool.allocation
    if allocation.started is None:
        return None
    if facts.failed:
        return EndOrder(failed=True)
    if allocation.eip_id and _is_there(facts.eips.get(allocation.eip_id)):
        return EndOrder()
    if is_ahead(allocation.started, facts.now):
        return RedateOrder()
    late = allocation.started + ATTEMPT_WINDOW + SETTLE - facts.now
    if allocation.eip_id:
        # Whatever is promised counts against `max` until the cloud says that it does not come.
        if pool.deleting and late <= 0 and _is_gone(allocation.eip_id, facts, enough=SETTLE):
            return EndOrder(failed=True)
        return Rest(seconds=_POLL if late > 0 else SETTLE / 2, not_shown=late <= 0)
    order = pool.spec.order if pool.spec and not pool.deleting else None
    if late > SETTLE and order is not None:
        return OrderEip(attempt=allocation.attempt, begun=True, order=order)
    if late > 0:
        return Rest(seconds=min(late, SETTLE / 12))
    return Rest(seconds=SETTLE / 2) if facts.blind else EndOrder()


def _is_gone(eip_id: str, facts: EipPoolFacts, *, enough: float) -> bool:
    """Whether an EIP that was asked for by its id has not been shown for `enough` seconds."""
    return facts.unshown.get(eip_id, 0.0) >= enough and not facts.blind


def _is_there(eip: Eip | None) -> bool:
    return eip is not None and eip.status is not EipStatus.CREATING and bool(eip.public_ip)


def _settle_lists(pool: EipPool, facts: EipPoolFacts) -> RecordLists | None:
    """Keep in mind what there is: a list of the cloud may lag, and what it lacks counts against `max`.

    It is believed to be gone after SETTLE seconds: until then a list may even show again, as free, what was
    released. Of a deleted pool no claim gets anything, so there UNSHOWN seconds will do.
    """
    enough = UNSHOWN if pool.deleting else SETTLE
    gone = {eip_id for eip_id in facts.unshown if _is_gone(eip_id, facts, enough=enough)}
    created = tuple(sorted({*pool.created, *facts.eips} - gone))
    releasing = tuple(sorted(set(pool.releasing) - gone - facts.holders.keys()))
    if (created, releasing) == (tuple(sorted(pool.created)), tuple(sorted(pool.releasing))):
        return None
    return RecordLists(created=created, releasing=releasing)


def _settle_releases(pool: EipPool, facts: EipPoolFacts) -> PoolAction | None:
    again = next((i for i in pool.releasing if may_release(facts.eips.get(i))), None)
    return ReleaseEip(eip_id=again) if again else None


def _size(pool: EipPool, facts: EipPoolFacts) -> PoolAction:
    """Grow to what is wanted, or shrink to what is needed."""
    spec = pool.spec
    free = sorted(i for i, eip in facts.eips.items() if i not in facts.holders and may_release(eip))
    poll = _POLL if pool.releasing or facts.unshown else None
    if pool.deleting and free:
        return ReleaseEip(eip_id=free[0])
    if pool.deleting:
        return Rest(seconds=poll) if pool.created else LetPoolGo()
    if spec is None or spec.order is None:
        return Rest()
    there = len(set(pool.created) - set(pool.releasing))
    wanted = min(max(spec.least, _of_no_use(facts) + len(facts.holders) + facts.waiting), spec.most)
    if there < wanted and len(pool.created) < spec.most:
        return OrderEip(attempt=pool.allocation.attempt + 1, begun=False, order=spec.order)
    if there > wanted:
        return _shrink(free, facts, at_once=there > spec.most, after=spec.release_after)
    return Rest(seconds=poll)


def _of_no_use(facts: EipPoolFacts) -> int:
    """Return how many EIPs no claim has and none can have: locked, or bound to something else."""
    return sum(
        1
        for eip_id, eip in facts.eips.items()
        if eip_id not in facts.holders and (eip.bound or eip.is_blocked or eip.is_arrears)
    )


def _shrink(free: list[str], facts: EipPoolFacts, *, at_once: bool, after: float) -> PoolAction:
    if not free:
        return Rest()
    longest = max(free, key=lambda eip_id: (facts.free_for.get(eip_id, 0.0), eip_id))
    left = 0.0 if at_once else after - facts.free_for.get(longest, 0.0)
    return Rest(seconds=left) if left > 0 else ReleaseEip(eip_id=longest)
