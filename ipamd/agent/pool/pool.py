"""Keeps warm addresses on the node: has executed what `ipamd.core.pool` plans, from a thread of its own.

A round lets time do its part in the ledger, plans, and hands each action to one of a few cloud workers; their
outcome, a Pod that takes an address, and time start the next round. ADD never calls the cloud: it waits for
the ledger to change. What the cloud refuses is closed for a while, and told to whoever waits in vain.
"""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ipamd.agent.enis import NodeEni, NodeEnis
from ipamd.agent.pool.executor import PoolExecutor
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.agent.pool.obstacle import obstacle
from ipamd.agent.pool.writes import CREATION, PoolWrites
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model, pool
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError
from ipamd.core.ledger import ledger
from ipamd.core.ledger.ledger import Transition
from ipamd.core.ledger.states import Assigned, Cooling, Held, Occupied, Unassigning
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.boottime import LONG_AGO
from ipamd.core.vpc_ip import room as fixed_room
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace

log = logging.getLogger(__name__)

_GATHER = 0.02
"""Seconds in which changes are gathered before the pool is looked at."""
_TICK = 5.0
"""Seconds after which a round is made even if nothing has happened."""
_BACKOFF = Backoff(first=1.0, longest=5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTerms:
    """What the pool has to keep to."""

    limits: model.EniLimits
    targets: pool.Targets
    cooldown: float
    disabled_by: str = ""
    """Who has taken the node out of use for Pods; empty for nobody."""


class Pool:
    """The pool of one node.

    Invariant: `_waiting` is touched under `_guard` only.
    Thread safety: any thread may call any public method.
    """

    def __init__(
        self,
        terms: Callable[[int], PoolTerms],
        *,
        shared_ledger: SharedLedger,
        enis: NodeEnis,
        actions: PoolExecutor,
        freeze: PoolFreeze,
    ) -> None:
        """Take who executes, and what an operator wants; `start` begins the work.

        `terms` tells the terms for a CVM with so many ENIs that are not ours.
        """
        self._freeze = freeze
        self._told_terms = terms
        self._shared_ledger = shared_ledger
        self._enis = enis
        self._actions = actions
        self._guard = threading.Lock()
        self._waiting = 0
        self._fixed_demand: Mapping[str, int] = {}
        self._last_release = LONG_AGO
        self.writes = PoolWrites(shared_ledger.now)
        """Whose turn an ENI is."""
        self.writes.on_end(self._look_again)
        self._loop = Loop(
            "pool",
            self._round,
            policy=Survive(),
            pace=LoopPace(period=_TICK, gather=_GATHER, backoff=_BACKOFF),
        )

    def start(self) -> None:
        """Begin the rounds; ENI creations that a crash cut short come first."""
        for intent in self._actions.unfinished():
            self.writes.grow(CREATION, 1, partial(self._actions.resume, intent))
        self.writes.start()
        self._loop.start()

    def stop(self, timeout: float) -> bool:
        """End the rounds, and wait for actions under way: what they bring is found at the next start too.

        Return whether they have ended.
        """
        self._loop.stop(None)
        return self.writes.stop(timeout)

    def trigger(self) -> None:
        """Have a round made now."""
        self._loop.trigger()

    def follow(self, transition: Transition) -> None:
        """Have a round made after a change of the ledger that may ask for one."""
        if pool.is_concerned(transition, self.terms.targets, self._waiting):
            self.trigger()

    @contextlib.contextmanager
    def demand(self) -> Iterator[None]:
        """Count as a Pod that waits for an address, for as long as the block lasts."""
        with self._guard:
            self._waiting += 1
        self.trigger()
        try:
            yield
        finally:
            with self._guard:
                self._waiting -= 1

    def make_room(self, demand: Mapping[str, int]) -> None:
        """Have room on ENIs for so many fixed addresses by subnet, until the next call says otherwise."""
        if demand != self._fixed_demand:
            self._fixed_demand = dict(demand)
            self.trigger()

    def has_place(self, eni_id: str) -> bool:
        """Whether an ENI can take one address more; exact for who has its turn."""
        facts = self.facts()
        return any(eni.eni_id == eni_id and eni.addresses < self._full for eni in facts.enis)

    def no_room(self, subnet_id: str) -> str:
        """Return why there will be no room for a fixed address in a subnet; empty while there may be."""
        return fixed_room.obstacle(self.facts(), subnet_id)

    @property
    def terms(self) -> PoolTerms:
        """What the pool has to keep to; ENIs that are not ours take their share of the limit."""
        return self._told_terms(self._enis.foreign)

    @property
    def activity(self) -> str:
        """What the pool is doing or waiting for; empty when it is content."""
        frozen = ["frozen by an operator"] if self._freeze.since is not None else []
        return "; ".join(frozen + self.writes.activity())

    def obstacle(self) -> IpamError | None:
        """Return why no address will come to a Pod that waits now; None when waiting may help."""
        if self.writes.arriving():
            return None
        return obstacle(
            self.facts(),
            self._shared_ledger.now(),
            frozen=self._freeze.obstacle,
            broken=[eni for eni in self._enis.enis.values() if eni.is_broken],
            disabled_by=self.terms.disabled_by,
            refusals=self.refusals(),
        )

    def dry(self) -> list[str]:
        """Return one sentence while no Pod runs here and there should be an address for one and is none.

        What cools or is held becomes free by itself; what waits for its EIP to be unbound perhaps never.
        """
        shared_ledger = self._shared_ledger.current.pooled
        if shared_ledger.available or shared_ledger.in_state(Assigned, Occupied, Cooling, Held):
            return []
        if pool.wanted(self.facts()) <= 0:
            return []
        return [f"none has come: {self.waited_for()}"]

    def advice(self) -> str:
        """Return what to do about the refusal that keeps Pods waiting; empty when nothing was refused."""
        return next((e.advice for e in self.refusals() if e.advice), "")

    def waited_for(self) -> str:
        """Say in words what a Pod without address waits for."""
        activity = self.activity
        if activity:
            return activity
        if pool.room(self.facts()) > 0:
            return "the cloud has not been asked for more addresses yet"
        shared_ledger = self._shared_ledger.current.pooled
        cooling, held = (
            len(pool.coming_free(shared_ledger, self._shared_ledger.now())),
            len(shared_ledger.in_state(Held)),
        )
        return (
            f"all addresses that the node can have are taken, {cooling} of them become free after their "
            f"cool-down, {held} are held for Pods that may come back and give way"
        )

    def refusals(self) -> list[IpamError]:
        """Return what was refused, the cloud's own words first: they carry its code and RequestId."""
        return self.writes.refusals()

    def _pause(self) -> float:
        expiry = ledger.next_expiry(self._shared_ledger.current)
        return _TICK if expiry is None else min(_TICK, max(0.0, expiry - self._shared_ledger.now()))

    def _round(self) -> float:
        """Let time do its part, and have executed what is planned; return the seconds to the next round.

        Raises: IpamError.
        """
        self._act()
        return self._pause()

    def _act(self) -> None:
        cooldown = self.terms.cooldown
        self._shared_ledger.write()
        self._shared_ledger.note(
            lambda shared_ledger: ledger.expire(shared_ledger, cooldown, self._shared_ledger.now())
        )
        self.writes.growth.keep_only({CREATION, *self._enis.enis, *self._actions.subnet_ids})
        self.writes.returns.keep_only(set(self._enis.enis))
        if not self._enis.are_known:
            # Whoever does not know what the node has would order it once more.
            if not self.writes.growth.is_closed(CREATION):
                self.writes.grow(CREATION, 0, self._actions.look)
            return
        facts, demand = self.facts(), self._fixed_demand
        actions: list[pool.Action] = [*fixed_room.made(facts, demand)]
        actions += pool.plan(fixed_room.reserved(facts, demand), self._shared_ledger.now())
        if self._freeze.since is not None:
            # Holds may end for Pods that wait: that is the node's own, and asks nothing of the cloud.
            actions = [action for action in actions if isinstance(action, pool.ShortenHolds)]
        else:
            self._give_back_retired()
        for action in actions:
            match action:
                case pool.AssignIps():
                    self.writes.grow(action.eni_id, action.count, partial(self._actions.assign, action))
                case pool.CreateEni():
                    refused = frozenset(filter(self.writes.growth.is_closed, self._actions.subnet_ids))
                    create = partial(self._create, action, self._closed_subnets() | refused)
                    self.writes.grow(CREATION, action.count, create)
                case pool.ShortenHolds():
                    log.info("Pods wait for an address: %s are held no longer", ", ".join(action.ips))
                    self._shorten_holds(action)
                case pool.UnassignIps():
                    self._last_release = self._shared_ledger.now()
                    self._retire(action.ips)
                    self._give_back_retired()

    def facts(self) -> pool.PoolFacts:
        """Return what is planned by: what there is, what comes, what is refused."""
        # Before the ledger: what comes meanwhile is then counted twice, and ordered once.
        arriving = self.writes.arriving()
        shared_ledger = self._shared_ledger.current.pooled
        terms = self.terms
        with self._guard:
            waiting = self._waiting
        known = Counter(address.eni_id for address in self._shared_ledger.current.addresses.values())
        return pool.PoolFacts(
            ledger=shared_ledger,
            enis=tuple(self._room(known[eni.eni_id], eni, arriving) for eni in self._enis.enis.values()),
            limits=terms.limits,
            targets=terms.targets,
            waiting=waiting,
            arriving=sum(arriving.values()),
            creating=CREATION in arriving,
            closed_subnets=self._closed_subnets(),
            may_create=not self.writes.growth.is_closed(CREATION),
            last_release=self._last_release,
        )

    def _room(self, known: int, eni: NodeEni, arriving: dict[str, int]) -> pool.EniCapacity:
        eni_id = eni.eni_id
        usable = eni.link is not None and not eni.problem
        return pool.EniCapacity(
            eni_id=eni_id,
            subnet_id=eni.subnet_id,
            # An ENI that cannot carry Pods takes a slot of the instance and has no room.
            addresses=known + eni.unusable + arriving.get(eni_id, 0) if usable else self._full,
            busy=eni_id in arriving,
            refused=self.writes.growth.is_closed(eni_id),
            keeps=self.writes.returns.is_closed(eni_id),
            broken=eni.is_broken,
        )

    @property
    def _full(self) -> int:
        return self.terms.limits.ips_per_eni - 1

    def _closed_subnets(self) -> frozenset[str]:
        """Return the subnets that were refused an address, or an ENI, because they are full."""
        subnets = {eni.eni_id: eni.subnet_id for eni in self._enis.enis.values()}
        subjects = {**subnets, **{subnet_id: subnet_id for subnet_id in self._actions.subnet_ids}}
        return frozenset(subnet_id for subject, subnet_id in subjects.items() if self._is_full(subject))

    def _is_full(self, subject: str) -> bool:
        error = self.writes.growth.error(subject)
        full = isinstance(error, CloudError) and error.kind is CloudErrorKind.SUBNET_FULL
        return full and self.writes.growth.is_closed(subject)

    def _create(self, action: pool.CreateEni, closed: frozenset[str]) -> None:
        self.writes.growth.succeeded(self._actions.create(action, closed))

    def _shorten_holds(self, action: pool.ShortenHolds) -> None:
        self._shared_ledger.note(
            lambda shared_ledger: ledger.shorten_holds(shared_ledger, action.ips, action.until)
        )

    def _retire(self, ips: tuple[str, ...]) -> None:
        self._shared_ledger.apply(
            lambda shared_ledger: ledger.retire(shared_ledger, ips, self._shared_ledger.now())
        )

    def _give_back_retired(self) -> None:
        """Have every retired address unassigned: those of this round, and those that a crash left."""
        retired: dict[str, tuple[str, ...]] = {}
        for address in self._shared_ledger.current.pooled.in_state(Unassigning):
            if not self.writes.returns.is_closed(address.eni_id):
                retired[address.eni_id] = (*retired.get(address.eni_id, ()), address.ip)
        for eni_id, ips in retired.items():
            self.writes.give_back(eni_id, partial(self._actions.unassign, eni_id, ips))

    def _look_again(self) -> None:
        """Have whoever waits for an address, and the pool itself, look again: a cloud write has ended."""
        self._shared_ledger.wake()
        self.trigger()
