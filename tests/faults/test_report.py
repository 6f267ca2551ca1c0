"""The verdict over a run of faults: what was tried is enough, and nothing is wrong for good."""

import json

from testbed.faults.invariants import Violation
from testbed.faults.report import Counts, count_kinds, shortfalls, write


def test_counts_of_parts_add_up():
    both = Counts(crash_points=3, leaked=1) + Counts(crash_points=2, life_cycles=7, stolen=1)

    assert both == Counts(crash_points=5, life_cycles=7, leaked=1, stolen=1)


def test_violations_are_counted_by_their_kind():
    found = [Violation(kind="leaked", text="a"), Violation(kind="leaked", text="b")]

    assert count_kinds(found) == {"leaked": 2, "stolen": 0, "duplicate": 0, "unmended": 0}


def test_what_falls_short_of_a_goal_and_what_is_wrong_is_named():
    counts = Counts(crash_points=199, life_cycles=5000, unmended=2)

    assert shortfalls(counts) == [
        "crash_points is 199, at least 200 are wanted",
        "unmended is 2, it has to be 0",
    ]


def test_a_run_that_tried_enough_and_lost_nothing_is_good_enough():
    assert shortfalls(Counts(crash_points=200, life_cycles=5000, faults_injected=9)) == []


def test_all_counts_are_written_by_name(tmp_path):
    write(Counts(crash_points=1), tmp_path / "build" / "faults.json")

    assert json.loads((tmp_path / "build" / "faults.json").read_text()) == {
        "crash_points": 1,
        "life_cycles": 0,
        "faults_injected": 0,
        "leaked": 0,
        "stolen": 0,
        "duplicate": 0,
        "unmended": 0,
    }
