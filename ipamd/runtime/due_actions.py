"""Has done what is due, again and again: a plan says what that is, workers do it, one action for a subject.

A thread asks the plan after every change, and hands its actions to a few workers. What fails comes again
after a pause. Another kind of action does not wait for that: an EIP that a node cannot bind is unbound at
once when its Pod goes. Nothing is remembered of a failure but the last error. What succeeds and is due as
before, because a watch is behind, waits as well.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.runtime import chance
from ipamd.runtime.defects import Survive
from ipamd.runtime.expectations import Expectations
from ipamd.runtime.failure_cache import FailureCache
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.task import note_defect
from ipamd.runtime.workers import OF_JOBS, JobQueue, Workers, do_job

log = logging.getLogger(__name__)

A = TypeVar("A")

_GATHER = 0.01
"""Seconds in which changes are gathered before they are looked at."""
_TICK = 10.0
"""Seconds after which everything is compared even if nothing has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Generic[A]):
    """What is done and told about one kind of actions."""

    due: Callable[[], Sequence[A] | None]
    """Returns the actions; None while nothing can be said."""
    subject_of: Callable[[A], str]
    """Of what no two actions run at once."""
    name_of: Callable[[A], str]
    """What the log calls that."""
    execute: Callable[[A], None]
    """Raises: IpamError."""
    failed: Callable[[A, IpamError], None]
    """Told of every failure but those that only say to try again."""
    ended: Callable[[], None]
    """Told after each action."""
    about: Callable[[A], AbstractContextManager[None]]
    """Surrounds an action, for the log."""


class DueActions(Generic[A]):
    """The actions of one kind.

    Invariant: at most one action for a subject is under way; `_under_way` names their subjects and is touched
    under `_guard` only. Thread safety: any thread may call any public method.
    """

    def __init__(
        self, name: str, label: str, work: Work[A], *, workers: int, clock: Callable[[], float]
    ) -> None:
        """Take what the threads are called, and what the log says instead of "action"."""
        self._label = label
        self._work = work
        self._guard = threading.Lock()
        self._under_way: set[str] = set()
        self._failures = FailureCache(clock=clock, random=chance.fraction)
        self._expectations = Expectations(clock=clock, random=chance.fraction)
        self._jobs = JobQueue()
        self._workers = Workers(f"{name}-worker", workers, self._jobs, do_job, policy=OF_JOBS)
        # The ADD that changed the ledger has wiring to do, and needs the interpreter more.
        self._loop = Loop(
            name, self._round, policy=Survive(), pace=LoopPace(period=_TICK, first=None, gather=_GATHER)
        )

    def start(self) -> None:
        """Begin to compare and act."""
        self._workers.start()
        self._loop.start()

    def stop(self, timeout: float) -> bool:
        """End; actions under way are waited for, and resumed by the next start if they take longer.

        Return whether they have ended.
        """
        self._loop.stop(None)
        return self._workers.stop(timeout)

    def trigger(self) -> None:
        """Have the plan asked soon, together with what else changes."""
        self._loop.trigger()

    def hurry(self) -> None:
        """Have the plan asked now: an ADD waits for what has changed."""
        self._loop.hurry()

    def relieve(self, kind: CloudErrorKind) -> None:
        """Try again at once what failed for this reason: something has just lifted it."""
        self._failures.relieve(kind)

    def error(self, subject: str) -> IpamError | None:
        """Return why the last action for a subject failed, None after a success."""
        return self._failures.error(subject)

    def errors(self) -> Mapping[str, IpamError]:
        """Return the last failures by subject."""
        return self._failures.errors()

    def told(self) -> Mapping[str, str]:
        """Return the same for people: what to do is in it, and when it is tried again."""
        return self._failures.told()

    def _round(self) -> None:
        actions = self._work.due()
        if actions is None:
            return
        subjects = {self._work.subject_of(action) for action in actions}
        self._failures.keep_only(subjects)
        self._expectations.keep_only(subjects)
        for action in actions:
            self._begin(action)

    def _begin(self, action: A) -> None:
        subject = self._work.subject_of(action)
        with self._guard:
            if subject in self._under_way or self._failures.is_closed(subject, _kind_of(action)):
                return
            if self._expectations.is_early(subject, action):
                return
            self._under_way.add(subject)
        self._jobs.submit(partial(self._carry_out, subject, action))

    def _carry_out(self, subject: str, action: A) -> None:
        with self._work.about(action):
            self._attempt(subject, action)

    def _attempt(self, subject: str, action: A) -> None:
        try:
            self._work.execute(action)
            self._failures.succeeded(subject)
            self._expectations.done(subject, action)
        except TryAgainError as e:
            log.info("%s of %s: %s", self._label, self._work.name_of(action), e)
            self._failures.failed(subject, e, _kind_of(action))
        except IpamError as e:
            pause = self._failures.failed(subject, e, _kind_of(action))
            name = self._work.name_of(action)
            log.warning("%s of %s: %s (again in %.0f s)", self._label, name, e, pause)
            self._work.failed(action, e)
        except Exception as e:  # a worker must give its subject back
            log.exception("%s of %s: a defect", self._label, self._work.name_of(action))
            note_defect()
            defect = IpamError(f"a defect of the agent: {type(e).__name__}: {e}")
            self._failures.failed(subject, defect, _kind_of(action))
        finally:
            with self._guard:
                self._under_way.discard(subject)
            self._work.ended()
            self.trigger()


def _kind_of(action: object) -> str:
    return type(action).__name__
