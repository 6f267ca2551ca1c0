"""What a deadline leaves for each step of a job."""

import pytest

from ipamd.core.timing.deadline import Deadline


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_remaining_time_shrinks_and_is_never_negative():
    clock = Clock()
    deadline = Deadline.after(5, clock)
    assert deadline.remaining() == 5
    clock.now += 4.5
    assert deadline.remaining() == 0.5
    assert not deadline.expired
    clock.now += 1
    assert deadline.remaining() == 0
    assert deadline.expired


@pytest.mark.parametrize(("wish", "given"), [(1.0, 1.0), (3.0, 3.0), (8.0, 3.0)])
def test_a_wait_is_capped_by_what_is_left(wish, given):
    assert Deadline.after(3, Clock()).cap(wish) == given


def test_a_job_that_turns_out_to_be_in_vain_has_no_time_left():
    gone: list[str] = []
    job = Deadline.after(10, Clock()).unless(lambda: bool(gone))
    step = job.within(5)
    assert (job.remaining(), step.remaining(), job.expired) == (10, 5, False)
    gone.append("its Pod")
    assert (job.remaining(), step.remaining(), job.expired, step.expired) == (0, 0, True, True)


def test_a_step_may_end_earlier_than_the_job_and_never_later():
    clock = Clock()
    job = Deadline.after(10, clock)
    assert job.within(2).remaining() == 2
    assert job.within(60).at == job.at
