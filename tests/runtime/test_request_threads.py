"""Threads that serve requests: few, and never held up by those that wait."""

import threading

import pytest

from ipamd.core.errors import TryAgainError
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime import task
from ipamd.runtime.keyed_lock import KeyedLock
from ipamd.runtime.request_threads import RELIEF_SECONDS, RequestThreads, waits
from tests.testkit.eventually import comes_about


@pytest.fixture
def threads():
    threads = RequestThreads("served", count=2, most=5)
    yield threads
    threads.stop(5.0)
    assert alive() == 0


def alive():
    return sum(each.name == "served" for each in task.running())


class Held:
    """Jobs that do not end before the test says so."""

    def __init__(self, threads, count, *, told):
        self.release = threading.Event()
        self.began = threading.Semaphore(0)
        for _ in range(count):
            threads.submit(self._told if told else self._run)

    def _run(self):
        self.began.release()
        self.release.wait(20)

    def _told(self):
        with waits(), waits():
            self._run()

    def wait_begun(self, count):
        for _ in range(count):
            assert self.began.acquire(timeout=5)


def done(threads):
    event = threading.Event()
    threads.submit(event.set)
    return event


def test_no_more_jobs_run_at_once_than_are_served(threads):
    held = Held(threads, 4, told=False)
    held.wait_begun(2)

    assert not held.began.acquire(timeout=0.2)
    assert threads.backlog() == 2

    held.release.set()
    held.wait_begun(2)


def test_a_job_that_waits_counts_for_none(threads):
    held = Held(threads, 4, told=True)
    held.wait_begun(4)

    assert done(threads).wait(5)

    held.release.set()
    assert comes_about(lambda: alive() == 2, 5.0), "who is too many ends"


def test_there_are_never_more_threads_than_there_may_be(threads):
    held = Held(threads, 7, told=True)
    held.wait_begun(5)

    assert not held.began.acquire(timeout=0.2)
    assert alive() == 5

    held.release.set()
    held.wait_begun(2)


def test_jobs_that_hang_are_relieved(threads):
    held = Held(threads, 2, told=False)
    held.wait_begun(2)
    last = done(threads)
    assert threads.relieve(100.0) == RELIEF_SECONDS
    threads.relieve(100.0 + RELIEF_SECONDS / 2)
    assert not last.wait(0.2), "something may have ended just now"

    threads.relieve(100.0 + 2 * RELIEF_SECONDS)

    assert last.wait(5)
    held.release.set()
    assert comes_about(lambda: alive() == 2, 5.0)


def test_nobody_is_relieved_while_jobs_end(threads):
    held = Held(threads, 1, told=False)
    held.wait_begun(1)
    for now in range(5):
        assert done(threads).wait(5)
        threads.relieve(float(now))

    assert alive() <= 2
    held.release.set()


def test_a_lock_that_another_request_has_is_waited_for_apart(threads):
    locks: KeyedLock[str] = KeyedLock()
    had, release = threading.Event(), threading.Event()

    def deadline():
        return Deadline(20.0, lambda: 0.0)

    def refusal():
        return TryAgainError("not in time")

    def have():
        with locks.held("sandbox", deadline(), refusal):
            had.set()
            release.wait(20)

    def want():
        with locks.held("sandbox", deadline(), refusal):
            pass

    threads.submit(have)
    assert had.wait(5)
    for _ in range(3):
        threads.submit(want)

    assert done(threads).wait(5)
    release.set()


def test_a_defect_of_one_job_is_survived(threads):
    def defect():
        raise ValueError("of the test")

    for _ in range(3):
        threads.submit(defect)

    assert done(threads).wait(5)


def test_waits_means_nothing_elsewhere():
    with waits():
        pass


def test_nothing_runs_after_the_stop():
    threads = RequestThreads("served", count=2, most=5)
    assert done(threads).wait(5)

    assert threads.stop(5.0)

    assert not done(threads).wait(0.1)
    assert comes_about(lambda: alive() == 0, 5.0)
