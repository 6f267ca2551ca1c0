"""What the bench makes of what it has measured: spreads, the table of aims, the facts, parts that fail."""

import io
import itertools

import pytest

from testbed import table
from testbed.bench import aims, report
from testbed.bench.full_node import round_cpu_ms
from testbed.bench.part import QUICK, Effort, Measured, Part, Results, run
from testbed.bench.parts import PARTS
from testbed.bench.spread import Spread

ONE = Spread(median=1.0, low=1.0, high=1.0, n=1)


def part(name, keys, measure):
    return Part(name=name, keys=keys, measure=measure)


def run_quietly(parts, directory):
    out = io.StringIO()
    return run(parts, directory=directory, effort=QUICK, progress=table.Progress(out=out))


def test_a_spread_has_the_median_between_the_quartiles():
    assert Spread.of([4, 1, 3, 2, 5]) == Spread(median=3, low=2, high=4, n=5)
    assert Spread.of([7]) == Spread(median=7, low=7, high=7, n=1)
    for values in itertools.product((1.0, 2.0, 9.0), repeat=3):
        spread = Spread.of(values)
        assert spread.low <= spread.median <= spread.high
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.of([])


def test_ratios_are_made_round_by_round():
    # The second round was slow for both: that is no difference between them.
    assert Spread.of_ratios([1, 10, 1], [2, 20, 2]) == Spread(median=0.5, low=0.5, high=0.5, n=3)
    with pytest.raises(ValueError, match="shorter"):
        Spread.of_ratios([1, 2], [1])


def test_a_part_that_fails_costs_its_own_figures_only(tmp_path):
    def broken(_scene):
        raise RuntimeError("no namespace")

    results = run_quietly(
        [
            part("bad", ("a", "b"), broken),
            part("good", ("c",), lambda _scene: Measured(figures={"c": ONE})),
        ],
        tmp_path,
    )

    assert results.figures == {"c": ONE}
    assert results.missing == dict.fromkeys(("a", "b"), "bad failed: RuntimeError: no namespace")


def test_a_key_that_a_part_does_not_give_is_missed_with_the_reason(tmp_path):
    measured = Measured(figures={"a": ONE}, missing={"b": "not built"})

    results = run_quietly([part("half", ("a", "b", "c"), lambda _scene: measured)], tmp_path)

    assert results.missing == {"b": "not built", "c": "not among the figures of half"}


def test_the_wish_to_end_ends_the_run(tmp_path):
    def interrupted(_scene):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_quietly([part("first", (), interrupted), part("second", (), pytest.fail)], tmp_path)


def test_each_part_has_its_own_directory(tmp_path):
    seen = []

    def measure(scene):
        seen.append(scene.directory)
        return Measured(figures={})

    run_quietly([part("one part", (), measure), part("another", (), measure)], tmp_path)

    assert seen == [tmp_path / "one-part", tmp_path / "another"]


def test_a_figure_at_its_aim_has_met_it():
    aim = aims.Aim(key="x", meaning="", limit=0.9)

    assert aim.is_met(Spread.of([0.9]))
    assert aim.is_met(Spread.of([0.904]))  # shown as 0.90
    assert not aim.is_met(Spread.of([0.906]))
    least = aims.Aim(key="x", meaning="", limit=0.82, at_least=True)
    assert least.is_met(Spread.of([0.82]))
    assert not least.is_met(Spread.of([0.81]))


def test_the_table_has_a_row_for_each_aim_with_spread_and_mark():
    figures = {"add_vs_ptp": Spread.of([0.8, 0.84, 0.88]), "pps_vs_two_rules": {"50": Spread.of([0.5])}}

    rows = {row[0]: row[1:6] for row in aims.rows(figures)}

    assert rows["add_vs_ptp"] == ["0.84", "0.82 to 0.86", "3", "<= 0.9", "✓"]
    assert rows["pps_vs_two_rules 50"] == ["0.50", "", "1", ">= 1", "✗"]
    assert rows["pps_vs_two_rules 250"] == ["-", "", "", ">= 1", "-"]
    assert len(rows) == len(aims.AIMS)


def test_the_facts_have_every_key_whatever_was_measured():
    results = Results(
        figures={"add_vs_ptp": Spread.of([0.8, 0.9]), "pps_vs_two_rules": {"1": ONE}, "told_only": ONE},
        series={"add_ms": [1, 2]},
        missing={"ready_s": "full node failed"},
    )

    facts = report.facts(results, {"cores": 2})

    assert {aim.key for aim in aims.AIMS} <= facts.keys()
    assert (facts["add_vs_ptp"], facts["pps_vs_two_rules"], facts["told_only"]) == (0.85, {"1": 1.0}, 1.0)
    assert facts["spread"]["add_vs_ptp"] == {"median": 0.85, "quartiles": [0.825, 0.875], "n": 2}
    assert facts["ready_s"] is None
    assert facts["missing"]["ready_s"] == "full node failed"
    assert facts["missing"]["pps_vs_two_rules 10"] == "no part measures it"
    assert "pps_vs_two_rules 1" not in facts["missing"]


def test_no_key_belongs_to_two_parts_and_each_has_an_aim():
    keys = [key for part in PARTS for key in part.keys]

    assert len(keys) == len(set(keys))
    assert set(keys) <= {aim.key for aim in aims.AIMS}


def test_the_sizes_of_the_aims_are_measured_by_a_full_run():
    sizes = {int(aim.size) for aim in aims.AIMS if aim.key.startswith("pps")}

    assert sizes <= set(Effort().pods)
    assert list(Effort().pods) == sorted(Effort().pods)


def test_the_cpu_of_a_round_is_what_the_rounds_and_waits_add_up_to():
    # Four rounds of 100 ms, each followed by 1.9 s of nothing.
    assert round_cpu_ms(400, 8.0, 1.9) == pytest.approx(100)
    with pytest.raises(ValueError, match="no time for a wait"):
        round_cpu_ms(8000, 8.0, 1.9)
