"""Our clock beside the cloud's."""

import pytest

from ipamd.controller.account.clock import MOST_APART, ClockChecks


class Clocks:
    def __init__(self):
        self.ours: float = 1000.0
        self.theirs: float | None = 1000.0
        self.told: list[str] = []
        self.checks = ClockChecks(
            lambda: self.ours, lambda: self.theirs, lambda *words: self.told.append(words[1])
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


def test_before_the_cloud_has_said_its_time_nothing_is_believed_and_nothing_told(clocks):
    clocks.theirs = None
    assert clocks.checks.doubt()
    assert clocks.told == []
