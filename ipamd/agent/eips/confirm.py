"""Waits until an accepted EIP write shows its effect, and notices when it never will.

The effect is seen by the shared watch (`EipWatch`), which asks for all EIPs at once. A write that takes
unusually long is asked after by its task: an accepted task may fail, and its EIP then stays as it was. So is
one whose end has to be certain: its task is waited for first, and then what the cloud shows.
Thread safety: any number of threads may wait.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable

from ipamd.cloud.poll_plan import PollPace
from ipamd.cloud.polling import EipWatch
from ipamd.cloud.tasks import TaskState
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.deadline import Deadline
from ipamd.core.timing.expected_duration import ExpectedDuration

_PATIENCE = 5.0
"""Seconds after which a write is asked after; an association takes one to three in the real cloud."""

_UNHURRIED = 1.1
"""Part of its usual time after which a task is asked for that has to be over: few Pods wait for that."""


class EipConfirmation:
    """Waits for effects of EIP writes. Invariant: `_expected`, by action, is touched under `_guard` only."""

    def __init__(
        self,
        cloud: TencentCloud,
        watch: EipWatch,
        *,
        pace: PollPace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take whom to ask about tasks, how often, and the watch of EIPs."""
        self._cloud = cloud
        self._watch = watch
        self._pace = pace or PollPace()
        self._clock = clock
        self._guard = threading.Lock()
        self._expected: defaultdict[str, ExpectedDuration] = defaultdict(ExpectedDuration)

    def wait(
        self,
        eip_id: str,
        done: Callable[[model.Eip | None], bool],
        deadline: Deadline,
        *,
        action: str,
        task_id: str,
        certain: bool = False,
    ) -> model.Eip | None:
        """Return the EIP once `done` holds for it.

        `action` and `task_id` name the write; its task is not known if the id is empty. A list may be older
        than the write, and its task is not: with `certain` the task has to be over first, if it is known.
        Raises: CloudError (TASK_FAILED, and those of the watch); TryAgainError when the time is over or when
        the write was not the one that has to be waited for.
        """
        kind, hurried = action if task_id else "", True
        if certain and task_id:
            self._await_task(eip_id, deadline, action=action, task_id=task_id)
            kind, hurried = f"{action}, its task over", False  # how far lists are behind is learnt by itself
        while True:
            patience = deadline.within(_PATIENCE)
            try:
                return self._watch.wait_until(eip_id, done, patience, kind=kind, hurried=hurried)
            except TryAgainError:
                if deadline.expired or not patience.expired:
                    raise
            state = self._cloud.describe_eip_task(task_id, deadline)
            _check(state, eip_id, action, task_id)
            if state is TaskState.UNKNOWN:
                raise TryAgainError(f"{action} of {eip_id} shows no effect; it is asked for again")

    def look(self, eip_id: str, deadline: Deadline) -> model.Eip | None:
        """Return the EIP as it is a moment from now, None if there is none; several share a call.

        Raises: CloudError, TryAgainError.
        """
        return self._watch.look(eip_id, deadline)

    def _await_task(self, eip_id: str, deadline: Deadline, *, action: str, task_id: str) -> None:
        """Return when the task of a write is over, or is not known to the cloud.

        Raises: CloudError (TASK_FAILED, and those of the call); TryAgainError when the time is over.
        """
        asked, began = 0.0, self._clock()
        with self._guard:
            pause = self._pace.first(self._expected[action]) * _UNHURRIED
        too_early = 0.0
        while True:
            if pause >= deadline.remaining():
                raise TryAgainError(f"{action} of {eip_id}: its task {task_id} is not over in time")
            self._watch.rest(pause)
            asked += pause  # not what the clock says: a busy machine must not make the next ones later
            seen = self._clock() - began
            state = self._cloud.describe_eip_task(task_id, deadline)
            _check(state, eip_id, action, task_id)
            if state is not TaskState.RUNNING:
                break
            too_early = seen
            with self._guard:
                pause = self._pace.pause(asked, self._expected[action])
        if state is TaskState.SUCCESS:
            with self._guard:
                self._expected[action].observe(asked, seen=seen, too_early=too_early)


def _check(state: TaskState, eip_id: str, action: str, task_id: str) -> None:
    """Raise CloudError for a task that failed."""
    if state is TaskState.FAILED:
        detail = f"it was accepted for {eip_id}, and its task {task_id} failed"
        raise cloud_error(action, "ClientTaskFailed", detail)
