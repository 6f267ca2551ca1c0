"""Each page of docs/adr/ has its number, a title, a status, a date, and says what follows."""

import datetime as dt
import re

import pytest

from tests.docs.project import DOCS

FIRST = dt.date(2026, 11, 23)
"""Of the project."""
PAGES = sorted((DOCS / "adr").glob("*.md"))
STATUS = re.compile(
    r"(proposed|accepted|rejected|(superseded by|in part superseded by) \[ADR \d+\]\(\d{4}-[a-z0-9-]+\.md\))"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_says_its_number_status_and_date(page):
    title, blank, status, date, *rest = page.read_text().splitlines()

    number = int(page.name[:4])
    assert re.fullmatch(rf"# {number}\. \S.*", title)
    assert blank == ""
    assert STATUS.fullmatch(status.removeprefix("Status: ")), status
    assert dt.date.fromisoformat(date.removeprefix("Date: ")) >= FIRST
    headings = [line for line in rest if line.startswith("## ")]
    assert headings[0] in ("## Context", "## Situation")
    assert "## Decision" in headings
    assert {"## Consequences", "## Rejected"} & set(headings)


def test_no_two_decisions_have_one_number():
    numbers = [page.name[:4] for page in PAGES]

    assert len(set(numbers)) == len(numbers)
