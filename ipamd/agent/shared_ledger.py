"""The node's ledger as the agent shares it: one lock around every change and its commit.

Readers take `current`, an immutable snapshot, without a lock. Writers hand `apply` a pure operation; it runs
on the newest ledger, is committed to disk and then becomes visible (about 0.3 ms). The lock is never held
across a cloud, netlink or Kubernetes call: an operation computes, nothing else.

A disk may refuse to be written, for example because it is full. What promises something (an address to a Pod,
an EIP to be bound) then fails and changes nothing. What only takes in what has happened (a Pod is off the
network, the cloud lists something) has no way back, so it becomes visible all the same and is written as soon
as that can be: always before, or together with, the next promise. A process that ends before that finds the
older state at its start, and what the kernel and the cloud show leads from there to the same again: an owner
without a link whose Pod is gone is swept.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator

from ipamd import boot
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.ledger.states import Address, Unbinding
from ipamd.core.timing.boottime import Boottime
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.metric import Metric, gauge, gauges
from ipamd.store.database import Database, StoreError

log = logging.getLogger(__name__)


class SharedLedger:
    """Who owns which address, in memory and on disk.

    Invariant: `current` is what the store holds, with the changes in `_unwritten` on top.
    Thread safety: any thread may call any method; listeners run on the thread that made the change and must
    not block.
    """

    def __init__(
        self, database: Database, ledger: Ledger, *, clock: Callable[[], Boottime] = boot.clock
    ) -> None:
        """Take the open store, what was loaded from it, and the clock of the ledger's times."""
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._changed = threading.Condition()
        self._unwritten: tuple[Transition, ...] = ()
        self._refusal = ""
        self._listeners: list[Callable[[], None]] = []
        self._followers: list[Callable[[Transition], None]] = []

    @property
    def current(self) -> Ledger:
        """The newest ledger, an immutable value."""
        return self._ledger

    def now(self) -> Boottime:
        """Return the time that operations are to be given."""
        return self._clock()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each change; to be used before other threads start."""
        self._listeners.append(listener)

    def on_transition(self, follower: Callable[[Transition], None]) -> None:
        """Have `follower` called after each change with what it was; to be used as `on_change`."""
        self._followers.append(follower)

    def apply(self, operation: Callable[[Ledger], Transition]) -> Transition:
        """Run the operation, commit what it changed, make it visible; return its transition.

        Raises: whatever the operation raises, and StoreError; the ledger is then unchanged.
        """
        return self._run(operation, self._commit)

    def note(self, operation: Callable[[Ledger], Transition]) -> Transition:
        """Do the same for what has happened already: if the disk refuses, it is written later.

        Raises: whatever the operation raises.
        """
        return self._run(operation, self._commit_or_keep)

    def write(self) -> None:
        """Write what a disk has refused before, if it takes it now."""
        with self._changed:
            if self._unwritten:
                self._commit_or_keep()

    def unwritten(self) -> list[str]:
        """Return one sentence when the disk does not take what happens; empty otherwise."""
        with self._changed:
            return [self._refusal] if self._unwritten else []

    def metrics(self) -> Iterator[Metric]:
        """Yield how many addresses and EIPs there are, by what becomes of them."""
        yield gauge(
            "tke_eni_store_unwritten",
            "1 while the disk does not take what happens, which is then in memory only.",
            int(bool(self.unwritten())),
        )
        addresses = self._ledger.addresses.values()
        states = Counter(_state(address) for address in addresses)
        yield gauges(
            "tke_eni_addresses",
            "Secondary addresses of the node's ENIs by state.",
            "state",
            {state: states[state] for state in ("warm", *sorted(set(states) - {"warm"}))},
        )
        stages = Counter(filter(None, map(_stage, addresses)))
        yield gauges(
            "tke_eni_eips", "EIPs at addresses of the node by stage.", "stage", dict(sorted(stages.items()))
        )

    def _run(
        self, operation: Callable[[Ledger], Transition], commit: Callable[[Transition], None]
    ) -> Transition:
        with self._changed:
            transition = operation(self._ledger)
            if not transition:
                return transition
            commit(transition)
            self._ledger = transition.ledger
            self._changed.notify_all()
        for listener in self._listeners:
            listener()
        for follower in self._followers:
            follower(transition)
        return transition

    def _commit(self, *transitions: Transition) -> None:
        self._database.commit(*self._unwritten, *transitions)
        if self._unwritten:
            log.info("the store takes changes again: %d are written", len(self._unwritten))
            self._unwritten = ()

    def _commit_or_keep(self, *transitions: Transition) -> None:
        try:
            self._commit(*transitions)
        except StoreError as e:
            if not self._unwritten:
                log.error("%s; what happens is kept in memory until it can be written", e)  # noqa: TRY400
            self._unwritten = (*self._unwritten, *transitions)
            self._refusal = str(e)

    def wait(self, condition: Callable[[Ledger], bool], deadline: Deadline) -> bool:
        """Wait until the condition holds for the ledger; return whether it does.

        The condition is looked at after each change and each `wake`; it must be quick.
        """
        with self._changed:
            return self._changed.wait_for(lambda: condition(self._ledger), deadline.remaining())

    def is_free(self, seconds: float) -> bool:
        """Return whether the lock could be had within the time; who holds it for longer is stuck."""
        if not self._changed.acquire(timeout=seconds):
            return False
        self._changed.release()
        return True

    def wake(self) -> None:
        """Have all waiters look again: something besides the ledger has changed."""
        with self._changed:
            self._changed.notify_all()


def _state(address: Address) -> str:
    return "quarantined" if address.quarantined else type(address.state).__name__.lower()


def _stage(address: Address) -> str:
    if address.eip is None:
        return ""
    return "unbinding" if isinstance(address.state, Unbinding) else address.eip.stage.value
