"""Selectors of nodes as people write them; what is refused is named with its place and what is allowed."""

import pytest

from ipamd.core.errors import InvalidInputError
from ipamd.core.node_config import selector
from ipamd.core.node_config.selector import Requirement


def expression(**parts):
    return {"matchExpressions": [parts]}


def test_labels_and_expressions_are_read_as_conditions():
    found = selector.read(
        {
            "matchLabels": {"a": "x"},
            "matchExpressions": [
                {"key": "b", "operator": "Exists"},
                {"key": "c", "operator": "In", "values": ["y"]},
            ],
        },
        "spec",
    )

    assert found == (
        Requirement(key="a", operator="In", values=("x",)),
        Requirement(key="b", operator="Exists"),
        Requirement(key="c", operator="In", values=("y",)),
    )


@pytest.mark.parametrize(
    "nothing", [{}, {"matchLabels": None}, {"matchExpressions": None}, {"matchLabels": {}}]
)
def test_an_empty_selector_matches_every_node(nothing):
    assert selector.matches(selector.read(nothing, "spec"), {"any": "thing"})


@pytest.mark.parametrize(
    ("written", "place", "allowed"),
    [
        (["a"], "spec is", "an object with matchLabels or matchExpressions"),
        (
            {"labels": {"a": "b"}, "names": {}},
            'spec.labels is {"a": "b"}',
            "matchLabels and matchExpressions",
        ),
        ({"matchLabels": ["a"]}, "spec.matchLabels is", "labels with their values"),
        ({"matchLabels": {"a": 1}}, "spec.matchLabels is", "labels with their values"),
        ({"matchExpressions": "abc"}, "spec.matchExpressions is", "a list"),
        ({"matchExpressions": {"a": 1}}, "spec.matchExpressions is", "a list"),
        ({"matchExpressions": ["a"]}, "spec.matchExpressions[0] is", "an object with key, operator"),
        (expression(key=5, operator="Exists"), "spec.matchExpressions[0] is", "an object with key"),
        (expression(key="", operator="Exists"), "spec.matchExpressions[0] is", "an object with key"),
        (expression(key="a"), "[0].operator is null", "In, NotIn, Exists, DoesNotExist"),
        (
            expression(key="a", operator="In", values="xy"),
            "[0].values is",
            "one text or more with operator In",
        ),
        (
            expression(key="a", operator="In", values=[1]),
            "[0].values is",
            "one text or more with operator In",
        ),
        (
            expression(key="a", operator="NotIn", values=[]),
            "[0].values is",
            "one text or more with operator N",
        ),
        (expression(key="a", operator="Exists", values=["x"]), "[0].values is", "nothing with operator Exi"),
    ],
)
def test_what_is_no_selector_is_refused(written, place, allowed):
    with pytest.raises(InvalidInputError) as refusal:
        selector.read(written, "spec")

    assert place in refusal.value.message
    assert refusal.value.advice.startswith(f"allowed is {allowed}")


def test_the_second_of_two_is_named_when_it_is_wrong():
    both = {"matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Is"}]}

    with pytest.raises(InvalidInputError, match=r"spec\.matchExpressions\[1\]\.operator is"):
        selector.read(both, "spec")
