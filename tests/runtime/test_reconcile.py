"""The threads that work the queue: whatever a round meets, its key comes again, and no other waits for it."""

import logging

import pytest

from ipamd.core.errors import TryAgainError
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.leases import NotLeaderError
from ipamd.runtime import task
from ipamd.runtime.reconcile import ReconcileWorkers, Result
from ipamd.runtime.work_queue import WorkQueue
from tests.testkit.eventually import eventually

WEB, DB = ("default", "web-0"), ("default", "db-0")


class Rounds:
    """Notes the keys; the first round ends as it is told."""

    def __init__(self, first):
        self.first = [first]
        self.keys = []

    def __call__(self, key):
        self.keys.append(key)
        if self.first:
            outcome = self.first.pop()
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        return Result()


@pytest.fixture
def run():
    started = []

    def run(first):
        queue: WorkQueue[tuple[str, str]] = WorkQueue(backoff=Backoff(first=0.01, longest=0.02))
        rounds = Rounds(first)
        workers = ReconcileWorkers("reconciler-of-a-test", 1, queue, rounds, no_news=(NotLeaderError,))
        workers.start()
        started.append(workers)
        queue.add(WEB)
        return queue, rounds

    yield run
    assert all(workers.stop(10) for workers in started)


def test_what_met_a_lease_that_is_renewed_late_comes_again_without_a_word(run, caplog):
    _, rounds = run(NotLeaderError("the Lease is not believed in just now"))

    eventually(lambda: rounds.keys == [WEB, WEB])
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("first", [Result(requeue_after=0.01), Result(failed=True)])
def test_a_key_comes_again_as_its_round_says(run, first):
    _, rounds = run(first)

    eventually(lambda: rounds.keys == [WEB, WEB])


def test_an_expected_error_is_told_in_a_line_and_the_key_comes_again(run, caplog):
    _, rounds = run(TryAgainError("the cloud is busy"))

    eventually(lambda: rounds.keys == [WEB, WEB])
    assert [r.levelname for r in caplog.records if "the cloud is busy" in r.getMessage()] == ["WARNING"]


def test_a_defect_is_counted_told_with_its_key_and_holds_up_no_other_key(run, caplog):
    def defects():
        return next((seen.defects for seen in task.seen() if seen.name == "reconciler-of-a-test"), 0)

    before = defects()
    queue, rounds = run(ZeroDivisionError("a defect"))
    queue.add(DB)

    eventually(lambda: sorted(rounds.keys) == [DB, WEB, WEB])
    assert defects() == before + 1
    assert any("default/web-0" in (record.exc_text or "") for record in caplog.records)
