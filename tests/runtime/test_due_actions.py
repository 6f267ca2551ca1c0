"""What is due is done; what has failed waits, and holds up nothing else that is due."""

import contextlib
from dataclasses import dataclass

import pytest

from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.runtime.due_actions import DueActions, Work
from tests.testkit.eventually import comes_about

FULL = cloud_error("AssociateAddress", "LimitExceeded.InstanceAddressQuota", "10 of 10")


@dataclass(frozen=True)
class Bind:
    subject: str


@dataclass(frozen=True)
class Unbind:
    subject: str


class Plan:
    """Actions that are due until they have succeeded; those in `refused` fail for want of a quota."""

    def __init__(self):
        self.due = []
        self.refused = set()
        self.tried = []
        self.rounds = 0
        self.now = 100.0
        work = Work(
            due=self._due,
            subject_of=lambda action: action.subject,
            name_of=lambda action: action.subject,
            execute=self._execute,
            failed=lambda _action, _error: None,
            ended=lambda: None,
            about=lambda _action: contextlib.nullcontext(),
        )
        self.actions = DueActions("test", "action", work, workers=2, clock=lambda: self.now)

    def _due(self):
        self.rounds += 1
        return list(self.due)

    def _execute(self, action):
        self.tried.append(action)
        if action in self.refused:
            raise FULL
        self.due.remove(action)

    def have(self, *actions):
        self.due = list(actions)
        self.actions.trigger()

    def looked(self):
        """Wait until the plan was asked twice more: what was due the first time has begun then."""
        before = self.rounds
        for number in (1, 2):
            self.actions.trigger()
            assert comes_about(lambda number=number: self.rounds >= before + number, 10.0)


@pytest.fixture
def plan():
    plan = Plan()
    plan.actions.start()
    yield plan
    assert plan.actions.stop(10.0)


@pytest.fixture
def refused(plan):
    """A plan whose binding was refused, and is due still."""
    plan.refused.add(Bind("a"))
    plan.have(Bind("a"))
    assert comes_about(lambda: plan.actions.error("a") is not None, 10.0)
    plan.looked()
    assert plan.tried == [Bind("a")]
    return plan


def test_what_was_refused_is_tried_again_after_its_pause(refused):
    refused.now += 3600.0
    refused.refused.clear()
    refused.actions.trigger()
    assert comes_about(lambda: refused.tried == [Bind("a")] * 2, 10.0)
    assert comes_about(lambda: refused.actions.error("a") is None, 10.0)


def test_what_could_not_be_bound_is_unbound_at_once(refused):
    refused.have(Unbind("a"))
    assert comes_about(lambda: refused.tried == [Bind("a"), Unbind("a")], 10.0)


def test_two_that_fail_in_turn_wait_both(refused):
    refused.refused.add(Unbind("a"))
    refused.have(Unbind("a"))
    assert comes_about(lambda: len(refused.tried) == 2, 10.0)
    for again in (Bind("a"), Unbind("a")):
        refused.have(again)
        refused.looked()
    assert refused.tried == [Bind("a"), Unbind("a")]


def test_room_lets_it_be_tried_at_once(refused):
    refused.refused.clear()
    refused.actions.relieve(CloudErrorKind.QUOTA)
    refused.actions.trigger()
    assert comes_about(lambda: refused.due == [], 10.0)
