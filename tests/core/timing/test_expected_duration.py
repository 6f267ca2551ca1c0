"""When a task of the cloud is looked at first: by what the last ones of its kind took."""

import random

import pytest

from ipamd.core.timing.expected_duration import UNKNOWN, ExpectedDuration


def test_of_an_unknown_kind_a_guess_is_expected():
    assert ExpectedDuration().seconds == UNKNOWN


def test_while_no_look_was_too_early_the_next_one_comes_much_sooner():
    kind = ExpectedDuration()
    kind.observe(0.4, early=False)
    assert kind.seconds == pytest.approx(0.32)


def test_a_quarter_of_the_tasks_is_over_when_the_first_look_comes():
    kind = ExpectedDuration()
    for seconds in (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4):
        kind.observe(seconds, early=True)
    assert kind.seconds == 1.4


def test_one_slow_task_changes_nothing_and_a_slower_cloud_is_learnt():
    kind = ExpectedDuration()
    for _ in range(16):
        kind.observe(1.0, early=True)
    kind.observe(60.0, early=True)
    assert kind.seconds == pytest.approx(1.0)
    for _ in range(16):
        kind.observe(3.0, early=True)
    assert kind.seconds == pytest.approx(3.0)


def test_what_is_learnt_follows_a_cloud_that_becomes_faster():
    kind, chance = ExpectedDuration(), random.Random(1)
    for mean in (3.0, 0.3):
        for _ in range(120):
            end = mean * (0.8 + 0.4 * chance.random())
            look, early = kind.seconds, False
            while look < end:
                look, early = look * 1.2, True
            kind.observe(look, early=early)
        assert 0.6 * mean < kind.seconds < 1.2 * mean
