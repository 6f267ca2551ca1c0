"""What a defect does to a thread: it is survived and seen, or the process ends; never neither."""

import threading

import pytest

from ipamd.core.timing.backoff import Backoff
from ipamd.runtime import failpoints, task
from ipamd.runtime.defects import UNHEALTHY_AFTER, DefectRecord, EndProcess, Survive
from ipamd.runtime.task import Task
from tests.runtime.manual_clock import ManualClock
from tests.testkit.eventually import eventually

STEADY = Survive(backoff=Backoff(first=2.0, longest=2.0))


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def make(clock):
    made = []

    def make(name, work, policy=STEADY):
        made.append(Task(name, work, policy=policy, clock=clock))
        return made[-1]

    yield make
    for each in made:
        assert each.stop(10)


def shown(name):
    return next((seen for seen in task.seen() if seen.name == name), None)


def test_it_works_until_there_is_nothing_left_and_is_then_no_longer_running(make):
    left = [True, True, False]
    worker = make("ends-by-itself", lambda: left.pop(0))
    worker.start()

    assert worker.join(10)
    assert left == []
    assert worker not in task.running()


def test_a_defect_is_survived_after_a_pause_and_counted(make, clock, caplog):
    outcomes = [ValueError("oops"), OSError("oops again")]
    done = threading.Event()

    def work():
        if outcomes:
            raise outcomes.pop(0)
        done.set()
        return not worker.stopping.wait(10)

    worker = make("survivor", work)
    worker.start()
    assert 1.0 <= clock.wait_asleep() <= 2.0
    assert shown("survivor").failing
    clock.advance_past_sleep()
    eventually(lambda: len(outcomes) == 0)
    clock.advance_past_sleep()

    assert done.wait(10)
    assert shown("survivor").defects == 2
    assert "ValueError: oops" in next(r.exc_text for r in caplog.records if "survivor" in r.getMessage())


def test_a_thread_that_exits_by_itself_is_a_defect_too(make, clock):
    def work():
        raise SystemExit(0)

    worker = make("quitter", work)
    worker.start()
    clock.wait_asleep()

    assert shown("quitter").failing


def test_a_success_ends_the_trouble_and_the_count_stays(make, clock):
    outcomes = [ValueError("oops"), True, True]
    gate = threading.Event()

    def work():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcomes) or not gate.wait(10)

    worker = make("recovers", work)
    worker.start()
    clock.advance_past_sleep()

    eventually(lambda: not shown("recovers").failing)
    assert shown("recovers").defects == 1
    gate.set()


def test_a_defect_that_must_not_be_survived_has_the_process_ended_and_stays_seen(make):
    told = threading.Event()

    def work():
        raise ValueError("the lease is written by nobody now")

    worker = make("dangerous", work, EndProcess(tell=told.set))
    worker.start()

    assert told.wait(10)
    assert worker.join(10)
    assert "dangerous: it has ended by a defect: ValueError" in task.problem()
    assert worker.stop(0)
    assert "dangerous" not in task.problem()


def test_nothing_but_defects_for_minutes_makes_the_process_unhealthy(make, clock):
    def work():
        raise ValueError("always")

    worker = make("hopeless", work)
    worker.start()
    clock.wait_asleep()
    assert worker.problem() == ""

    while clock.now() < 1000.0 + UNHEALTHY_AFTER + 10.0:
        before = worker.record.total
        clock.advance_past_sleep()
        eventually(lambda before=before: worker.record.total > before)

    assert "hopeless: it has failed" in worker.problem()
    assert worker.problem() in task.problem()


def test_a_defect_is_no_reason_for_a_restart_once_work_goes_on():
    failing = DefectRecord()
    for now in range(0, 400, 50):
        failing = failing.failed(ValueError("x"), float(now))

    assert failing.problem(350.0)
    assert not failing.problem(350.0 + 200.0), "a long piece of work goes on without a defect"
    assert not failing.succeeded().problem(350.0)
    assert failing.succeeded().total == 8


def test_defects_that_are_far_between_are_no_reason_for_a_restart():
    """A watch lasts for minutes, so its successes are not seen."""
    record = DefectRecord()
    for now in range(0, 2000, 200):
        record = record.failed(ValueError("x"), float(now))
        assert not record.problem(float(now))


def test_what_a_work_survives_by_itself_is_seen_as_well(make, clock):
    gate = threading.Event()

    def work():
        task.note_defect()
        return not gate.wait(10)

    worker = make("tolerant", work)
    worker.start()

    eventually(lambda: shown("tolerant") and shown("tolerant").defects == 1)
    assert not shown("tolerant").failing
    gate.set()


def test_on_another_thread_such_a_defect_is_nobodys():
    task.note_defect()


def test_each_piece_of_work_can_be_made_to_fail_from_outside(make, clock):
    class Objection:
        def before(self, step):
            if step == "loop.accident":
                raise RuntimeError("injected")

        def after(self, step, seconds, error):
            pass

    leave = failpoints.listen(Objection())
    try:
        worker = make("accident", lambda: True)
        worker.start()
        clock.wait_asleep()
    finally:
        leave()

    assert "injected" in worker.record.error


def test_a_stop_ends_the_pause_after_a_defect(make, clock):
    def work():
        raise ValueError("oops")

    worker = make("stopped", work)
    worker.start()
    clock.wait_asleep()

    assert worker.stop(10)


def test_one_that_never_began_has_ended(make):
    assert make("never", lambda: True).stop(0)
