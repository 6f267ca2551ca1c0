"""When a task of the cloud is looked at first: by what the last ones of its kind took."""

import random

import pytest

from ipamd.core.timing.expected_duration import UNKNOWN, ExpectedDuration


def test_of_an_unknown_kind_a_guess_is_expected():
    assert ExpectedDuration().seconds == UNKNOWN


def test_while_no_look_was_too_early_the_next_one_comes_much_sooner():
    kind = ExpectedDuration()
    kind.observe(0.4)
    assert kind.seconds == pytest.approx(0.32)


def test_between_a_look_too_early_and_one_that_was_not_the_next_one_comes_half_way():
    kind = ExpectedDuration()
    kind.observe(0.2, too_early=0.16)
    kind.observe(0.2)
    assert kind.seconds == pytest.approx(0.18)


def test_where_a_look_too_early_is_near_no_earlier_one_is_tried():
    kind = ExpectedDuration()
    kind.observe(0.25, too_early=0.2)
    kind.observe(0.21)
    assert kind.seconds == 0.21


@pytest.mark.parametrize("jitter", [0.0, 0.004])
def test_of_tasks_that_take_the_same_time_one_in_five_is_looked_at_too_early(jitter):
    kind, chance = ExpectedDuration(), random.Random(1)
    looks = late = 0.0
    for _ in range(200):
        end = 0.15 + jitter * chance.random()
        look, too_early = kind.seconds, 0.0
        while look < end:
            too_early, look, looks = look, look + 0.05, looks + 1
        kind.observe(look, too_early=too_early)
        looks, late = looks + 1, late + look - end
    assert looks <= 1.2 * 200
    assert late <= 0.012 * 200


def test_a_quarter_of_the_tasks_is_over_when_the_first_look_comes():
    kind = ExpectedDuration()
    for seconds in (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4):
        kind.observe(seconds, too_early=seconds / 2)
    assert kind.seconds == 1.4


def test_of_those_that_took_longer_than_a_look_too_early_most_are_waited_for():
    kind = ExpectedDuration()
    for seconds in (1.0, 1.2, 1.4, 1.6, 1.8):
        kind.observe(seconds)
    assert [kind.most_over(age) for age in (0.5, 1.2, 1.7, 1.8)] == [1.6, 1.8, 1.8, None]


def test_one_slow_task_changes_nothing_and_a_slower_cloud_is_learnt():
    kind = ExpectedDuration()
    for _ in range(16):
        kind.observe(1.0, too_early=0.9)
    kind.observe(60.0, too_early=50.0)
    assert kind.seconds == pytest.approx(1.0)
    for _ in range(16):
        kind.observe(3.0, too_early=2.5)
    assert kind.seconds == pytest.approx(3.0)


def test_what_is_learnt_follows_a_cloud_that_becomes_faster():
    kind, chance = ExpectedDuration(), random.Random(1)
    for mean in (3.0, 0.3):
        for _ in range(120):
            end = mean * (0.8 + 0.4 * chance.random())
            look, too_early = kind.seconds, 0.0
            while look < end:
                too_early, look = look, look * 1.2
            kind.observe(look, too_early=too_early)
        assert 0.6 * mean < kind.seconds < 1.2 * mean
