"""docs/findings.md says of each fault what is said of it: rows are measured, and none is missing."""

import pytest

from testbed.documentation import measured
from tests.agent.findings.faults import FAULTS
from tests.docs.project import DOCS

PAGE = "before\n<!-- measured: faults; by hand -->\n<!-- end of faults -->\nafter\n"
ROW = {"seconds": "1.2", "code": "EniLink", "words": "link eth1 is down | and\nhas to be up"}


def test_the_page_has_a_row_for_each_fault():
    assert measured.faults((DOCS / "findings.md").read_text()) == FAULTS


def test_rows_are_in_order_and_what_was_not_measured_again_keeps_its_row():
    first = measured.with_rows(PAGE, ("a", "b"), {"b": ROW})
    both = measured.with_rows(first, ("a", "b"), {"a": {**ROW, "seconds": "3.4"}})

    assert measured.faults(both) == ("a", "b")
    assert "| a | `ipamctl check` | 3.4 | `EniLink`: link eth1 is down \\| and has to be up |\n" in both
    assert "| b | `ipamctl check` | 1.2 |" in both
    assert both.startswith("before\n")
    assert both.endswith("\nafter\n")


def test_a_fault_that_is_no_more_loses_its_row():
    page = measured.with_rows(PAGE, ("gone",), {"gone": ROW})

    assert measured.faults(measured.with_rows(page, ("a",), {})) == ()


def test_a_page_without_a_place_is_an_error():
    with pytest.raises(ValueError, match="no place"):
        measured.faults("nothing")
