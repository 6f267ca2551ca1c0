"""When EIPs are looked at, in a time that passes by waiting alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.cloud.poll_plan import PollPace, PollPlan, PollWait
from ipamd.core.timing.expected_duration import UNKNOWN, ExpectedDuration

BIND = "AssociateAddress"

pace = PollPace()
times = st.floats(0, 1000)


@given(last=times, due=st.lists(times, min_size=1, max_size=5))
def test_polls_keep_their_distance_and_never_stay_away_long(last, due):
    poll = pace.next_poll(last, due)
    assert poll >= last + pace.shortest
    assert min(due) <= poll <= max(min(due) + pace.gather, last + pace.shortest)


def test_waits_that_are_due_together_share_a_poll():
    assert pace.next_poll(0.0, [100.0, 100.01, 101.0]) == 100.01


def test_an_old_wait_is_asked_for_more_and_more_seldom():
    pauses = [pace.pause(age, ExpectedDuration()) for age in (0.1, 1.0, 4.0, 60.0)]
    assert pauses == pytest.approx([0.05, 0.2, 0.8, 2.0])


@pytest.mark.parametrize(("age", "pause"), [(1.45, 0.05), (1.4999, pace.shortest), (0.5, 0.1), (1.6, 0.32)])
def test_a_look_too_early_is_followed_by_one_when_such_tasks_are_over(age, pause):
    kind = ExpectedDuration()
    kind.observe(1.5, too_early=1.4)
    assert pace.pause(age, kind) == pytest.approx(pause)


@pytest.fixture
def plan():
    return PollPlan(pace)


def begin(plan, now, kind=BIND):
    return PollWait(kind=kind, joined=now, due=now + plan.first_look(kind))


def poll(plan, wait, now):
    """A poll that is answered."""
    plan.polls(now)
    plan.answered(wait)


def binds(plan, seconds, count, *, late=0.0, now=0.0):
    """Wait for binds that take so long, one after the other; return looks and seconds of each."""
    seen = []
    for _ in range(count):
        wait, looks = begin(plan, now), 0
        while now < wait.joined + seconds:
            now = plan.next_poll([wait]) + late
            poll(plan, wait, now)
            looks += 1
        plan.ended(wait)
        seen.append((looks, now - wait.joined))
        now += 10
    return seen


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.9, 1.5, 3.0])
def test_the_first_bind_of_all_is_seen_no_more_than_a_fifth_of_its_time_late(plan, seconds):
    ((_, waited),) = binds(plan, seconds, 1)
    assert waited <= max(UNKNOWN, 1.2 * seconds, seconds + pace.step)


@pytest.mark.parametrize("seconds", [0.15, 1.5, 4.5])
def test_of_binds_that_take_the_same_time_none_is_seen_much_later_than_it_is_over(plan, seconds):
    learnt = binds(plan, seconds, 60)[20:]
    assert max(waited for _, waited in learnt) <= seconds + pace.shortest + 0.05 * seconds


@pytest.mark.parametrize("seconds", [0.15, 1.5, 4.5])
def test_after_a_few_binds_most_need_one_look_that_comes_in_time(plan, seconds):
    learnt = binds(plan, seconds, 60)[20:]
    assert sum(looks for looks, _ in learnt) <= 1.5 * len(learnt)
    assert sorted(waited for _, waited in learnt)[len(learnt) // 2] <= 1.25 * seconds


def test_polls_that_come_late_do_not_make_those_of_the_next_waits_later(plan):
    binds(plan, 0.05, 30, late=5.0)
    assert plan.first_look(BIND) <= UNKNOWN


def test_what_a_wait_of_another_kind_or_of_none_took_says_nothing(plan):
    binds(plan, 3.0, 5)
    nameless = begin(plan, 1000.0, kind="")
    poll(plan, nameless, 1007.0)
    plan.ended(nameless)
    assert plan.first_look(BIND) == pytest.approx(3.0, rel=0.2)
    assert plan.first_look("") == plan.first_look("DisassociateAddress") == UNKNOWN


def test_a_poll_for_somebody_else_is_no_look_that_came_too_early(plan):
    plan.ended(wait := PollWait(kind=BIND, joined=0.0, due=1.0, waited=1.0, looks=1))
    before = plan.first_look(BIND)
    wait = begin(plan, 10.0)
    poll(plan, wait, 10.1)
    assert (wait.looks, wait.due) == (0, 10.0 + before)


def test_a_poll_that_was_not_answered_has_shown_nothing_and_is_repeated(plan):
    binds(plan, 0.15, 20)
    before = plan.first_look(BIND)
    for number in range(20):
        wait = begin(plan, 1000.0 + 100.0 * number)
        due = wait.due
        plan.polls(due)
        assert plan.next_poll([wait]) == due + pace.shortest
        poll(plan, wait, due + 4.0)
        plan.ended(wait)

    assert plan.first_look(BIND) <= before


def test_after_a_slow_hour_of_the_cloud_nobody_waits_for_a_look_as_long_as_that(plan):
    binds(plan, 120.0, 20)

    quick = binds(plan, 0.15, 60, now=10_000.0)

    assert max(waited for _, waited in quick) <= pace.patience
    assert quick[-1][1] <= 0.2
