"""Whatever stands in a value, the page has it as text."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.page import layout
from ipamd.page.markup import document, tag, visible

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE pods; --",
    "</style><script>",
    "]]>",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "<!-- -->",
    "a\x00b\x1b[31m",
    "\u202egnp.exe",
    "\ud800",
]


class Reader(HTMLParser):
    """Notes the tags, attributes and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.attributes += [(name, *attribute) for attribute in attributes]

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_shown_and_is_no_markup(value):
    page = Reader(document(tag("p", value, tag("b", value), value, title=value)))

    shown = visible(value)
    assert page.tags == ["p", "b"]
    assert page.attributes == [("p", "title", shown)]
    assert "".join(page.text).strip() == shown * 3


def full(value):
    return layout.page(value, value, [layout.section(value, layout.note("error", value, value))])


@given(value=st.text(alphabet=st.characters(exclude_categories=()), min_size=1, max_size=60))
def test_no_text_makes_a_tag_or_an_attribute(value):
    page = Reader(full(value).body)

    assert page.tags == Reader(full("a").body).tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]


def test_what_turns_or_ends_a_line_is_replaced():
    assert visible("a\nb\u202ec\x1b") == "a\ufffdb\ufffdc\ufffd"
    assert visible("Pod default/ünïcode") == "Pod default/ünïcode"


def test_names_of_attributes_are_those_of_html():
    assert (
        document(tag("p", class_="a", aria_label="b")) == b'<!DOCTYPE html>\n<p class="a" aria-label="b"></p>'
    )


def test_nothing_of_the_page_is_loaded_from_elsewhere_or_run():
    answer = layout.page("t", "s", [layout.table(("a",), [["b"]], ""), layout.log([(1.0, "INFO", "c")])])

    assert not {"script", "link", "img", "iframe", "form", "object"} & set(Reader(answer.body).tags)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert re.search(rb'<meta http-equiv="refresh" content="\d+">', answer.body)


def test_a_long_table_says_how_much_more_there_is():
    shown = Reader(document(layout.table(("n",), [[str(n)] for n in range(layout.MOST_ROWS + 7)], ""))).text

    assert "and 7 more" in shown
    assert str(layout.MOST_ROWS - 1) in shown
    assert str(layout.MOST_ROWS) not in shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (59.4, "59s"),
        (60, "1m"),
        (61, "1m1s"),
        (3600, "1h"),
        (5400, "1h30m"),
        (90000, "1d1h"),
        (-3, "0s"),
    ],
)
def test_an_age_has_its_two_largest_units(seconds, shown):
    assert layout.age(seconds) == shown
