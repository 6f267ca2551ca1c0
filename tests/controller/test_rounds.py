"""Work beside the queue: when a round comes, what errors do to it, and how it ends."""

import logging
import threading

import pytest

from ipamd.controller.rounds import Rounds
from ipamd.core.cloud_errors import cloud_error
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.leases import NotLeaderError
from tests.testkit.eventually import eventually

LONG = 3600.0
BRISK = Backoff(first=0.01, longest=0.02)


class Work:
    """Counts the rounds; each raises the next of `errors`, if any is left, and waits while `gate` is shut."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = 0
        self.done = 0

    def __call__(self):
        self.entered += 1
        assert self.gate.wait(10)
        self.done += 1
        if self.errors:
            raise self.errors.pop(0)
        return LONG


@pytest.fixture
def run():
    started = []

    def start(work, *, pause=0.0):
        rounds = Rounds("test", work, pause=pause, backoff=BRISK)
        started.append(rounds)
        rounds.start()
        return rounds

    yield start
    assert all(rounds.stop(10) for rounds in started)


def test_the_first_round_comes_at_once_and_the_next_with_a_nudge(run):
    work = Work()
    rounds = run(work)
    eventually(lambda: work.done == 1)

    rounds.nudge()

    eventually(lambda: work.done == 2)


def test_nudges_during_a_round_make_one_more(run):
    work = Work()
    work.gate.clear()
    rounds = run(work)
    eventually(lambda: work.entered == 1)
    for _ in range(100):
        rounds.nudge()
    work.gate.set()

    eventually(lambda: work.done == 2)
    assert rounds.stop(10)
    assert work.done == 2


def test_two_rounds_are_a_pause_apart_whoever_nudges(run):
    work = Work()
    rounds = run(work, pause=LONG)
    eventually(lambda: work.done == 1)

    rounds.nudge()

    assert rounds.stop(10)
    assert work.done == 1


def test_an_error_ends_its_round_only_and_the_same_is_told_once(run, caplog):
    denied = [
        cloud_error("DescribeRouteTables", "UnauthorizedOperation", "no", f"request-{n}") for n in range(3)
    ]
    work = Work(*denied, ValueError("a defect"))

    run(work)

    eventually(lambda: work.done == 5)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [text for text in warnings if "request-" in text] == warnings
    assert len(warnings) == 1
    assert "tried again now and then" in warnings[0]
    assert [record.levelname for record in caplog.records if "unexpectedly" in record.getMessage()] == [
        "ERROR"
    ]


def test_an_error_that_comes_back_after_a_success_is_told_again(run, caplog):
    def failure():
        return cloud_error("DescribeSubnets", "InternalError", "x", "r")

    work = Work(failure())
    rounds = run(work)
    eventually(lambda: work.done == 2)
    work.errors.append(failure())
    rounds.nudge()
    eventually(lambda: work.done == 4)

    assert [record.levelname for record in caplog.records if "InternalError" in record.getMessage()] == [
        "WARNING",
        "WARNING",
    ]


def test_a_lease_that_is_renewed_late_costs_a_round_and_not_the_thread(run, caplog):
    work = Work(NotLeaderError("the renewal is under way"), NotLeaderError("still"))
    rounds = run(work)
    eventually(lambda: work.done == 3)

    rounds.nudge()

    eventually(lambda: work.done == 4)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_round_that_does_not_end_is_reported_and_one_that_never_began_is_no_matter():
    work = Work()
    work.gate.clear()
    rounds = Rounds("test", work, pause=0.0)
    rounds.start()
    eventually(lambda: work.entered == 1)

    assert not rounds.stop(0.01)
    work.gate.set()
    assert rounds.stop(10)
    assert Rounds("never", work, pause=0.0).stop(0.0)
