"""Selectors against a plain reading of their rules."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from simulator.kube import selectors, status

KEYS = st.sampled_from(["app", "node", "example.com/role"])
VALUES = st.sampled_from(["a", "b", "in", "notin", "x-1", "7"])
LABELS = st.dictionaries(KEYS, VALUES)
SPACE = st.sampled_from(["", " ", "  "])


@st.composite
def terms(draw):
    """A term as text, and the same as a function."""
    key, value, gap = draw(KEYS), draw(VALUES), draw(SPACE)
    values = draw(st.lists(VALUES, min_size=1, max_size=3))
    listed = f"{gap}({gap}{','.join(values)}{gap})"
    return draw(
        st.sampled_from(
            [
                (key, lambda labels: key in labels),
                (f"!{gap}{key}", lambda labels: key not in labels),
                (f"{key}{gap}={gap}{value}", lambda labels: labels.get(key) == value),
                (f"{key}{gap}=={gap}{value}", lambda labels: labels.get(key) == value),
                (f"{key}{gap}!={gap}{value}", lambda labels: labels.get(key) != value),
                (f"{key} in{listed}", lambda labels: labels.get(key) in values),
                (f"{key} notin{listed}", lambda labels: labels.get(key) not in values),
            ]
        )
    )


@given(st.lists(terms(), max_size=4), LABELS)
def test_all_terms_must_hold(chosen, labels):
    text = ",".join(term for term, _ in chosen)
    selector = selectors.Selector(labels=selectors.parse_labels(text))
    assert selector.matches(labels, lambda field: "") is all(holds(labels) for _, holds in chosen)


@given(st.text(alphabet="abinot =!,()<>/.-_7"))
def test_any_text_is_a_selector_or_a_bad_request(text):
    codes = set()
    try:
        selectors.parse_labels(text)
    except status.ApiError as error:
        codes.add(error.code)
    assert codes <= {400}


def test_field_selectors_unescape_values():
    assert selectors.parse_fields(r"a=x\,y,b!=\=") == (("a", True, "x,y"), ("b", False, "="))
    with pytest.raises(status.ApiError, match="can't understand 'novalue'"):
        selectors.parse_fields("a=b,novalue")
