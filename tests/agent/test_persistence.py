"""Trouble counts only when it lasts."""

from ipamd.agent.persistence import Persistence


def test_trouble_counts_after_its_time_and_from_anew_after_a_break():
    now = 0.0
    trouble: list[str] = []
    lasting = Persistence(lambda: trouble, clock=lambda: now)

    assert lasting.for_longer_than(60) == []
    trouble = ["rules are gone"]
    now = 100.0
    assert lasting.for_longer_than(60) == []
    now, trouble = 159.0, ["another rule is gone"]
    assert lasting.for_longer_than(60) == []
    now = 160.0
    assert lasting.for_longer_than(60) == ["another rule is gone"]

    trouble = []
    assert lasting.for_longer_than(60) == []
    trouble = ["rules are gone"]
    assert lasting.for_longer_than(60) == []


def test_no_patience_is_at_once():
    assert Persistence(lambda: ["it"], clock=lambda: 5.0).for_longer_than(0) == ["it"]
