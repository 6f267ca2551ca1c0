"""Patches against the examples of their RFCs, and laws that hold for any value."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from simulator.kube import patches, status, strategic

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c/d", "~"]), JSON, max_size=4)


def difference(old, new):
    """Make the merge patch that locks one map without nulls into another."""
    patch = {key: None for key in old if key not in new}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            patch[key] = difference(old[key], value)
        elif key not in old or old[key] != value:
            patch[key] = value
    return patch


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


@given(OBJECTS.map(without_nulls), OBJECTS.map(without_nulls))
def test_the_difference_of_two_objects_merges_one_into_the_other(old, new):
    assert patches.merge(old, difference(old, new)) == new


@given(OBJECTS, OBJECTS)
def test_a_merge_leaves_the_original_alone(old, patch):
    before = repr(old)
    patches.merge(old, patch)
    strategic.merge(old, patch)
    assert repr(old) == before


@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [  # RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_examples(original, patch, result):
    assert patches.merge(original, patch) == result


@pytest.mark.parametrize(
    ("original", "operations", "result"),
    [  # RFC 6902, appendix A
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        (
            {"foo": ["bar", "baz"]},
            [{"op": "add", "path": "/foo/1", "value": "qux"}],
            {"foo": ["bar", "qux", "baz"]},
        ),
        ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
        ({"foo": None}, [{"op": "test", "path": "/foo", "value": None}], {"foo": None}),
        ({"foo": "bar"}, [{"op": "add", "path": "", "value": {"new": 1}}], {"new": 1}),
    ],
)
def test_json_patch_examples(original, operations, result):
    before = repr(original)
    assert patches.apply_operations(original, operations) == result
    assert repr(original) == before


@given(
    OBJECTS,
    st.lists(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "other"])},
            optional={
                "path": st.text("/ab~0-", max_size=6),
                "from": st.text("/ab~0-", max_size=6),
                "value": JSON,
            },
        ),
        max_size=4,
    ),
)
def test_any_operations_apply_or_are_unprocessable(original, operations):
    codes = set()
    try:
        patches.apply_operations(original, operations)
    except status.ApiError as error:
        codes.add(error.code)
    assert codes <= {422}


@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        (["a", "b"], ["b", "c"], ["a", "b", "c"]),
        ([], ["a"], ["a"]),
    ],
)
def test_finalizers_are_joined_by_a_strategic_merge(original, patch, result):
    merged = strategic.merge({"metadata": {"finalizers": original}}, {"metadata": {"finalizers": patch}})
    assert merged == {"metadata": {"finalizers": result}}


def test_strategic_directives():
    original = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b"}], "tolerations": [1]}}
    patch = {"spec": {"containers": [{"name": "c"}, {"name": "a", "tty": True}], "tolerations": [2]}}
    merged = strategic.merge(original, patch)["spec"]
    assert merged == {
        "containers": [{"name": "c"}, {"name": "a", "image": "1", "tty": True}, {"name": "b"}],
        "tolerations": [2],
    }
    replaced = {"spec": {"$patch": "replace", "containers": [{"name": "z"}]}}
    assert strategic.merge(original, replaced) == {"spec": {"containers": [{"name": "z"}]}}
    primitive = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}
    assert strategic.merge({"metadata": {"finalizers": ["x", "y"]}}, primitive) == {
        "metadata": {"finalizers": ["y"]}
    }
