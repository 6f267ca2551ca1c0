"""Jobs are done by a few threads; a job's defect costs neither the thread nor the next job."""

import threading

import pytest

from ipamd.core.timing.backoff import Backoff
from ipamd.runtime import task
from ipamd.runtime.defects import Survive
from ipamd.runtime.workers import JobQueue, Workers
from tests.testkit.eventually import eventually

BRISK = Survive(backoff=Backoff(first=0.001, longest=0.002))


@pytest.fixture
def jobs():
    return JobQueue()


@pytest.fixture
def workers(jobs):
    made = Workers("worker-of-a-test", 2, jobs, lambda job: job(), policy=BRISK)
    yield made
    assert made.stop(10)


def test_what_was_submitted_before_the_start_is_done_then(jobs, workers):
    done = []
    for number in range(10):
        jobs.submit(lambda number=number: done.append(number))
    assert done == []
    workers.start()

    eventually(lambda: sorted(done) == list(range(10)))


def test_as_many_jobs_run_at_once_as_there_are_threads(jobs, workers):
    workers.start()
    meeting = threading.Barrier(3)
    for _ in range(2):
        jobs.submit(lambda: meeting.wait(10))

    meeting.wait(10)


def test_a_defect_of_a_job_is_seen_and_the_next_one_is_done(jobs, workers):
    workers.start()
    done = threading.Event()
    for _ in range(4):
        jobs.submit(lambda: 1 // 0)
    jobs.submit(done.set)

    assert done.wait(10)
    assert next(seen.defects for seen in task.seen() if seen.name == "worker-of-a-test") == 4


def test_a_stop_drops_jobs_that_wait_and_waits_for_those_that_run(jobs, workers):
    workers.start()
    begun, gate, dropped = threading.Event(), threading.Event(), []

    def hold():
        begun.set()
        gate.wait(10)

    for _ in range(2):
        jobs.submit(hold)
    assert begun.wait(10)
    jobs.submit(lambda: dropped.append(1))

    assert not workers.stop(0.01)
    gate.set()
    assert workers.stop(10)
    assert dropped == []


def test_those_that_never_began_have_ended(jobs, workers):
    assert workers.stop(0)
