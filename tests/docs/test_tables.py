"""The tables of docs/ are those of the code: each flag, variable and key, as it is declared."""

import pytest

from testbed.documentation import pages, tables
from tests.docs.project import DOCS

TABLES = tables.all_of_them()


@pytest.mark.parametrize("page", pages.with_tables(DOCS), ids=lambda page: page.name)
def test_a_page_has_the_tables_that_the_code_makes(page):
    text = page.read_text()

    assert pages.filled(text, TABLES) == text, f"{page} is not current: run `make docs`"


def test_every_table_has_one_place():
    places = [name for page in pages.with_tables(DOCS) for name in pages.names(page.read_text())]

    assert sorted(places) == sorted(TABLES)


def test_a_table_replaces_what_stood_in_its_place_and_nothing_else():
    page = "before\n<!-- generated: a b; by `make docs` -->\nold\n<!-- end of a b -->\nafter\n"

    assert pages.filled(page, {"a b": "new\n"}) == page.replace("old", "new")


def test_a_place_without_a_table_is_an_error():
    page = "<!-- generated: unknown; by `make docs` -->\n<!-- end of unknown -->\n"

    with pytest.raises(KeyError, match="unknown"):
        pages.filled(page, TABLES)
