"""Our clock beside the cloud's."""

import pytest

from ipamd.controller.account.clock import MOST_APART, PATIENCE, Agreement, ClockChecks


class Clocks:
    def __init__(self):
        self.ours: float = 1000.0
        self.theirs: float | None = 1000.0
        self.told: list[str] = []
        self.steady = 0.0
        self.checks = ClockChecks(
            lambda: self.ours,
            lambda: self.theirs,
            lambda *words: self.told.append(words[1]),
            steady=lambda: self.steady,
        )


@pytest.fixture
def clocks():
    return Clocks()


@pytest.mark.parametrize("ahead", [0, MOST_APART - 1, 1 - MOST_APART])
def test_clocks_that_agree_are_believed(clocks, ahead):
    clocks.ours += ahead
    assert clocks.checks.doubt() == ""
    assert clocks.told == []


@pytest.mark.parametrize(("ahead", "word"), [(MOST_APART + 1, "ahead of"), (-MOST_APART - 1, "behind")])
def test_clocks_that_fall_apart_are_told_of_once_each_time(clocks, ahead, word):
    clocks.ours += ahead
    assert word in clocks.checks.doubt()
    assert clocks.checks.doubt()
    assert clocks.told == ["ClockDoubted"]
    clocks.ours -= ahead
    assert clocks.checks.doubt() == ""
    clocks.ours += ahead
    assert clocks.checks.doubt()
    assert clocks.told == ["ClockDoubted"] * 2


def test_what_lasts_is_told_again_after_the_event_is_forgotten(clocks):
    clocks.ours += MOST_APART + 1
    for hour in (0, 0.9, 1.1, 1.9, 2.2):
        clocks.steady = hour * 3600
        assert clocks.checks.doubt()
    assert clocks.told == ["ClockDoubted"] * 3


def test_before_the_cloud_has_said_its_time_nothing_is_believed_and_nothing_told(clocks):
    clocks.theirs = None
    assert clocks.checks.doubt()
    assert clocks.told == []
    before = clocks.checks.state

    clocks.theirs = clocks.ours
    clocks.steady += PATIENCE
    assert clocks.checks.doubt() == ""
    assert clocks.told == []
    assert (before, clocks.checks.state) == (Agreement.UNKNOWN, Agreement.AGREED)


def test_a_cloud_that_never_says_its_time_is_told_with_what_is_missing(clocks):
    clocks.theirs = None
    clocks.checks.doubt()
    clocks.steady += PATIENCE - 1
    clocks.checks.doubt()
    assert clocks.told == []

    clocks.steady += 1
    assert "HTTP header Date" in clocks.checks.doubt()
    assert clocks.told == ["CloudTimeUnknown"]
