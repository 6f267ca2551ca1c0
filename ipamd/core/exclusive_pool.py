"""What to ask the cloud for, so that the node has warm ENIs for Pods that take one whole. Pure and stateless.

The rules are those of `ipamd.core.pool`, and simpler, as an ENI is one address here: ENIs are kept between
Pods + min and Pods + max (TKE's `--eni-min-warm-target`, `--eni-max-warm-target`), one is created at a time,
surplus goes back one by one (document 457/43554, "exclusive ENI": about one in two minutes).
"""

from dataclasses import dataclass, replace

from ipamd.core.errors import InvalidInputError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Held, Unassigning, Warm
from ipamd.core.pool import GRACE, ShortenHolds, coming_free
from ipamd.core.timing.boottime import LONG_AGO, Boottime, after


@dataclass(frozen=True, slots=True, kw_only=True)
class EniTargets:
    """How many warm ENIs to keep, and how fast to give surplus back."""

    min_warm: int = 1
    max_warm: int = 1
    release_interval: float = 120.0
    """Seconds between two ENIs given back."""

    @property
    def none(self) -> "EniTargets":
        """The same for a node that is to have none: nothing is ordered, and what is left goes back."""
        return replace(self, min_warm=0, max_warm=0)

    def __post_init__(self) -> None:
        """Refuse targets that contradict themselves."""
        if self.min_warm < 0 or self.max_warm < self.min_warm:
            raise InvalidInputError(
                f"warm ENIs: min is {self.min_warm}, max is {self.max_warm}",
                advice="choose --eni-min-warm-target and --eni-max-warm-target with 0 <= min <= max",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusiveFacts:
    """All that a plan depends on."""

    ledger: Ledger
    """The part that is about exclusive ENIs which any Pod may have."""
    enis: int
    """Exclusive ENIs that take a place of the instance, usable or not, those of claims among them; none that
    somebody has detached."""
    limit: int
    """How many it may have."""
    targets: EniTargets
    coming: int = 0
    """ENIs of VpcIPClaims that are to be attached besides: the pool makes room for them."""
    waiting: int = 0
    """ADDs that wait for an ENI right now."""
    creating: bool = False
    """An ENI is being created."""
    may_create: bool = True
    """False while the cloud refuses ENIs."""
    last_release: Boottime = LONG_AGO


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateExclusiveEni:
    """Create and attach one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveEni:
    """Detach and delete one that nobody has."""

    eni_id: str
    ip: str


Action = CreateExclusiveEni | RemoveEni | ShortenHolds


def plan(facts: ExclusiveFacts, now: Boottime) -> list[Action]:
    """Return what to do now; empty when content."""
    if in_the_way(facts):
        return _make_way(facts, now)
    if wanted(facts) > facts.creating and not excess(facts):
        return _grow(facts, now)
    return _shrink(facts, now)


def wanted(facts: ExclusiveFacts) -> int:
    """Return how many more ENIs there should be, those under way included."""
    return facts.targets.min_warm + facts.waiting - facts.ledger.free(exclusive=True)


def room(facts: ExclusiveFacts) -> int:
    """Return how many more the instance can take."""
    return max(0, facts.limit - facts.enis - facts.coming)


def excess(facts: ExclusiveFacts) -> int:
    """Return how many free ENIs there are over the limit, which may have been lowered."""
    over = facts.enis + facts.coming - facts.limit
    return max(0, min(facts.ledger.free(exclusive=True) - facts.waiting, over))


def in_the_way(facts: ExclusiveFacts) -> int:
    """Return how many ENIs have to leave so that those of claims find a place; some may be leaving."""
    lacking = min(facts.coming, facts.enis + facts.coming - facts.limit)
    return max(0, lacking - len(facts.ledger.in_state(Unassigning)))


def _grow(facts: ExclusiveFacts, now: Boottime) -> list[Action]:
    if facts.creating:
        return []
    if room(facts) and facts.may_create:
        return [CreateExclusiveEni()]
    return _give_way(facts, now)


def _make_way(facts: ExclusiveFacts, now: Boottime) -> list[Action]:
    """Give a free ENI back at once for one of a claim, whose Pod waits; let holds end where there is none."""
    if facts.ledger.free(exclusive=True) > facts.waiting:
        return [_longest_idle(facts)]
    return _give_way(replace(facts, waiting=facts.waiting + in_the_way(facts)), now)


def _give_way(facts: ExclusiveFacts, now: Boottime) -> list[Action]:
    """Let holds end for Pods that wait: those without EIP first, of equals the one that would end first."""
    soon = after(now, GRACE)
    held = [(a, a.state.until) for a in facts.ledger.in_state(Held) if isinstance(a.state, Held)]
    free = len(coming_free(facts.ledger, now)) + facts.ledger.free(exclusive=True)
    ending = sum(until <= soon for _, until in held)
    missing = facts.waiting - (free + ending)
    later = sorted(
        ((a.eip is not None, until, a.ip) for a, until in held if until > soon and not a.quarantined)
    )
    yielding = tuple(ip for _, _, ip in later[: max(0, missing)])
    return [ShortenHolds(ips=yielding, until=soon)] if yielding else []


def _shrink(facts: ExclusiveFacts, now: Boottime) -> list[Action]:
    over_target = facts.ledger.free(exclusive=True) - facts.waiting - facts.targets.max_warm
    surplus = max(over_target, excess(facts))
    if surplus <= 0 or now - facts.last_release < facts.targets.release_interval:
        return []
    return [_longest_idle(facts)]


def _longest_idle(facts: ExclusiveFacts) -> RemoveEni:
    idle = min(
        facts.ledger.available_enis,
        key=lambda a: (a.state.since if isinstance(a.state, Warm) else LONG_AGO, a.ip),
    )
    return RemoveEni(eni_id=idle.eni_id, ip=idle.ip)
