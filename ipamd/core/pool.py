"""What to ask the cloud for, so that the node has the warm addresses it should have. Pure and stateless.

A plan is computed anew from what is there, so a step that failed or was lost is simply planned again. Full
ENIs come first (an ENI costs an address and a slot of the instance), only secondary ENIs carry Pods, and
addresses go back slowly: Pods that come and go should meet a warm pool. The targets are TKE's (document
457/64919, "warm pool"): bound addresses are kept between Pods + min and Pods + max.

What the cloud has refused lately counts as if it could not grow, so that one sick ENI or one full subnet does
not stop the others. Where nothing can grow, what is held for Pods that may come back gives way to Pods that
wait.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ipamd.core import model
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import capacity
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.ledger.states import Address, Assigned, Cooling, Held, Occupied, Unassigning, Unbinding
from ipamd.core.timing.boottime import LONG_AGO, Boottime, after

GRACE = 10.0
"""Seconds that a hold still lasts once it has to give way: who replaces a sandbox is back by then."""

BATCH = 10
"""AssignPrivateIpAddresses and UnassignPrivateIpAddresses take ten addresses at most (API 215/15819)."""


UNBIND_SECONDS = 60.0
"""Seconds for which an address is believed to come free whose EIP is being unbound: that takes a few, and one
that the cloud refuses to unbind may never come."""

MOST_BROKEN = 2
"""So many ENIs that cannot be set up say that the node is at fault: the next one would share it, and is not
created. A single one may be at fault itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """How many warm addresses to keep, and how fast to give surplus back."""

    min_warm: int = 5
    max_warm: int = 5
    desired: int = 0
    """So many addresses at least, used or not."""
    release_interval: float = 120.0
    """Seconds between two addresses given back; TKE's slow release."""
    quick_release: bool = False
    """Give all surplus back at once."""

    def __post_init__(self) -> None:
        """Refuse targets that contradict themselves, as TKE does."""
        if self.min_warm < 0 or self.max_warm < self.min_warm:
            raise InvalidInputError(
                f"warm targets: min is {self.min_warm}, max is {self.max_warm}",
                advice="choose --ip-min-warm-target and --ip-max-warm-target with 0 <= min <= max",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EniCapacity:
    """One secondary ENI of ours, as far as planning cares."""

    eni_id: str
    subnet_id: str
    addresses: int
    """Secondary addresses that it has, or is about to have."""
    busy: bool = False
    """A request for it is under way: the cloud takes one at a time for an ENI."""
    refused: bool = False
    """The cloud has refused it more addresses, for the time being."""
    keeps: bool = False
    """The cloud has refused to take addresses of it back, for the time being."""
    broken: bool = False
    """The cloud has it attached, and the node cannot set it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFacts:
    """All that a plan depends on."""

    ledger: Ledger
    """The part that is about addresses which any Pod may have."""
    enis: tuple[EniCapacity, ...]
    limits: model.EniLimits
    targets: Targets
    waiting: int = 0
    """ADDs that wait for an address right now."""
    arriving: int = 0
    """Addresses asked for and not there yet."""
    creating: bool = False
    """An ENI is being created."""
    closed_subnets: frozenset[str] = frozenset()
    """Subnets without a free address, for the time being."""
    may_create: bool = True
    """False while the cloud refuses ENIs (quota, permission, money)."""
    last_release: Boottime = LONG_AGO


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignIps:
    """Ask for more addresses on an ENI."""

    eni_id: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEni:
    """Create and attach an ENI that starts with so many secondary addresses."""

    count: int
    subnet_id: str = ""
    """Where it has to be; empty for the best of the configured subnets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnassignIps:
    """Give addresses back to the subnet."""

    eni_id: str
    ips: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortenHolds:
    """Let what is held for these addresses end soon."""

    ips: tuple[str, ...]
    until: Boottime


Action = AssignIps | CreateEni | UnassignIps | ShortenHolds


def plan(facts: PoolFacts, now: Boottime) -> list[Action]:
    """Return what to do now: at most one action for each ENI and at most one new ENI; empty when content."""
    shortage = wanted(facts) - facts.arriving
    if shortage > 0:
        # Less than its ENIs could take, where the node's configuration allows less.
        return _grow(facts, min(shortage, room(facts))) or _give_way(facts, now)
    return _shrink(facts, now)


def is_concerned(transition: Transition, targets: Targets, waiting: int) -> bool:
    """Whether there may be anything to plan after a change: not after an ADD that leaves enough addresses."""
    taken = all(isinstance(address.state, Assigned) for address in transition.changed)
    enough = transition.ledger.free() >= targets.min_warm + waiting
    return bool(transition.forgotten) or not taken or not enough


def wanted(facts: PoolFacts) -> int:
    """Return how many more addresses there should be, those under way included."""
    warm = facts.targets.min_warm + facts.waiting - facts.ledger.free()
    return max(warm, facts.targets.desired - _kept(facts.ledger))


def room(facts: PoolFacts) -> int:
    """Return how many more addresses this instance can take, with every ENI that it may have."""
    return capacity.pod_ips(facts.limits) - sum(eni.addresses for eni in facts.enis)


def open_room(facts: PoolFacts) -> int:
    """Return how many of them the cloud may be asked for now, or is being asked for."""
    per_eni = facts.limits.ips_per_eni - 1
    on_enis = sum(max(0, per_eni - eni.addresses) for eni in facts.enis if _may_grow(facts, eni))
    free_slots = max(0, facts.limits.enis - 1 - len(facts.enis))
    open_slots = free_slots * per_eni if may_create(facts) else 0
    # Less where the node's configuration allows less than its ENIs could take.
    return max(0, min(room(facts), on_enis + open_slots))


def coming_free(ledger: Ledger, now: Boottime) -> list[Address]:
    """Return the addresses without owner or holder that a Pod may soon have, whatever the cloud gives."""
    return [a for a in ledger.in_state(Cooling, Unbinding) if not a.quarantined and not _is_stuck(a, now)]


def stuck(ledger: Ledger, now: Boottime) -> list[Address]:
    """Return the addresses whose EIP should have been unbound long ago."""
    return [a for a in ledger.in_state(Unbinding) if _is_stuck(a, now)]


def choose_subnet(subnets: Iterable[model.Subnet], zone: str, closed: frozenset[str]) -> model.Subnet | None:
    """Return the subnet for a new ENI: in the instance's zone, not closed, with the most free addresses."""
    usable = [s for s in subnets if s.zone == zone and s.subnet_id not in closed and s.available_ips > 1]
    return max(usable, key=lambda s: (s.available_ips, s.subnet_id), default=None)


def _grow(facts: PoolFacts, shortage: int) -> list[Action]:
    per_eni = facts.limits.ips_per_eni - 1
    actions: list[Action] = []
    for eni in sorted(facts.enis, key=lambda e: (-e.addresses, e.eni_id)):
        count = min(BATCH, shortage, per_eni - eni.addresses)
        if count <= 0 or eni.busy or not _may_grow(facts, eni):
            continue
        shortage -= count
        actions.append(AssignIps(eni_id=eni.eni_id, count=count))
    # A busy ENI will take its share as soon as it can; that is no reason for one more ENI.
    growing = [eni for eni in facts.enis if eni.busy and _may_grow(facts, eni)]
    shortage -= sum(max(0, min(BATCH, per_eni - eni.addresses)) for eni in growing)
    slot_left = len(facts.enis) + 1 < facts.limits.enis
    another = slot_left and not facts.creating and may_create(facts)
    if shortage > 0 and another and per_eni > 0:
        actions.append(CreateEni(count=min(BATCH, shortage, per_eni)))
    return actions


def _is_stuck(address: Address, now: Boottime) -> bool:
    state = address.state
    return isinstance(state, Unbinding) and now - state.since >= UNBIND_SECONDS


def may_create(facts: PoolFacts) -> bool:
    """Whether it is any use to ask for an ENI."""
    return facts.may_create and sum(eni.broken for eni in facts.enis) < MOST_BROKEN


def _may_grow(facts: PoolFacts, eni: EniCapacity) -> bool:
    return not eni.refused and eni.subnet_id not in facts.closed_subnets


def _give_way(facts: PoolFacts, now: Boottime) -> list[Action]:
    """Let holds end for the Pods that wait for an address, when none can come from the cloud.

    Only for those for whom nothing else becomes free. First what has no EIP: it is free after its cool-down,
    and its Pod can do with any other address. An EIP has to be unbound first. The address of a retained EIP
    comes last: its Pod has been promised that it comes back. Among equals the hold that would end first.
    """
    soon = after(now, GRACE)
    if facts.arriving or facts.creating or open_room(facts):
        return []
    leaving = len(coming_free(facts.ledger, now)) + facts.ledger.free()
    held = [
        (a, a.state.until)
        for a in facts.ledger.in_state(Held)
        if isinstance(a.state, Held) and not a.quarantined
    ]
    ending = sum(until <= soon for _, until in held)
    wanted_holds = facts.waiting - leaving - ending
    yielding = sorted(((a, until) for a, until in held if until > soon), key=_worth)[: max(0, wanted_holds)]
    return [ShortenHolds(ips=tuple(a.ip for a, _ in yielding), until=soon)] if yielding else []


def _worth(hold: tuple[Address, Boottime]) -> tuple[bool, bool, Boottime, str]:
    address, until = hold
    return address.eip is not None, bool(address.eip and address.eip.retained), until, address.ip


def _shrink(facts: PoolFacts, now: Boottime) -> list[Action]:
    targets = facts.targets
    surplus = min(
        facts.ledger.free() - facts.waiting - targets.max_warm,
        _kept(facts.ledger) - targets.desired,
    )
    due = targets.quick_release or now - facts.last_release >= targets.release_interval
    if surplus <= 0 or not due:
        return []
    owners = _owners(facts.ledger)
    idle = [eni for eni in facts.enis if not eni.busy and not eni.keeps]
    for eni in sorted(idle, key=lambda e: (owners.get(e.eni_id, 0), e.addresses, e.eni_id)):
        warm = sorted(a.ip for a in facts.ledger.available if a.eni_id == eni.eni_id)
        if warm:
            count = min(surplus, BATCH) if targets.quick_release else 1
            return [UnassignIps(eni_id=eni.eni_id, ips=tuple(warm[:count]))]
    return []


def _kept(ledger: Ledger) -> int:
    """Return how many addresses the node has that are not on their way back."""
    return len(ledger.addresses) - len(ledger.in_state(Unassigning))


def _owners(ledger: Ledger) -> dict[str, int]:
    owners: dict[str, int] = {}
    for address in ledger.in_state(Assigned, Held, Occupied):
        owners[address.eni_id] = owners.get(address.eni_id, 0) + 1
    return owners
