"""What is done about a failed call of the cloud stands with its kind, and each kind has all the answers."""

import inspect
import re
from dataclasses import asdict, fields

import pytest

from ipamd.core.cloud_errors import kind
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.cloud_errors.policy import FailurePolicy, Outcome, Repeat

K = CloudErrorKind


def those(condition):
    return {kind for kind in K if condition(kind.policy)}


@pytest.mark.parametrize("question", [field.name for field in fields(FailurePolicy)])
def test_policy_without_an_answer_cannot_be_made(question):
    answers = asdict(K.BUSY.policy)
    del answers[question]

    with pytest.raises(TypeError, match=question):
        FailurePolicy(**answers)


def test_kind_without_a_policy_cannot_be_made():
    source = inspect.getsource(K)
    kinds = re.sub(r'"busy",\n *FailurePolicy\((.|\n)*?\n    \)', '"busy",\n    )', source, count=1)
    assert kinds != source

    with pytest.raises(TypeError, match="policy"):
        exec(kinds, vars(kind).copy())


def test_each_question_has_the_kinds_that_it_is_about():
    assert those(lambda p: p.needs_operator) == {K.PERMISSION, K.MONEY, K.CREDENTIALS, K.INVALID}
    assert those(lambda p: p.outcome_unknown) == {K.UNKNOWN_OUTCOME}
    assert those(lambda p: p.outcome is Outcome.PARTIAL) == {K.TASK_FAILED}
    assert those(lambda p: p.repeat is Repeat.ANY) == {K.THROTTLED, K.BUSY}
    assert those(lambda p: p.repeat is Repeat.HARMLESS) == {K.UNKNOWN_OUTCOME, K.INTERNAL}
    assert those(lambda p: p.is_shortage) == {K.QUOTA, K.SUBNET_FULL}
    assert those(lambda p: p.needs_look) == {
        *(K.INVALID, K.NOT_FOUND, K.WRONG_STATE, K.UNKNOWN_OUTCOME, K.TASK_FAILED)
    }
    assert those(lambda p: p.is_of_object) == {
        *(K.SUBNET_FULL, K.NOT_FOUND, K.WRONG_STATE, K.INVALID, K.TASK_FAILED, K.INTERNAL, K.ADDRESS_IN_USE)
    }


def test_refusals_that_hold_hold_for_a_minute_and_an_empty_account_for_two():
    held = {kind: kind.policy.retry_after for kind in K if kind.policy.retry_after}

    assert held == {K.QUOTA: 60.0, K.SUBNET_FULL: 60.0, K.PERMISSION: 60.0, K.MONEY: 120.0}


@pytest.mark.parametrize("kind", K)
def test_answers_of_a_kind_do_not_contradict_each_other(kind):
    policy = kind.policy

    if policy.repeat is Repeat.ANY:
        assert policy.outcome is Outcome.NOTHING, "what may have been done must not be done twice"
    if policy.outcome is not Outcome.NOTHING:
        assert policy.needs_look, "only a look tells what was done"
    if policy.needs_operator or policy.retry_after:
        assert policy.repeat is Repeat.NONE, "it would fail alike"
    if policy.is_shortage:
        assert policy.retry_after, "who does not wait need not be told that there is room"
