"""README beside other plugins: what is said of us is shown, and what is said of others has its source."""

import re

import pytest

from tests.docs.project import DOCS, ROOT

LOCAL = re.compile(r"\]\((?!http)[^)]+\)")
OUTSIDE = re.compile(r"\]\[([\w-]+)\]")


def rows(path):
    """Return the cells of the table by feature, the features in the table's order."""
    text = path.read_text()
    (table,) = re.findall(r"^\| feature \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    return {first.strip("| "): [cell.strip("| ") for cell in rest] for first, *rest in cells}


CLAIMED = rows(ROOT / "README.md")
SHOWN = rows(DOCS / "comparison.md")


def test_the_page_has_the_features_of_readme_in_its_order():
    assert list(SHOWN) == list(CLAIMED)
    assert {len(cells) for cells in (*SHOWN.values(), *CLAIMED.values())} == {5}


@pytest.mark.parametrize("feature", [name for name in CLAIMED if name != "source"])
def test_what_we_claim_names_a_page_or_a_test(feature):
    """That it exists is held by test_paths."""
    if CLAIMED[feature][0] == "no":
        assert SHOWN[feature][0].startswith("\N{EN DASH}")
    else:
        assert LOCAL.search(SHOWN[feature][0])


@pytest.mark.parametrize("feature", CLAIMED)
def test_what_nobody_says_is_a_question_on_both_pages(feature):
    assert [cell == "?" for cell in CLAIMED[feature]] == [cell == "?" for cell in SHOWN[feature]]


def test_every_source_that_is_named_has_its_address_and_no_address_is_idle():
    text = (DOCS / "comparison.md").read_text()
    addresses = re.findall(r"^\[([\w-]+)\]: https://\S+$", text, re.MULTILINE)

    assert set(OUTSIDE.findall(text)) == set(addresses)
    assert len(addresses) == len(set(addresses))
