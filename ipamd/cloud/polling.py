"""The one poller that waits for EIPs on behalf of every thread of the process.

An EIP write is accepted at once and takes effect seconds later, and DescribeAddresses allows 20 calls a
second to a whole account. So nobody polls on their own: the ids that anybody waits for are put into one call
(up to 100), when a write of its kind is probably over (`poll_plan`); and there is none while nobody waits.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol, Self

from ipamd.cloud import paging
from ipamd.cloud.poll_plan import PollPace, PollPlan, PollWait
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime import chance
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task

log = logging.getLogger(__name__)

_CALL_SECONDS = 15.0
_SHARING = 0.03
"""Seconds for which a look that no Pod waits for waits for others that it can be shared with."""


class EipLister(Protocol):
    """What lists EIPs: `TencentCloud`."""

    def describe_eips(
        self, *, eip_ids: Sequence[str] | None = None, deadline: Deadline | None = None
    ) -> list[model.Eip]:
        """Return those of the EIPs that exist."""


class _Waiter(PollWait):
    """One thread's wait. Invariant: `answer` is from a poll that began after the waiter joined."""

    __slots__ = ("answer", "answered", "eip_id")

    def __init__(self, eip_id: str, kind: str, joined: float, due: float) -> None:
        super().__init__(kind, joined, due)
        self.eip_id = eip_id
        self.answered = False
        self.answer: model.Eip | CloudError | None = None


class EipWatch:
    """Waits for EIPs; owns one thread, from the first wait until `close`.

    Invariant: a call is made only while somebody waits, and asks only for what is waited for.
    Thread safety: `wait_until` is for any number of threads; `close` for one.
    """

    def __init__(
        self,
        cloud: EipLister,
        *,
        pace: PollPace | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take whom to ask; starts nothing yet."""
        self._cloud = cloud
        self._plan = PollPlan(pace or PollPace())
        self._backoff = backoff or Backoff(first=0.5, longest=10.0)
        self._clock = clock
        self._changed = threading.Condition()
        self._waiters: set[_Waiter] = set()
        self._task: Task | None = None
        self._closed = False
        self._not_before = float("-inf")
        self._failures = 0

    def wait_until(
        self,
        eip_id: str,
        predicate: Callable[[model.Eip | None], bool],
        deadline: Deadline,
        *,
        kind: str = "",
        hurried: bool = True,
    ) -> model.Eip | None:
        """Return the EIP once `predicate` holds for it; the predicate gets None while it does not exist.

        Waits of one `kind` take about as long: it is the action whose effect is waited for, and nothing is
        learnt without one. Unless it is `hurried`, its first look waits for others to share it. The predicate
        is called in the caller's thread. Raises TryAgainError when the deadline comes first or the watch is
        closed, and CloudError (PERMISSION, CREDENTIALS, INVALID) when asking is in vain.
        """
        with self._changed:
            expected = self._plan.first_look(kind)
            waiter = self._join(eip_id, kind, deadline, expected if hurried else max(expected, _SHARING))
        return self._await(waiter, predicate, deadline)

    def look(self, eip_id: str, deadline: Deadline) -> model.Eip | None:
        """Return the EIP as it is in a moment, by a look that others share; None if it does not exist.

        Raises: as `wait_until`.
        """
        return self._await(self._join(eip_id, "", deadline, _SHARING), lambda _: True, deadline)

    def _await(
        self, waiter: _Waiter, predicate: Callable[[model.Eip | None], bool], deadline: Deadline
    ) -> model.Eip | None:
        try:
            while True:
                self._await_answer(waiter, deadline)
                answer = waiter.answer
                if isinstance(answer, CloudError):
                    raise answer.restated(answer.detail)  # others may raise the same answer
                if predicate(answer):
                    with self._changed:
                        self._plan.ended(waiter)
                    return answer
        finally:
            with self._changed:
                self._waiters.discard(waiter)

    def rest(self, seconds: float) -> None:
        """Wait so long. Raises TryAgainError when the watch is closed."""
        with self._changed:
            if self._changed.wait_for(lambda: self._closed, timeout=seconds):
                raise TryAgainError("a wait ended: the process is stopping")

    def close(self) -> None:
        """End every wait and the thread; return when it has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            task = self._task
        if task is not None:
            task.join(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _join(self, eip_id: str, kind: str, deadline: Deadline, pause: float) -> _Waiter:
        with self._changed:
            now = self._clock()
            # Who has little time gets an answer as well.
            waiter = _Waiter(eip_id, kind, now, now + min(pause, deadline.remaining() / 2))
            self._waiters.add(waiter)
            if self._task is None and not self._closed:
                task = Task("eip-watch", self._work, policy=Survive(backoff=self._backoff))
                task.start()  # if the node has no room for a thread, the next wait tries again
                self._task = task
            self._changed.notify_all()
            return waiter

    def _await_answer(self, waiter: _Waiter, deadline: Deadline) -> None:
        """Wait for the next answer and take it."""
        with self._changed:
            answered = self._changed.wait_for(
                lambda: waiter.answered or self._closed, timeout=deadline.remaining()
            )
            if self._closed:
                raise TryAgainError(f"the wait for {waiter.eip_id} ended: the process is stopping")
            if not answered:
                raise TryAgainError(f"{waiter.eip_id} is {_shown(waiter)} when the time is over")
            waiter.answered = False

    def _work(self) -> bool:
        """Poll once, when it is time; False at the end."""
        batch = self._next_batch()
        if batch is None:
            return False
        for ids in paging.by_hundreds([waiter.eip_id for waiter in batch]):
            self._poll(ids, batch)
        return True

    def _next_batch(self) -> list[_Waiter] | None:
        """Sleep until a poll is due; return whom it is for, or None at the end."""
        with self._changed:
            while not self._closed:
                pause = self._seconds_to_poll()
                if pause is not None and pause <= 0:
                    self._plan.polls(self._clock())
                    return list(self._waiters)
                self._changed.wait(pause)
            return None

    def _seconds_to_poll(self) -> float | None:
        """Return how long to sleep; None for as long as nobody waits."""
        if not self._waiters:
            return None
        return max(self._plan.next_poll(self._waiters), self._not_before) - self._clock()

    def _poll(self, ids: Collection[str], batch: Iterable[_Waiter]) -> None:
        """Ask for these ids and hand the answers to those who wait for them."""
        try:
            found = self._cloud.describe_eips(
                eip_ids=list(ids), deadline=Deadline.after(_CALL_SECONDS, self._clock)
            )
        except CloudError as error:
            self._failed(ids, batch, error)
            return
        self._failures = 0
        by_id = {eip.eip_id: eip for eip in found}
        self._hand_out(batch, {eip_id: by_id.get(eip_id) for eip_id in ids})

    def _failed(self, ids: Collection[str], batch: Iterable[_Waiter], error: CloudError) -> None:
        if error.kind is CloudErrorKind.INVALID and len(ids) > 1:
            # One malformed id fails the call for all of them: part them, so that only its owner hears of it.
            listed = sorted(ids)
            half = len(listed) // 2
            self._poll(listed[:half], batch)
            self._poll(listed[half:], batch)
        elif error.kind.policy.needs_operator:
            self._hand_out(batch, dict.fromkeys(ids, error))
        else:
            self._failures += 1
            pause = self._backoff.delay(self._failures, chance.fraction)
            self._not_before = self._clock() + pause
            log.warning("EIPs could not be listed, next try in %.1f s: %s", pause, error)

    def _hand_out(
        self, batch: Iterable[_Waiter], answers: dict[str, model.Eip | None] | dict[str, CloudError]
    ) -> None:
        with self._changed:
            for waiter in batch:
                if waiter.eip_id in answers:
                    waiter.answer = answers[waiter.eip_id]
                    waiter.answered = True
                    self._plan.answered(waiter)
            self._changed.notify_all()


def _shown(waiter: _Waiter) -> str:
    """Return in words what the waiter saw last."""
    answer = waiter.answer
    if isinstance(answer, model.Eip):
        return f"still {answer.status.value}"
    return "not listed by the cloud, or was not asked for"
