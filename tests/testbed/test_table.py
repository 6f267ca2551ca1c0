"""Tables and progress lines for people."""

import io

import pytest

from testbed.table import Progress, render


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_to_the_right():
    rows = [["add_vs_ptp", "1.05"], ["x", "12,000"]]

    assert render(["FIGURE", "MEASURED"], rows).splitlines() == [
        "FIGURE      MEASURED",
        "----------  --------",
        "add_vs_ptp      1.05",
        "x             12,000",
    ]


def test_a_column_with_one_word_in_it_is_text():
    assert render(["N"], [["1"], ["none"]]).splitlines()[2:] == ["1", "none"]


def test_a_table_without_rows_has_its_head():
    assert render(["A", "B"], []).splitlines() == ["A  B", "-  -"]


def test_a_step_says_whether_it_came_to_its_end():
    out = io.StringIO()
    progress = Progress(out=out)

    with progress.step("a node"):
        pass
    with pytest.raises(RuntimeError), progress.step("a Pod"):
        raise RuntimeError

    good, bad = out.getvalue().splitlines()
    assert good.startswith("  ✓ a node (")
    assert bad.startswith("  ✗ a Pod (")
