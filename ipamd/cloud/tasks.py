"""The end of asynchronous writes.

ENI and address writes of the VPC are followed by DescribeVpcTaskResult with the RequestId of the write; EIP
writes by DescribeTaskResult with the TaskId of their answer, which is text there and a number in the
question, and may be missing (API pages of both). A task is only a hint: what counts is the object, which
`settle` looks at. A task that the cloud does not know (forgotten, or the write was answered from its
ClientToken) is no failure.
"""

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from ipamd.cloud import fields
from ipamd.cloud.session import Calls, Reply, Session
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.cloud_errors.policy import Repeat
from ipamd.core.timing.deadline import Deadline

_Settled = TypeVar("_Settled")

_ABSENT_SECONDS = 15.0
"""Listings of ENIs are a few seconds behind at most, as far as anybody has seen."""


class TaskState(Enum):
    """How far a task is; UNKNOWN when the cloud does not say, or does not know the task."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    RUNNING = "RUNNING"
    UNKNOWN = "UNKNOWN"


class VanishedError(Exception):
    """What a write was to make is there no more: waiting for it is in vain. The text is about the object."""


class Disappearance:
    """For how long an object of the cloud has not been listed, as its looks tell one after the other.

    Not seen once says nothing: a listing may be some seconds behind. Not thread-safe.
    """

    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        """Take the object in words, and the clock of the looks, in seconds."""
        self._what = what
        self._clock = clock
        self._since: float | None = None

    def note(self, *, listed: bool) -> None:
        """Take in a look. Raises: VanishedError when it is too long ago that the object was listed."""
        now = self._clock()
        self._since = None if listed else now if self._since is None else self._since
        if self._since is not None and now - self._since >= _ABSENT_SECONDS:
            msg = f"{self._what} has not been listed for {now - self._since:.0f} s: somebody has deleted it"
            raise VanishedError(msg)


class TaskCalls(Calls):
    """Reads of tasks. Thread safety: as the session."""

    def describe_eip_task(self, task_id: str, deadline: Deadline | None = None) -> TaskState:
        """Return the state of an EIP write's task; UNKNOWN for a task id that is empty or no number."""
        if not task_id.isascii() or not task_id.isdigit():
            return TaskState.UNKNOWN
        return _state_of(self._session, "DescribeTaskResult", {"TaskId": int(task_id)}, "Result", deadline)

    def describe_vpc_task(self, request_id: str, deadline: Deadline | None = None) -> TaskState:
        """Return the state of the task of an ENI or address write, which its RequestId names."""
        return _vpc_task(self._session, request_id, deadline)


def task_id(reply: Reply) -> str:
    """Return the TaskId of an EIP write's answer as text; "" if it has none."""
    return reply.read(lambda body: str(body["TaskId"]) if isinstance(body.get("TaskId"), str | int) else "")


def settle(
    session: Session, write: Reply, look: Callable[[Deadline], _Settled | None], deadline: Deadline
) -> _Settled:
    """Wait until the task of `write` is over and the object is as `look` wants it; return what `look` gives.

    `look` returns None while the object is not yet so. Raises CloudError of the write: TASK_FAILED when the
    task failed, or `look` raises VanishedError; UNKNOWN_OUTCOME when the deadline came first or the end could
    not be seen, whatever kept us from it.
    """
    state = TaskState.RUNNING
    attempt = 0
    while True:
        attempt += 1
        unseen: CloudError | None = None
        try:
            if state is not TaskState.SUCCESS:
                state = _vpc_task(session, write.request_id, deadline)
            settling = state in (TaskState.SUCCESS, TaskState.UNKNOWN)
            if settling and (settled := look(deadline)) is not None:
                return settled
        except CloudError as error:
            unseen = error
        except VanishedError as error:
            raise cloud_error(
                write.action, "ClientTaskFailed", f"it was accepted, and {error}", write.request_id
            ) from error
        if state is TaskState.FAILED:
            raise cloud_error(
                write.action, "ClientTaskFailed", "it was accepted, and its task failed", write.request_id
            )
        hopeless = unseen is not None and unseen.kind.policy.repeat is Repeat.NONE
        if hopeless or not session.pause(attempt, deadline):
            why = unseen.message if unseen is not None else f"the time is over and its task is {state.value}"
            raise cloud_error(
                write.action,
                "ClientEndUnseen",
                f"it was accepted, its end was not seen: {why}",
                write.request_id,
            ) from unseen


def _vpc_task(session: Session, request_id: str, deadline: Deadline | None) -> TaskState:
    if not request_id:
        return TaskState.UNKNOWN
    return _state_of(session, "DescribeVpcTaskResult", {"TaskId": request_id}, "Status", deadline)


def _state_of(
    session: Session, action: str, params: dict[str, str | int], name: str, deadline: Deadline | None
) -> TaskState:
    try:
        reply = session.call(action, params, deadline=deadline)
    except CloudError as error:
        if error.kind in (CloudErrorKind.NOT_FOUND, CloudErrorKind.INVALID):
            return TaskState.UNKNOWN
        raise
    state = reply.read(lambda body: fields.text(body, name))
    return TaskState[state] if state in TaskState.__members__ else TaskState.UNKNOWN
