"""Merge patch, JSON patch and strategic merge patch."""

import pytest

from tests.contract.kube.endpoint import JSON_PATCH, STRATEGIC
from tests.testkit.kubernetes_objects import claim, config_map, pod


@pytest.fixture
def path(api, place):
    """A ConfigMap with data {key: 1}, a label and an annotation."""
    made = api.create(
        place.core("configmaps"), config_map("a", labels={"l": "1"}, annotations={"example.com/a": "1"})
    )
    assert made.code == 201
    return place.core("configmaps", "a")


def test_merge_patch_merges_and_null_removes(api, path):
    patched = api.patch(path, {"data": {"key": None, "other": "2"}, "metadata": {"labels": {"m": "2"}}})
    assert patched.code == 200
    assert patched.body["data"] == {"other": "2"}
    assert patched.body["metadata"]["labels"] == {"l": "1", "m": "2"}


def test_removing_the_last_member_removes_the_map(api, path):
    patched = api.patch(
        path, {"metadata": {"labels": {"l": None}, "annotations": None}, "data": {"key": None}}
    )
    assert "labels" not in patched.body["metadata"]
    assert "annotations" not in patched.body["metadata"]
    assert "data" not in patched.body


def test_a_patch_with_an_older_version_conflicts(api, path):
    version = api.get(path).version
    assert api.patch(path, {"data": {"key": "2"}, "metadata": {"resourceVersion": version}}).code == 200
    refused = api.patch(path, {"data": {"key": "3"}, "metadata": {"resourceVersion": version}})
    assert refused.failure[:2] == (409, "Conflict")
    assert api.get(path).body["data"] == {"key": "2"}


def test_a_patch_cannot_change_what_is_immutable(api, path):
    refused = api.patch(path, {"metadata": {"uid": "other"}})
    assert refused.failure[:2] == (422, "Invalid")
    assert refused.causes == [
        ("metadata.uid", "FieldValueInvalid", 'Invalid value: "other": field is immutable')
    ]
    assert api.patch(path, {"metadata": {"name": "b"}}).failure[:2] == (400, "BadRequest")
    assert api.patch(path, {"metadata": {"namespace": "default"}}).failure[:2] == (400, "BadRequest")
    made = api.get(path).body["metadata"]["creationTimestamp"]
    same = api.patch(path, {"metadata": {"creationTimestamp": "2000-01-01T00:00:00Z"}})
    assert (same.code, same.body["metadata"]["creationTimestamp"]) == (200, made)


def test_patching_a_missing_object_is_not_found(api, place):
    refused = api.patch(place.core("configmaps", "none"), {"data": {}})
    assert refused.failure == (404, "NotFound", 'configmaps "none" not found')


@pytest.mark.parametrize("body", [[], "text", 1])
def test_a_merge_patch_is_an_object(api, path, body):
    assert api.patch(path, body).failure[:2] == (400, "BadRequest")


def test_json_patch_operations(api, path):
    operations = [
        {"op": "test", "path": "/data/key", "value": "1"},
        {"op": "add", "path": "/data/x", "value": "1"},
        {"op": "copy", "from": "/data/x", "path": "/data/y"},
        {"op": "move", "from": "/data/y", "path": "/data/z"},
        {"op": "replace", "path": "/data/z", "value": "9"},
        {"op": "remove", "path": "/data/key"},
        {"op": "add", "path": "/metadata/annotations/example.com~1b", "value": "2"},
    ]
    patched = api.patch(path, operations, JSON_PATCH)
    assert patched.code == 200
    assert patched.body["data"] == {"x": "1", "z": "9"}
    assert patched.body["metadata"]["annotations"] == {"example.com/a": "1", "example.com/b": "2"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/key", "value": "2"},
        {"op": "test", "path": "/data/none", "value": "1"},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "remove", "path": "/data/none"},
        {"op": "add", "path": "/none/deep", "value": "1"},
        {"op": "dance", "path": "/data/x", "value": "1"},
    ],
)
def test_a_json_patch_that_does_not_apply_changes_nothing(api, path, operation):
    refused = api.patch(path, [{"op": "add", "path": "/data/first", "value": "1"}, operation], JSON_PATCH)
    text = "the server rejected our request due to an error in our request"
    assert refused.failure == (422, "Invalid", text)
    assert api.get(path).body["data"] == {"key": "1"}


def test_json_patch_works_on_lists(api, place):
    api.create(place.claims(), {**claim("c"), "spec": {"list": [1, 2, 3]}})
    operations = [
        {"op": "add", "path": "/spec/list/-", "value": 4},
        {"op": "add", "path": "/spec/list/0", "value": 0},
        {"op": "remove", "path": "/spec/list/2"},
        {"op": "replace", "path": "/spec/list/1", "value": "one"},
    ]
    patched = api.patch(place.claims("c"), operations, JSON_PATCH)
    assert patched.body["spec"]["list"] == [0, "one", 3, 4]
    out = [{"op": "replace", "path": "/spec/list/9", "value": 1}]
    assert api.patch(place.claims("c"), out, JSON_PATCH).code == 422


def test_a_json_patch_is_a_list(api, path):
    assert api.patch(path, {"op": "add"}, JSON_PATCH).failure[:2] == (400, "BadRequest")


def test_a_wrong_type_after_the_patch_is_invalid(api, path):
    refused = api.patch(path, [{"op": "add", "path": "/data", "value": "text"}], JSON_PATCH)
    assert refused.failure[:2] == (422, "Invalid")
    assert [cause[:2] for cause in refused.causes] == [("patch", "FieldValueInvalid")]


def test_an_unknown_patch_type_is_refused(api, path, place):
    assert api.patch(path, {}, "application/json").failure[:2] == (415, "UnsupportedMediaType")
    api.create(place.claims(), claim("c"))
    refused = api.patch(place.claims("c"), {}, STRATEGIC)
    assert refused.failure[:2] == (415, "UnsupportedMediaType")
    assert "application/merge-patch+json" in refused.body["message"]


def test_strategic_merge_joins_lists_by_their_key(api, place):
    api.create(place.core("pods"), pod("p"))
    path = place.core("pods", "p", "status")
    ready = {"type": "Ready", "status": "False"}
    api.patch(path, {"status": {"conditions": [ready, {"type": "Initialized", "status": "True"}]}}, STRATEGIC)
    body = {
        "status": {
            "conditions": [
                {"type": "example.com/Gate", "status": "True"},
                {"type": "Ready", "status": "True"},
                {"$patch": "delete", "type": "Initialized"},
            ]
        }
    }
    patched = api.patch(path, body, STRATEGIC)
    assert patched.code == 200
    found = {item["type"]: item["status"] for item in patched.body["status"]["conditions"]}
    assert found == {"example.com/Gate": "True", "Ready": "True"}


def test_merge_patch_replaces_lists(api, place):
    api.create(place.core("pods"), pod("p"))
    path = place.core("pods", "p", "status")
    api.patch(path, {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    patched = api.patch(path, {"status": {"conditions": [{"type": "example.com/Gate", "status": "True"}]}})
    assert [item["type"] for item in patched.body["status"]["conditions"]] == ["example.com/Gate"]
