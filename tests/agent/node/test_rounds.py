"""Rounds are made at their interval, at once when woken, and a wish for one is never lost."""

import threading
import time

import pytest

from ipamd.agent.rounds import Rounds
from ipamd.core.timing.deadline import Deadline
from tests.testkit.eventually import eventually

HOUR = 3600.0


class Work:
    """Counts rounds; can be held in the middle of one."""

    def __init__(self):
        self.count = 0
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self):
        self.begun.set()
        self.may_end.wait(10)
        self.count += 1


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def rounds(work):
    made = Rounds("rounds-of-a-test", work, interval=HOUR)
    made.start()
    yield made
    work.may_end.set()
    made.stop(5.0)


def soon():
    return Deadline.after(5.0, time.monotonic)


def test_they_come_at_their_interval():
    work = Work()
    rounds = Rounds("rounds-of-a-test", work, interval=0.01)
    rounds.start()
    eventually(lambda: work.count >= 3)
    rounds.stop(5.0)

    assert work.count >= 3


def test_one_that_is_asked_for_is_waited_for(work, rounds):
    assert rounds.wait_for_next(soon())
    assert work.count == 1


def test_one_that_has_begun_does_not_count_as_the_next(work, rounds):
    work.may_end.clear()
    rounds.wake()
    assert work.begun.wait(5.0)

    assert not rounds.wait_for_next(Deadline.after(0.05, time.monotonic))
    work.may_end.set()
    assert rounds.wait_for_next(soon())
    assert work.count >= 2


def test_a_wake_during_a_round_makes_another_one(work, rounds):
    work.may_end.clear()
    rounds.wake()
    assert work.begun.wait(5.0)
    rounds.wake()
    work.may_end.set()
    eventually(lambda: work.count >= 2)

    assert work.count == 2


def test_no_round_begins_after_the_end(work, rounds):
    rounds.stop(5.0)
    rounds.wake()

    assert not rounds.wait_for_next(Deadline.after(0.05, time.monotonic))
    assert work.count == 0
