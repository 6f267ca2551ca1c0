"""Objects as people may have written them, read without a failure; and what a cache keeps of them."""

import pytest

from ipamd.core.kubernetes import fields


@pytest.mark.parametrize("wrong", [None, 1, True, "text", ["item"], {"key": 1}], ids=repr)
def test_what_is_of_another_type_is_empty(wrong):
    assert fields.mapping(wrong) == (wrong if isinstance(wrong, dict) else {})
    assert fields.items(wrong) == (wrong if isinstance(wrong, list) else [])
    assert fields.text(wrong) == (wrong if isinstance(wrong, str) else "")


def test_a_trimmed_object_has_what_is_named_and_spec_and_status():
    obj = {
        "kind": "EIPClaim",
        "metadata": {
            "name": "web-0",
            "managedFields": [{}],
            "labels": {"node": "n1", "app": "web"},
            "annotations": {"expiry": "5m", "note": "x" * 1000},
        },
        "spec": {"a": 1},
        "status": {"b": 2},
    }

    kept = fields.trimmed(obj, metadata=("name", "uid"), labels=("node",), annotations=("expiry", "none"))

    assert kept == {
        "metadata": {"name": "web-0", "labels": {"node": "n1"}, "annotations": {"expiry": "5m"}},
        "spec": {"a": 1},
        "status": {"b": 2},
    }


@pytest.mark.parametrize("wrong", [None, "text", ["item"]], ids=repr)
def test_an_object_with_labels_of_another_type_is_trimmed_all_the_same(wrong):
    obj = {"metadata": {"name": "web-0", "labels": wrong, "annotations": wrong}}

    kept = fields.trimmed(obj, metadata=("name",), labels=("node",), annotations=("expiry",))

    assert kept == {"metadata": {"name": "web-0", "labels": {}, "annotations": {}}}
