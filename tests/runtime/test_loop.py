"""Passes come at their period, when they say so, and after a trigger; failures and defects cost a pass."""

import logging
import threading
import time

import pytest

from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from tests.runtime.manual_clock import ManualClock
from tests.testkit.eventually import eventually

HOUR = 3600.0


class Work:
    """Counts passes; each ends as the next of `outcomes` says; none ends while `gate` is shut."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.gate = threading.Event()
        self.gate.set()
        self.begun = 0
        self.done = 0

    def __call__(self):
        self.begun += 1
        assert self.gate.wait(10)
        self.done += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def run(clock):
    started = []

    def run(work, *, no_news=(), **pace):
        backoff = Backoff(first=4.0, longest=4.0)
        loop = Loop(
            "loop-of-a-test",
            work,
            policy=Survive(),
            pace=LoopPace(**{"period": HOUR, "backoff": backoff, **pace}),
            no_news=no_news,
            clock=clock,
        )
        loop.start()
        started.append((loop, work))
        return loop

    yield run
    for loop, work in started:
        work.gate.set()
        assert loop.stop(10)


def soon():
    return Deadline.after(10.0, time.monotonic)


def test_the_first_pass_comes_at_once_and_the_next_after_a_period(run, clock):
    work = Work()
    run(work)
    eventually(lambda: work.done == 1)
    assert clock.wait_asleep() == HOUR

    clock.advance(HOUR - 1)
    assert work.done == 1
    clock.advance(1)

    eventually(lambda: work.done == 2)


def test_the_first_pass_can_wait_for_a_period(run, clock):
    work = Work()
    run(work, first=None)

    assert clock.wait_asleep() == HOUR
    assert work.done == 0


def test_a_pass_says_when_the_next_is_due(run, clock):
    work = Work(7.0)
    run(work)

    assert clock.wait_asleep() == 7.0
    clock.advance(7.0)
    eventually(lambda: work.done == 2)


def test_nodes_that_started_together_drift_apart(run, clock):
    run(Work(), spread=0.5)

    assert HOUR / 2 < clock.wait_asleep() < HOUR


def test_a_trigger_brings_the_next_pass_forward(run):
    work = Work()
    loop = run(work)
    eventually(lambda: work.done == 1)
    loop.trigger()

    eventually(lambda: work.done == 2)


def test_triggers_during_a_pass_make_one_more(run, clock):
    work = Work()
    work.gate.clear()
    loop = run(work)
    eventually(lambda: work.begun == 1)
    for _ in range(100):
        loop.trigger()
    work.gate.set()

    eventually(lambda: work.done == 2)
    assert clock.wait_asleep() == HOUR
    assert work.done == 2


def test_a_burst_of_triggers_is_gathered(run, clock):
    work = Work()
    loop = run(work, gather=0.5)
    eventually(lambda: work.done == 1)
    for _ in range(10):
        loop.trigger()
    eventually(lambda: clock.waits == [0.5])
    loop.trigger()
    clock.advance(0.5)

    eventually(lambda: work.done == 2)
    assert clock.wait_asleep() == HOUR


def test_who_is_in_a_hurry_ends_the_gathering(run, clock):
    work = Work()
    loop = run(work, gather=0.5)
    eventually(lambda: work.done == 1)
    loop.trigger()
    eventually(lambda: clock.waits == [0.5])
    loop.hurry()

    eventually(lambda: work.done == 2)
    assert clock.wait_asleep() == HOUR
    loop.trigger()
    eventually(lambda: clock.waits == [0.5])


def test_two_passes_are_a_pause_apart_whoever_triggers(run, clock):
    work = Work()
    loop = run(work, pause=5.0)
    eventually(lambda: clock.waits == [5.0])
    loop.trigger()
    clock.advance(4.0)
    assert work.done == 1
    clock.advance(1.0)

    eventually(lambda: work.done == 2)


def test_a_failure_is_backed_off_from_whatever_triggers_and_told_once(run, clock, caplog):
    denied = [cloud_error("DescribeSubnets", "UnauthorizedOperation", "no", f"r-{n}") for n in range(3)]
    work = Work(*denied)
    loop = run(work)
    for failures in (1, 2, 3):
        eventually(lambda n=failures: work.done == n)
        loop.trigger()
        assert 2.0 <= clock.wait_asleep() <= 4.0
        clock.advance_past_sleep()
    eventually(lambda: work.done == 4)

    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(told) == 1
    assert "loop-of-a-test" in told[0]


def test_a_failure_that_comes_back_after_a_success_is_told_again(run, clock, caplog):
    work = Work(TryAgainError("full"), None, TryAgainError("full"))
    loop = run(work)
    clock.advance_past_sleep()
    eventually(lambda: work.done == 2)
    loop.trigger()
    eventually(lambda: work.done == 3)
    eventually(lambda: sum("full" in r.getMessage() for r in caplog.records) == 2)


def test_a_failure_that_is_no_news_is_not_told(run, clock, caplog):
    class LateError(TryAgainError):
        pass

    work = Work(LateError("a moment"))
    run(work, no_news=(LateError,))
    clock.advance_past_sleep()
    eventually(lambda: work.done == 2)

    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_after_a_defect_the_next_pass_waits_for_the_task_and_not_for_the_period(run, clock, caplog):
    work = Work(ValueError("a defect"))
    run(work)
    assert clock.wait_asleep() <= 1.0
    clock.advance_past_sleep()

    eventually(lambda: work.done == 2)
    assert [r.levelno for r in caplog.records if "by a defect" in r.getMessage()] == [logging.ERROR]


def test_a_pass_that_is_asked_for_is_waited_for(run):
    work = Work()
    loop = run(work, first=None)

    assert loop.wait_for_next(soon())
    assert work.done == 1


def test_passes_that_have_ended_are_counted_however_they_ended(run):
    work = Work(None, TryAgainError("no"))
    work.gate.clear()
    loop = run(work)
    eventually(lambda: work.begun == 1)
    assert loop.passes == 0
    work.gate.set()

    assert loop.wait_for_next(soon())
    assert loop.passes == 2


def test_one_that_has_begun_does_not_count_as_the_next(run):
    work = Work()
    work.gate.clear()
    loop = run(work)
    eventually(lambda: work.begun == 1)

    assert not loop.wait_for_next(Deadline.after(0.05, time.monotonic))
    work.gate.set()
    assert loop.wait_for_next(soon())
    assert work.done >= 2


def test_no_pass_begins_after_the_end(run):
    work = Work()
    loop = run(work, first=None)
    assert loop.stop(10)
    loop.trigger()

    assert not loop.wait_for_next(Deadline.after(0.05, time.monotonic))
    assert work.done == 0


def test_a_pass_that_does_not_end_is_reported(run):
    work = Work()
    work.gate.clear()
    loop = run(work)
    eventually(lambda: work.begun == 1)

    assert not loop.stop(0.01)
