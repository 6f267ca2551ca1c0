"""The same work again and again: each period, when it says so itself, and soon after a trigger.

Triggers that come in a burst are one occasion; two passes are `pause` seconds apart, so whatever a pass costs
is bounded. An expected failure (`IpamError`) is told once as long as it stays the same, and the next pass
comes after a growing delay, whatever triggers meanwhile: it does not mend what failed. A defect goes by the
policy of the loop (`ipamd.runtime.defects`).
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ipamd.core.errors import IpamError
from ipamd.core.text.sameness import essence
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime import chance
from ipamd.runtime.clock import SYSTEM, Clock
from ipamd.runtime.defects import Policy
from ipamd.runtime.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopPace:
    """When the passes come; in seconds."""

    period: float
    """Until the next pass, unless the last one said something else."""
    spread: float = 0.0
    """Part of a period that is left to chance: nodes that were started at one moment drift apart."""
    first: float | None = 0.0
    """Until the first pass; None: a period."""
    gather: float = 0.0
    """In which a trigger is waited with for others: they have more to do, or need the interpreter more."""
    pause: float = 0.0
    """Between the end of a pass and the next one at least."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, longest=60.0))
    """After expected failures."""


class Loop:
    """One thread that makes passes.

    Invariant: at most one pass runs, none begins after `stop`, and each trigger is followed by the beginning
    of one. `_begun` and `_ended` count passes; `_ended` is never the larger one.
    Thread safety: any thread may call any method.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], float | None],
        *,
        policy: Policy,
        pace: LoopPace,
        no_news: tuple[type[IpamError], ...] = (),
        clock: Clock = SYSTEM,
    ) -> None:
        """Take what a pass does; it returns the seconds until the next one, None for a period.

        Failures of the kinds `no_news` are nothing to tell.
        """
        self._name = name
        self._work = work
        self._pace = pace
        self._no_news = no_news
        self._clock = clock
        self._triggered = threading.Event()
        self._hurried = threading.Event()
        self._progress = threading.Condition()
        self._begun = 0
        self._ended = 0
        self._failures = 0
        self._told = ""
        self._wait = self._a_period() if pace.first is None else pace.first
        self._rest = 0.0  # the part of it that no trigger shortens
        self._task = Task(name, self._take_turn, policy=policy, clock=clock)

    def start(self) -> None:
        """Begin."""
        self._task.start()

    def trigger(self) -> None:
        """Have a pass made that begins soon, after the one that is being made."""
        self._triggered.set()

    def hurry(self) -> None:
        """Have the same pass made without waiting for more triggers: somebody waits for what has come."""
        self._hurried.set()
        self._triggered.set()

    def stop(self, timeout: float | None) -> bool:
        """Let the pass end that is being made, for so many seconds; return whether it has."""
        self._task.stopping.set()
        self.hurry()
        return self._task.join(timeout)

    @property
    def passes(self) -> int:
        """How many have ended."""
        return self._ended

    def wait_for_next(self, deadline: Deadline) -> bool:
        """Have a pass made that begins now or later; return whether it ended in time."""
        with self._progress:
            wanted = self._begun + 1
            self._triggered.set()
            return self._progress.wait_for(lambda: self._ended >= wanted, deadline.remaining())

    def _take_turn(self) -> bool:
        stopping = self._task.stopping
        if self._rest > 0 and self._clock.wait(stopping, self._rest):
            return False
        if self._clock.wait(self._triggered, max(0.0, self._wait - self._rest)) and self._pace.gather:
            self._clock.wait(self._hurried, self._pace.gather)
        if stopping.is_set():
            return False
        with self._progress:
            # Together, so that nobody's wish falls between a pass that began and its count.
            self._triggered.clear()
            self._hurried.clear()
            self._begun += 1
        self._wait = self._rest = 0.0  # should it end by a defect, after which the task has waited
        try:
            self._pass()
        finally:
            with self._progress:
                self._ended = self._begun
                self._progress.notify_all()
        return True

    def _pass(self) -> None:
        try:
            wanted = self._work()
        except IpamError as e:
            self._failures += 1
            self._wait = self._rest = self._pace.backoff.delay(self._failures, chance.fraction)
            self._tell(e)
        else:
            self._failures, self._told = 0, ""
            self._rest = self._pace.pause
            self._wait = max(self._pace.pause, self._a_period() if wanted is None else wanted)

    def _a_period(self) -> float:
        return self._pace.period * (1 - self._pace.spread * chance.fraction())

    def _tell(self, error: IpamError) -> None:
        """Say it once, as long as it is the same: a missing permission stays for days."""
        same = essence(str(error))
        known = same == self._told or isinstance(error, self._no_news)
        self._told = same
        level = logging.DEBUG if known else logging.WARNING
        log.log(level, "%s: %s; again in %.1f s", self._name, error, self._wait)
