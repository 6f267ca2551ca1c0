"""Keeps warm addresses on the node: has executed what `ipamd.core.pool` plans, from a thread of its own.

A round lets time do its part in the ledger, plans, and hands each action to one of a few cloud workers; their
outcome, a Pod that takes an address, and time start the next round. ADD never calls the cloud: it waits for
the ledger to change. What the cloud refuses is closed for a while, and told to whoever waits in vain.
"""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ipamd import logs
from ipamd.agent.enis import NodeEni, NodeEnis
from ipamd.agent.pool.executor import PoolExecutor, SubnetRefusedError
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model, pool
from ipamd.core.claim import failures
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.kubernetes import capacity
from ipamd.core.kubernetes.node_condition import NodeProblem, NodeReason, Weight
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Assigned, Cooling, Held, Occupied, Unassigning
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.boottime import LONG_AGO
from ipamd.runtime import chance
from ipamd.runtime.defects import Survive
from ipamd.runtime.failure_cache import FailureCache
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.metric import Metric, gauge
from ipamd.runtime.task import note_defect
from ipamd.runtime.workers import OF_JOBS, JobQueue, Workers, do_job

log = logging.getLogger(__name__)

_GATHER = 0.02
"""Seconds in which changes are gathered before the pool is looked at."""
_TICK = 5.0
"""Seconds after which a round is made even if nothing has happened."""
_BACKOFF = Backoff(first=1.0, longest=5.0)
_WORKERS = 4
_CREATION = "new ENI"
"""What the creation of an ENI is called where others are called by their id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTerms:
    """What the pool has to keep to."""

    limits: model.EniLimits
    targets: pool.Targets
    cooldown: float
    disabled_by: str = ""
    """Who has taken the node out of use for Pods; empty for nobody."""


class NodeFullError(TryAgainError):
    """Pods have all addresses that the node can have: a fact, and nothing to be mended."""


class NodeDisabledError(TryAgainError):
    """The node's configuration has no addresses for Pods: a wish, and nothing to be mended."""


class Pool:
    """The pool of one node.

    Invariant: an ENI (or the creation of one) is in `_arriving` exactly while a worker has a request for it;
    it is touched under `_guard` only.
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
        self._arriving: dict[str, int] = {}  # by what is busy: how many addresses it will bring
        self._waiting = 0
        self._last_release = LONG_AGO
        self._failures = FailureCache(clock=shared_ledger.now, random=chance.fraction)
        self._returns = FailureCache(clock=shared_ledger.now, random=chance.fraction)
        """Of giving back: that an ENI must keep an address does not say that it cannot have another."""
        self._jobs = JobQueue()
        self._workers = Workers("pool-worker", _WORKERS, self._jobs, do_job, policy=OF_JOBS)
        self._loop = Loop(
            "pool",
            self._round,
            policy=Survive(),
            pace=LoopPace(period=_TICK, gather=_GATHER, backoff=_BACKOFF),
        )

    def start(self) -> None:
        """Begin the rounds; ENI creations that a crash cut short come first."""
        for intent in self._actions.unfinished():
            self._begin(_CREATION, 1, partial(self._actions.resume, intent))
        self._workers.start()
        self._loop.start()

    def stop(self, timeout: float) -> bool:
        """End the rounds, and wait for actions under way: what they bring is found at the next start too.

        Return whether they have ended.
        """
        self._loop.stop(None)
        return self._workers.stop(timeout)

    def trigger(self) -> None:
        """Have a round made now."""
        self._loop.trigger()

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

    @property
    def terms(self) -> PoolTerms:
        """What the pool has to keep to; ENIs that are not ours take their share of the limit."""
        return self._told_terms(self._enis.foreign)

    def metrics(self) -> Iterator[Metric]:
        """Yield how many addresses may come, and how many should have."""
        facts = self._facts()
        room = max(0, pool.room(facts))
        yield gauge("tke_eni_pool_room", "Addresses that the node's ENIs can have more; 0: it is full.", room)
        yield gauge(
            "tke_eni_pool_missing",
            "Addresses that should be free for Pods, are not, and that the node could have.",
            max(0, min(room, pool.wanted(facts))),
        )

    @property
    def activity(self) -> str:
        """What the pool is doing or waiting for; empty when it is content."""
        with self._guard:
            under_way = [
                f"{count} addresses for {what}" if count else f"giving addresses of {what} back"
                for what, count in self._arriving.items()
            ]
        errors = [*self._failures.errors().items(), *self._returns.errors().items()]
        refused = [f"{what}: {error.message}" for what, error in errors]
        frozen = ["frozen by an operator"] if self._freeze.since is not None else []
        return "; ".join(frozen + under_way + refused)

    def obstacle(self) -> IpamError | None:
        """Return why no address will come to a Pod that waits now; None when waiting may help."""
        shared_ledger = self._shared_ledger.current.shared
        with self._guard:
            coming = bool(self._arriving)
        now = self._shared_ledger.now()
        if (
            coming
            or shared_ledger.available
            or pool.coming_free(shared_ledger, now)
            or shared_ledger.in_state(Held)
        ):
            return None
        facts = self._facts()
        if pool.room(facts) > 0 and (frozen := self._freeze.obstacle()):
            return frozen
        if pool.open_room(facts) > 0:
            return None
        broken = [eni for eni in self._enis.enis.values() if eni.is_broken]
        if broken and (len(broken) >= pool.MOST_BROKEN or pool.room(facts) <= 0):
            return TryAgainError(
                f"{len(broken)} ENIs of the node cannot carry Pods: {broken[0].problem}",
                advice="mend the node's network; `ipamctl status` names each ENI with its problem",
            )
        if by := self.terms.disabled_by:
            return NodeDisabledError(
                f"the node has no addresses for Pods: it is disabled by {by}",
                advice="schedule the Pod elsewhere, or enable the node there",
            )
        if pool.room(facts) <= 0:
            return _node_is_full(facts.limits, len(pool.stuck(shared_ledger, now)))
        failures = self.refusals()
        lasting = all(not isinstance(e, CloudError) or e.kind.policy.retry_after for e in failures)
        return failures[0] if failures and lasting else None

    def problems(self) -> list[str]:
        """Return the obstacle as a sentence, if there is one and it is not that all addresses serve Pods."""
        obstacle = self.obstacle()
        return [str(obstacle)] if obstacle and not isinstance(obstacle, _MEANT) else []

    def entries(self) -> list[NodeProblem]:
        """Return the obstacle, if there is one; else what the cloud refuses, which will become one."""
        obstacle = self.obstacle()
        if isinstance(obstacle, NodeFullError):
            return [_problem(NodeReason.NODE_FULL, str(obstacle), Weight.FACT)]
        if isinstance(obstacle, NodeDisabledError):
            return [_problem(NodeReason.NODE_DISABLED, str(obstacle), Weight.FACT)]
        if obstacle is not None:
            return [_problem(failures.node_reason(obstacle), str(obstacle), Weight.HARM)]
        refused = (e for e in self.refusals() if isinstance(e, CloudError))
        return [
            _problem(failures.node_reason(e), f"the node gets no more addresses: {e}", Weight.WARNING)
            for e in refused
            if e.kind.policy.needs_operator or e.kind.policy.is_shortage
        ]

    def notices(self) -> list[str]:
        """Return what to know: that the pool is frozen; that the node is full, a fact and no problem."""
        obstacle = self.obstacle()
        full = [str(obstacle)] if isinstance(obstacle, _MEANT) else []
        return [*self._freeze.notices(), *full]

    def dry(self) -> list[str]:
        """Return one sentence while no Pod runs here and there should be an address for one and is none.

        What cools or is held becomes free by itself; what waits for its EIP to be unbound perhaps never.
        """
        shared_ledger = self._shared_ledger.current.shared
        if shared_ledger.available or shared_ledger.in_state(Assigned, Occupied, Cooling, Held):
            return []
        if pool.wanted(self._facts()) <= 0:
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
        if pool.room(self._facts()) > 0:
            return "the cloud has not been asked for more addresses yet"
        shared_ledger = self._shared_ledger.current.shared
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
        return sorted(self._failures.errors().values(), key=lambda e: not isinstance(e, CloudError))

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
        self._failures.keep_only({_CREATION, *self._enis.enis, *self._actions.subnet_ids})
        self._returns.keep_only(set(self._enis.enis))
        if not self._enis.are_known:
            # Whoever does not know what the node has would order it once more.
            if not self._failures.is_closed(_CREATION):
                self._begin(_CREATION, 0, self._actions.look)
            return
        actions = pool.plan(self._facts(), self._shared_ledger.now())
        if self._freeze.since is not None:
            # Holds may end for Pods that wait: that is the node's own, and asks nothing of the cloud.
            actions = [action for action in actions if isinstance(action, pool.ShortenHolds)]
        else:
            self._give_back_retired()
        for action in actions:
            match action:
                case pool.AssignIps():
                    self._begin(action.eni_id, action.count, partial(self._actions.assign, action))
                case pool.CreateEni():
                    refused = frozenset(filter(self._failures.is_closed, self._actions.subnet_ids))
                    create = partial(self._create, action, self._closed_subnets() | refused)
                    self._begin(_CREATION, action.count, create)
                case pool.ShortenHolds():
                    log.info("Pods wait for an address: %s are held no longer", ", ".join(action.ips))
                    self._shorten_holds(action)
                case pool.UnassignIps():
                    self._last_release = self._shared_ledger.now()
                    self._retire(action.ips)
                    self._give_back_retired()

    def _facts(self) -> pool.PoolFacts:
        shared_ledger = self._shared_ledger.current.shared
        terms = self.terms
        with self._guard:
            arriving, waiting = dict(self._arriving), self._waiting
        known = Counter(address.eni_id for address in shared_ledger.addresses.values())
        return pool.PoolFacts(
            ledger=shared_ledger,
            enis=tuple(self._room(known[eni.eni_id], eni, arriving) for eni in self._enis.enis.values()),
            limits=terms.limits,
            targets=terms.targets,
            waiting=waiting,
            arriving=sum(arriving.values()),
            creating=_CREATION in arriving,
            closed_subnets=self._closed_subnets(),
            may_create=not self._failures.is_closed(_CREATION),
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
            refused=self._failures.is_closed(eni_id),
            keeps=self._returns.is_closed(eni_id),
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
        error = self._failures.error(subject)
        full = isinstance(error, CloudError) and error.kind is CloudErrorKind.SUBNET_FULL
        return full and self._failures.is_closed(subject)

    def _create(self, action: pool.CreateEni, closed: frozenset[str]) -> None:
        self._failures.succeeded(self._actions.create(action, closed))

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
        for address in self._shared_ledger.current.shared.in_state(Unassigning):
            if not self._returns.is_closed(address.eni_id):
                retired[address.eni_id] = (*retired.get(address.eni_id, ()), address.ip)
        for eni_id, ips in retired.items():
            self._begin(eni_id, 0, partial(self._actions.unassign, eni_id, ips), self._returns)

    def _begin(
        self, subject: str, count: int, action: Callable[[], None], failures: FailureCache | None = None
    ) -> None:
        """Hand an action to a worker, unless one for the same subject is under way.

        Its failure closes the subject in `failures`, as a rule for what the pool grows by.
        """
        with self._guard:
            if subject in self._arriving:
                return
            self._arriving[subject] = count
        self._jobs.submit(partial(self._carry_out, subject, action, failures or self._failures))

    def _carry_out(self, subject: str, action: Callable[[], None], failures: FailureCache) -> None:
        with logs.about(eni="" if subject == _CREATION else subject):
            self._attempt(subject, action, failures)

    def _attempt(self, subject: str, action: Callable[[], None], failures: FailureCache) -> None:
        try:
            action()
            failures.succeeded(subject)
        except SubnetRefusedError as e:
            # The next round creates the ENI in another subnet, if there is one.
            pause = self._failures.failed(e.subnet_id, e.cause)
            log.warning("pool, new ENI in %s: %s (there again in %.0f s)", e.subnet_id, e, pause)
        except IpamError as e:
            pause = failures.failed(subject, e)
            log.warning("pool, %s: %s (again in %.0f s)", subject, e, pause)
        except Exception as e:  # a worker must give its subject back
            log.exception("pool, %s: a defect", subject)
            note_defect()
            failures.failed(subject, IpamError(f"a defect of the agent: {type(e).__name__}"))
        finally:
            with self._guard:
                del self._arriving[subject]
            self._shared_ledger.wake()
            self.trigger()


_MEANT = (NodeFullError, NodeDisabledError)
"""What is as it should be, though no Pod gets an address."""


def _problem(reason: NodeReason, message: str, weight: Weight) -> NodeProblem:
    return NodeProblem(reason=reason.value, message=message, weight=weight)


def _node_is_full(limits: model.EniLimits, stuck: int) -> IpamError:
    full = (
        f"the node is full: all {capacity.pod_ips(limits)} addresses for Pods are taken "
        f"({limits.enis} ENIs with {limits.ips_per_eni} addresses each, less the node's own)"
    )
    if stuck:
        return TryAgainError(
            f"{full}; {stuck} of them wait for longer than {pool.UNBIND_SECONDS:.0f} s until their EIPs are "
            "unbound",
            advice="`ipamctl eips` names them, and the agent's log why the cloud does not unbind their EIPs",
        )
    return NodeFullError(
        full, advice=f"let Pods request {capacity.ENI_IP_RESOURCE}, so that the scheduler counts them"
    )
