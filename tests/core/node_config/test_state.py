"""What a node tells of its ENIs, and how people read it."""

import json

import pytest

from ipamd.core.node_config import layers, state
from ipamd.core.node_config.state import NodeEniState


def entry(value, source="flags"):
    return json.dumps({"values": {"f": [value, source]}})


def values(text):
    return [(e["value"], e["source"]) for e in state.as_status(text)["values"]]


def test_what_an_agent_writes_is_read_as_it_was_meant():
    told = NodeEniState(
        enis=2,
        addresses=9,
        limit=18,
        values=layers.layer(
            {"subnetTags": {"b": "y", "a": "x"}, "disabled": True, "maxRouteENI": 3}, "flags"
        ),
        refused="why",
    )

    assert state.as_status(told.text()) == {
        "enis": 2,
        "addresses": 9,
        "limit": 18,
        "refused": "why",
        "values": [
            {"field": "disabled", "value": "true", "source": "flags"},
            {"field": "maxRouteENI", "value": "3", "source": "flags"},
            {"field": "subnetTags", "value": "a=x,b=y", "source": "flags"},
        ],
    }
    assert "\n" not in told.text()
    assert ": " not in told.text()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(["a", "b"], "a,b"), ([], ""), ({}, ""), (False, "false"), ("x", "x"), (0, "0")],
)
def test_each_kind_of_value_is_shown(value, shown):
    assert values(entry(value)) == [(shown, "flags")]


@pytest.mark.parametrize("value", [None, 2.5, [1], ["a", 1], {"a": 1}, {"a": "x", "b": None}])
def test_what_no_field_can_hold_is_left_out(value):
    assert values(entry(value)) == []


@pytest.mark.parametrize("written", [["a"], ["a", "b", "c"], "ab", {"a": "b"}])
def test_what_is_no_pair_of_value_and_source_is_left_out(written):
    assert values(json.dumps({"values": {"f": written}})) == []


def test_numbers_that_are_none_are_left_out_and_a_refusal_may_be_missing():
    told = state.as_status('{"enis":true,"addresses":"9","limit":4,"values":{}}')

    assert told == {"limit": 4, "refused": "", "values": []}


@pytest.mark.parametrize("text", ["", "x", "5", "[" * 100_000])
def test_what_is_no_state_at_all_differs_from_one_that_is(text):
    whole = NodeEniState(enis=1, addresses=1, limit=1, values={}).text()

    assert state.as_status(text) == {}
    assert state.is_due(text, whole, since_write=state.SPACING)


@pytest.mark.parametrize("name", ["enis", "addresses"])
def test_a_number_alone_is_no_hurry(name):
    counts = {"enis": 1, "addresses": 1}
    before = NodeEniState(limit=9, values={}, **counts).text()
    after = NodeEniState(limit=9, values={}, **{**counts, name: 2}).text()

    assert not state.is_due(before, after, since_write=state.SPACING)


def test_the_limit_is_told_soon():
    before, after = (NodeEniState(enis=1, addresses=1, limit=n, values={}).text() for n in (9, 8))

    assert state.is_due(before, after, since_write=state.SPACING)
