"""A round that may wait for others: what has its turn when, and who hears of the round's end."""

import pytest

from ipamd.agent.node.outside_repair import OutsideRepair
from ipamd.core.errors import TryAgainError


class Outside:
    """All that a round asks, in the order in which it does."""

    cut_off = ("an address without link",)

    def __init__(self):
        self.turns: list[str] = []
        self.defect = ""
        self.is_due = self.is_settled = True
        self.repair = OutsideRepair(
            cloud_check=self, ranges=Ranges(self), recovery=self, orphans=self, lost_links=self, pending=self
        )
        self.repair.on_round(lambda: self.turns.append("first to hear"))
        self.repair.on_round(lambda: self.turns.append("second to hear"))

    def turn(self, name):
        self.turns.append(name)
        if name == self.defect:
            raise TryAgainError("busy")

    def look(self):
        self.turn("cloud")

    def report(self):
        self.turn("addresses")

    def sweep(self, cut_off):
        assert cut_off == self.cut_off
        self.turn("orphans")

    def drain(self):
        self.turn("queued DELs")


class Ranges:
    def __init__(self, outside):
        self._outside = outside

    def look(self):
        self._outside.turn("ranges")


@pytest.fixture
def outside():
    return Outside()


ALL = ["cloud", "addresses", "ranges", "orphans", "queued DELs", "first to hear", "second to hear"]


def test_each_has_its_turn_and_the_end_is_told(outside):
    outside.repair.round()

    assert outside.turns == ALL
    assert outside.repair.drift() == []


def test_the_cloud_is_asked_only_when_that_is_due(outside):
    outside.is_due = False

    outside.repair.round()

    assert outside.turns == ALL[1:]


def test_nothing_is_swept_until_the_ledger_can_be_true(outside):
    outside.is_settled = False

    outside.repair.round()

    assert outside.turns == [*ALL[:3], *ALL[5:]]


@pytest.mark.parametrize("defect", ALL[:5])
def test_what_fails_takes_no_other_s_turn_and_is_told(outside, defect):
    outside.defect = defect

    outside.repair.round()

    assert outside.turns == ALL
    assert outside.repair.drift() == ["busy"]
