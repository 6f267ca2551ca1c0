"""When an EIP write is over: by what the cloud lists, by its task, or by neither."""

from types import SimpleNamespace

import pytest

from ipamd.agent.eips.confirm import EipConfirmation
from ipamd.cloud.tasks import TaskState
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.deadline import Deadline

SHOWN = object()
"""The EIP, as the cloud lists it with the effect."""


@pytest.fixture
def confirm():
    """Wait for a write whose looks and tasks are listed; a look that shows nothing takes its whole time."""

    def run(*, looks, tasks, seconds=60.0, certain=False):
        now, asked = [0.0], []

        def rest(pause):
            now[0] += pause

        def wait_until(_eip_id, _done, patience, *, kind, hurried):
            assert hurried is not certain
            assert kind == ("AssociateAddress, its task over" if certain else "AssociateAddress")
            asked.append("look")
            if looks.pop(0):
                return SHOWN
            now[0] += patience.remaining()
            raise TryAgainError("not yet")

        def task(task_id, _deadline):
            asked.append(task_id)
            return tasks.pop(0)

        confirmation = EipConfirmation(
            SimpleNamespace(describe_eip_task=task),
            SimpleNamespace(wait_until=wait_until, rest=rest),
        )
        deadline = Deadline.after(seconds, lambda: now[0])
        found = confirmation.wait(
            "eip-1", lambda _: True, deadline, action="AssociateAddress", task_id="t", certain=certain
        )
        assert found is SHOWN
        return asked

    return run


def test_an_effect_that_is_shown_is_enough(confirm):
    assert confirm(looks=[True], tasks=[]) == ["look"]


@pytest.mark.parametrize("over", [TaskState.SUCCESS, TaskState.UNKNOWN])
def test_who_has_to_be_certain_waits_for_the_task_and_then_for_what_is_shown(confirm, over):
    tasks = [TaskState.RUNNING, TaskState.RUNNING, over]

    assert confirm(looks=[True], tasks=tasks, certain=True) == ["t", "t", "t", "look"]


def test_a_task_that_is_over_is_a_hint_and_not_believed_without_a_look(confirm):
    asked = confirm(looks=[False, True], tasks=[TaskState.SUCCESS] * 2, certain=True)

    assert asked == ["t", "look", "t", "look"]


def test_a_task_that_does_not_end_is_waited_for_no_longer_than_there_is_time(confirm):
    with pytest.raises(TryAgainError, match="its task t is not over in time"):
        confirm(looks=[], tasks=[TaskState.RUNNING] * 30, certain=True, seconds=10.0)


def test_a_task_that_is_over_before_its_effect_is_shown_is_waited_for(confirm):
    assert confirm(looks=[False, True], tasks=[TaskState.SUCCESS]) == ["look", "t", "look"]
    assert confirm(looks=[False, False, True], tasks=[TaskState.RUNNING] * 2)[-1] == "look"


@pytest.mark.parametrize("certain", [True, False])
def test_a_task_that_failed_is_the_write_s_error(confirm, certain):
    with pytest.raises(CloudError, match="accepted for eip-1, and its task t failed") as caught:
        confirm(looks=[False], tasks=[TaskState.FAILED], certain=certain)
    assert caught.value.kind is CloudErrorKind.TASK_FAILED


def test_a_write_of_which_nothing_is_known_is_asked_for_again(confirm):
    with pytest.raises(TryAgainError, match="AssociateAddress of eip-1 shows no effect"):
        confirm(looks=[False], tasks=[TaskState.UNKNOWN])


def test_the_end_of_the_time_is_the_end_of_the_wait(confirm):
    with pytest.raises(TryAgainError, match="not yet"):
        confirm(looks=[False], tasks=[], seconds=3.0)


def test_after_slow_tasks_the_next_one_is_asked_after_soon():
    now, asked = [0.0], []

    def rest(pause):
        now[0] += pause

    def task(_task_id, _deadline):
        asked.append(now[0])
        return TaskState.SUCCESS if now[0] >= 100.0 else TaskState.RUNNING

    confirmation = EipConfirmation(
        SimpleNamespace(describe_eip_task=task),
        SimpleNamespace(wait_until=lambda *_, **__: SHOWN, rest=rest),
        clock=lambda: now[0],
    )
    for _ in range(20):
        now[0] = 0.0
        asked.clear()
        deadline = Deadline.after(120.0, lambda: now[0])
        confirmation.wait(
            "eip-1", lambda _: True, deadline, action="DisassociateAddress", task_id="t", certain=True
        )

    assert asked[0] <= 6.0
