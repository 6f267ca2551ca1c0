"""Keeps warm ENIs for Pods that take one whole: has executed what `ipamd.core.exclusive_pool` plans.

One thread plans and acts, one action after the other: an ENI takes the cloud some seconds, and a node has few
such Pods. Where the mode is off and nothing of it is left, no thread runs and nothing is asked. What the
cloud refuses is not asked again for a while, and told to who waits in vain.
Thread safety: any thread may call any public method.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ipamd import logs
from ipamd.agent.enis import NodeEnis
from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.pool.executor import PoolExecutor, SubnetRefusedError
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.agent.pool.obstacle import NodeDisabledError
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import exclusive_pool, pool
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.exclusive_pool import CreateExclusiveEni, EniTargets, ExclusiveFacts, RemoveEni
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Address, Cooling, Held, Unassigning, Warm
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.boottime import LONG_AGO
from ipamd.runtime import chance
from ipamd.runtime.defects import Survive
from ipamd.runtime.failure_cache import FailureCache
from ipamd.runtime.loop import Loop, LoopPace

log = logging.getLogger(__name__)

_TICK = 5.0
_GATHER = 0.02
_BACKOFF = Backoff(first=1.0, longest=10.0)
_CREATION = "new ENI for a Pod"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusiveTerms:
    """What the pool has to keep to."""

    quota: int
    """Extended ENIs that the instance takes; 0 where the mode is off."""
    targets: EniTargets
    most: int | None = None
    """So many of them at most, by the node's configuration; None: as many as the instance takes."""
    disabled_by: str = ""
    """Who says that the node is to have nothing for Pods; empty when nobody does."""


class ExclusivePool:
    """The pool of whole ENIs of one node."""

    def __init__(
        self,
        terms: Callable[[], ExclusiveTerms],
        *,
        shared_ledger: SharedLedger,
        node_enis: NodeEnis,
        enis: ExclusiveEnis,
        actions: PoolExecutor,
        freeze: PoolFreeze,
    ) -> None:
        """Take what tells the terms, what there is, who executes, and what an operator wants."""
        self._terms = terms
        self._shared_ledger = shared_ledger
        self._node_enis = node_enis
        self._enis = enis
        self._actions = actions
        self._freeze = freeze
        self._guard = threading.Lock()
        self._giving_back = threading.Lock()
        self._waiting = 0
        self._creating = False
        self._coming = 0
        self._last_release = LONG_AGO
        self._failures = FailureCache(clock=shared_ledger.now, random=chance.fraction)
        self._loop = Loop(
            "exclusive-pool",
            self._round,
            policy=Survive(),
            pace=LoopPace(period=_TICK, gather=_GATHER, backoff=_BACKOFF),
        )
        self._runs = False

    def start(self) -> None:
        """Begin, if there is anything to keep; ENI creations that a crash cut short come first."""
        if self._terms().quota or self._enis.enis or self._actions.unfinished():
            self._runs = True
            self._loop.start()

    def stop(self, timeout: float) -> bool:
        """End; return whether what was under way has ended."""
        return self._loop.stop(timeout) if self._runs else True

    def trigger(self) -> None:
        """Have a round made now."""
        if self._runs:
            self._loop.trigger()

    @contextlib.contextmanager
    def demand(self) -> Iterator[None]:
        """Count as a Pod that waits for an ENI, for as long as the block lasts."""
        with self._guard:
            self._waiting += 1
        self.trigger()
        try:
            yield
        finally:
            with self._guard:
                self._waiting -= 1

    def make_room(self, coming: int) -> None:
        """Have places kept for so many ENIs of claims, which are to be attached to the node."""
        if coming != self._coming:
            self._coming = coming
            self.trigger()

    def no_room(self) -> str:
        """Return why an ENI of a claim will find no place here; empty while it may."""
        facts = self._facts()
        if by := self._terms().disabled_by:
            return f"it is disabled by {by}"
        if facts.enis + facts.coming <= facts.limit:
            return ""
        if frozen := self._freeze.obstacle():
            return f"{frozen.message} ({frozen.advice})"
        if facts.ledger.in_state(Held, Warm, Cooling, Unassigning):
            return ""  # one of the pool's makes room
        return f"all {facts.limit} ENIs that Pods of this node may have are in use"

    @property
    def places(self) -> int:
        """How many more ENIs the node may have now."""
        return max(0, self.limit - self._enis.attached)

    @property
    def limit(self) -> int:
        """How many ENIs Pods of this node may have; others' share is taken off."""
        terms = self._terms()
        room = 0 if terms.disabled_by else max(0, terms.quota - self._enis.foreign)
        return room if terms.most is None else min(room, terms.most)

    @property
    def is_on(self) -> bool:
        """Whether the node has the mode at all, disabled or not."""
        return self._terms().quota > self._enis.foreign

    @property
    def targets(self) -> EniTargets:
        """How many ENIs wait for Pods."""
        terms = self._terms()
        return terms.targets if terms.quota and not terms.disabled_by else terms.targets.none

    @property
    def activity(self) -> str:
        """What the pool is doing or waits for; empty when it is at its target."""
        facts = self._facts()
        if self._freeze.since is not None or (not facts.creating and exclusive_pool.wanted(facts) <= 0):
            return ""
        if not facts.creating and not exclusive_pool.room(facts):
            return f"all {self.limit} ENIs that Pods of this node may have are there"
        return self.waited_for()

    def drain(self, failures: list[str]) -> list[str]:
        """Give back every ENI that is free, as an operator has frozen the pool; return which are gone."""
        shared_ledger = self._shared_ledger
        free = [a.ip for a in shared_ledger.current.available_enis]
        if free:
            shared_ledger.apply(
                lambda current: ledger.retire(
                    current, [a.ip for a in current.available_enis if a.ip in free], shared_ledger.now()
                )
            )
        gone = []
        with self._giving_back:
            for address in shared_ledger.current.pooled_enis.in_state(Unassigning):
                error = self._remove(address)
                if error is None:
                    gone.append(address.eni_id)
                else:
                    failures.append(f"{address.eni_id} could not be taken off the node: {error}")
        return gone

    def obstacle(self) -> IpamError | None:
        """Return why no ENI will come to a Pod that waits now; None when waiting may help."""
        facts = self._facts()
        now = self._shared_ledger.now()
        if facts.creating or facts.ledger.available_enis or facts.ledger.in_state(Held):
            return None
        if by := self._terms().disabled_by:
            return NodeDisabledError(
                f"the node has no ENIs for Pods: it is disabled by {by}",
                advice="schedule the Pod elsewhere, or enable the node there",
            )
        if pool.coming_free(facts.ledger, now):
            return None
        if not exclusive_pool.room(facts):
            return TryAgainError(
                f"all {self.limit} ENIs that Pods of this node may have are in use",
                advice="let Pods request tke.cloud.tencent.com/direct-eni, which the scheduler counts",
            )
        if frozen := self._freeze.obstacle():
            return frozen
        return self._failures.error(_CREATION) if self._failures.is_closed(_CREATION) else None

    def advice(self) -> str:
        """Return what to do about the refusal that keeps Pods waiting; empty when nothing was refused."""
        error = self._failures.error(_CREATION)
        return error.advice if error is not None else ""

    def waited_for(self) -> str:
        """Say in words what a Pod without ENI waits for."""
        error = self._failures.error(_CREATION)
        if error is not None:
            return f"{_CREATION}: {error.message}"
        return "an ENI is being created" if self._facts().creating else "an ENI of another Pod to come free"

    def _round(self) -> float:
        for intent in self._actions.unfinished():
            self._attempt(partial(self._actions.resume, intent))
        if self._node_enis.are_known:
            for action in exclusive_pool.plan(self._facts(), self._shared_ledger.now()):
                self._act(action)
            if self._freeze.since is None:
                self._give_back_retired()
        return min(_TICK, self.targets.release_interval)

    def _act(self, action: exclusive_pool.Action) -> None:
        if isinstance(action, pool.ShortenHolds):
            self._shared_ledger.note(lambda current: ledger.shorten_holds(current, action.ips, action.until))
        elif self._freeze.since is not None:
            return
        elif isinstance(action, CreateExclusiveEni):
            self._create()
        else:
            self._retire(action)

    def _create(self) -> None:
        closed = frozenset(filter(self._failures.is_closed, self._actions.subnet_ids))
        self._creating = True
        try:
            self._attempt(lambda: self._actions.create(pool.CreateEni(count=0), closed))
        finally:
            self._creating = False
        self._shared_ledger.wake()

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
            self._failures.succeeded(_CREATION)
        except SubnetRefusedError as e:
            self._failures.failed(e.subnet_id, e.cause)
            log.warning("exclusive pool, new ENI in %s: %s", e.subnet_id, e)
        except IpamError as e:
            pause = self._failures.failed(_CREATION, e)
            log.warning("exclusive pool: %s (again in %.0f s)", e, pause)

    def _retire(self, action: RemoveEni) -> None:
        self._last_release = self._shared_ledger.now()
        self._shared_ledger.apply(
            lambda current: ledger.retire(current, [action.ip], self._shared_ledger.now())
        )

    def _give_back_retired(self) -> None:
        """Detach and delete every retired ENI: that of this round, and those that a crash left."""
        with self._giving_back:
            for address in self._shared_ledger.current.pooled_enis.in_state(Unassigning):
                if not self._failures.is_closed(address.eni_id):
                    self._remove(address)

    def _remove(self, address: Address) -> IpamError | None:
        """Have a retired ENI detached and deleted; return why it could not be."""
        try:
            with logs.about(eni=address.eni_id):
                self._actions.remove(address.eni_id, address.ip)
        except IpamError as e:
            pause = self._failures.failed(address.eni_id, e)
            log.warning("ENI %s is not given back: %s (again in %.0f s)", address.eni_id, e, pause)
            return e
        self._failures.succeeded(address.eni_id)
        return None

    def _facts(self) -> ExclusiveFacts:
        with self._guard:
            waiting = self._waiting
        return ExclusiveFacts(
            ledger=self._shared_ledger.current.pooled_enis,
            enis=self._enis.attached,
            coming=self._coming,
            limit=self.limit,
            targets=self.targets,
            waiting=waiting,
            creating=self._creating,
            may_create=not self._failures.is_closed(_CREATION),
            last_release=self._last_release,
        )
