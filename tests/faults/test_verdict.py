"""Whether `make faults` ends with an error exactly when something is wrong, and says what."""

import json

import pytest

from testbed.faults.__main__ import Part, verdict
from testbed.faults.crashes import Run
from testbed.faults.report import GOALS, Counts

ENOUGH = Counts(crash_points=200, life_cycles=5000)


@pytest.fixture
def judge(tmp_path, capsys):
    def run(*parts):
        code = verdict(parts, tmp_path / "faults.json")
        told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not good enough")]
        return code, told, json.loads((tmp_path / "faults.json").read_text())

    return run


def test_parts_that_tried_enough_and_found_nothing_are_good_enough(judge):
    crashes = Part(counts=Counts(crash_points=200), goals={"crash_points": 200})
    churn = Part(counts=Counts(life_cycles=5000, faults_injected=9), goals={"life_cycles": 5000})

    code, told, written = judge(crashes, churn)

    assert (code, told) == (0, [])
    assert (written["crash_points"], written["life_cycles"]) == (200, 5000)


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        (Counts(crash_points=199, life_cycles=5000), "crash_points is 199, at least 200"),
        (Counts(crash_points=200, life_cycles=4999), "life_cycles is 4999, at least 5000"),
        (ENOUGH + Counts(leaked=1), "leaked is 1"),
        (ENOUGH + Counts(stolen=1), "stolen is 1"),
        (ENOUGH + Counts(duplicate=1), "duplicate is 1"),
        (ENOUGH + Counts(unmended=1), "unmended is 1"),
    ],
)
def test_each_count_that_is_not_what_it_has_to_be_ends_with_an_error(judge, counts, complaint):
    code, [told], _ = judge(Part(counts=counts, goals=GOALS))

    assert code == 1
    assert complaint in told


def test_a_complaint_besides_the_counts_ends_with_an_error(judge):
    code, told, _ = judge(
        Part(counts=ENOUGH, goals=GOALS), Part(counts=Counts(), goals={}, complaints=["see x"])
    )

    assert (code, told) == (1, ["not good enough: see x"])


def test_a_part_answers_for_its_own_goals_only(judge):
    assert judge(Part(counts=Counts(crash_points=1), goals={}))[0] == 0


def test_a_scenario_without_a_record_is_the_complaint_and_not_what_it_would_have_come_by():
    assert Run(unrecorded=["scenario add failed without a kill: x"]).complaints() == [
        "scenario add failed without a kill: x"
    ]


def test_effects_that_no_scenario_comes_by_are_complaints():
    complaints = Run(exercised={"netlink.newlink"}).complaints()

    assert any("cloud.AllocateAddresses" in text and "is in no scenario" in text for text in complaints)
    assert not any(text.startswith("netlink.newlink ") for text in complaints)
