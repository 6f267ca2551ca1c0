"""Create, get and replace: what the server sets, keeps, compares and refuses."""

import uuid

import pytest

from tests.testkit.kubernetes_objects import claim, config_map, pod


def test_a_created_object_has_what_the_server_sets(api, place):
    sent = config_map("a", uid=str(uuid.uuid4()), creationTimestamp="2020-01-01T00:00:00Z")
    made = api.create(place.core("configmaps"), sent)
    assert made.code == 201
    meta = made.body["metadata"]
    assert uuid.UUID(meta["uid"]) != uuid.UUID(sent["metadata"]["uid"])
    assert meta["creationTimestamp"] > "2020-01-01T00:00:00Z"
    assert int(meta["resourceVersion"]) > 0
    assert meta["namespace"] == place.name
    assert (made.body["kind"], made.body["apiVersion"]) == ("ConfigMap", "v1")
    read = api.get(place.core("configmaps", "a"))
    assert read.code == 200
    assert read.body == made.body


def test_a_name_exists_once(api, place):
    api.create(place.core("configmaps"), config_map("a"))
    again = api.create(place.core("configmaps"), config_map("a"))
    assert again.failure == (409, "AlreadyExists", 'configmaps "a" already exists')
    assert again.body["details"] == {"name": "a", "kind": "configmaps"}


def test_a_name_is_generated_from_a_prefix(api, place):
    sent = {"metadata": {"generateName": "made-"}, "data": {}}
    names = {api.create(place.core("configmaps"), sent).body["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(len(name) == len("made-") + 5 and name.startswith("made-") for name in names)


def test_an_object_without_a_name_is_refused(api, place):
    refused = api.create(place.core("configmaps"), {"data": {}})
    assert refused.failure[:2] == (422, "Invalid")
    assert refused.causes == [
        ("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
    ]


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", "x" * 254])
def test_a_name_follows_dns(api, place, name):
    refused = api.create(place.core("configmaps"), config_map(name))
    assert refused.failure[:2] == (422, "Invalid")
    assert [cause[:2] for cause in refused.causes] == [("metadata.name", "FieldValueInvalid")]


def test_namespace_must_exist(api, place):
    missing = f"{place.name}-missing"
    refused = api.create(f"/api/v1/namespaces/{missing}/configmaps", config_map("a"))
    assert refused.failure == (404, "NotFound", f'namespaces "{missing}" not found')
    assert refused.body["details"] == {"name": missing, "kind": "namespaces"}


def test_namespace_in_the_body_is_that_of_the_path(api, place):
    refused = api.create(place.core("configmaps"), config_map("a", namespace="default"))
    text = "the namespace of the provided object does not match the namespace sent on the request"
    assert refused.failure == (400, "BadRequest", text)


def test_a_missing_object_is_named(api, place):
    assert api.get(place.core("pods", "nope")).failure == (404, "NotFound", 'pods "nope" not found')
    missing = api.get(place.apps("statefulsets", "nope"))
    assert missing.failure == (404, "NotFound", 'statefulsets.apps "nope" not found')
    assert missing.body["details"] == {"name": "nope", "group": "apps", "kind": "statefulsets"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"'])
def test_a_body_that_is_no_object_is_refused(api, place, body):
    assert api.create(place.core("configmaps"), body).failure[:2] == (400, "BadRequest")


def test_another_kind_is_refused(api, place):
    refused = api.create(place.core("configmaps"), pod("a"))
    assert refused.failure[:2] == (400, "BadRequest")
    assert refused.body["message"].startswith('Pod in version "v1" cannot be handled as a ConfigMap')


def test_labels_and_annotations_hold_text(api, place):
    for member in ("labels", "annotations"):
        refused = api.create(place.core("configmaps"), config_map("a", **{member: {"number": 1}}))
        assert refused.failure[:2] == (400, "BadRequest")
        assert "cannot unmarshal number" in refused.body["message"]


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"labels": {"a b": "c"}}, "metadata.labels"),
        ({"labels": {"a": "c d"}}, "metadata.labels"),
        ({"labels": {"a": "c" * 64}}, "metadata.labels"),
        ({"annotations": {"a b": "c"}}, "metadata.annotations"),
        ({"finalizers": ["no-domain"]}, "metadata.finalizers[0]"),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]},
            "metadata.ownerReferences.uid",
        ),
    ],
)
def test_metadata_is_checked(api, place, metadata, field):
    refused = api.create(place.core("configmaps"), config_map("a", **metadata))
    assert refused.failure[:2] == (422, "Invalid")
    assert [cause[:2] for cause in refused.causes] == [(field, "FieldValueInvalid")]


def test_resource_version_is_not_for_a_create(api, place):
    refused = api.create(place.core("configmaps"), config_map("a", resourceVersion="1"))
    assert refused.failure == (500, "", "resourceVersion should not be set on objects to be created")


def test_dry_run_keeps_nothing(api, place):
    path = place.core("configmaps", "a")
    assert api.create(place.core("configmaps"), config_map("a"), dryRun="All").code == 201
    assert api.get(path).code == 404
    made = api.create(place.core("configmaps"), config_map("a"))
    assert api.patch(path, {"data": {"key": "2"}}, dryRun="All").body["data"] == {"key": "2"}
    assert api.replace(path, config_map("a", labels={"a": "b"}), dryRun="All").code == 200
    assert api.delete(path, dryRun="All").code == 200
    assert api.delete(path, {"dryRun": ["All"]}).code == 200
    assert api.get(path).body == made.body
    assert api.create(place.core("configmaps"), config_map("b"), dryRun="Some").failure[:2] == (
        422,
        "Invalid",
    )


def test_replace_changes_and_counts(api, place):
    first = api.create(place.core("configmaps"), config_map("a"))
    body = {**first.body, "data": {"key": "2"}}
    second = api.replace(place.core("configmaps", "a"), body)
    assert second.code == 200
    assert second.body["data"] == {"key": "2"}
    assert int(second.version) > int(first.version)
    assert second.body["metadata"]["uid"] == first.body["metadata"]["uid"]


def test_replace_for_an_older_version_conflicts(api, place):
    first = api.create(place.core("configmaps"), config_map("a"))
    api.patch(place.core("configmaps", "a"), {"data": {"key": "2"}})
    refused = api.replace(place.core("configmaps", "a"), first.body)
    text = (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert refused.failure == (409, "Conflict", text)
    assert refused.body["details"] == {"name": "a", "kind": "configmaps"}


def test_a_write_that_changes_nothing_keeps_the_version(api, place):
    first = api.create(place.core("configmaps"), config_map("a"))
    assert api.replace(place.core("configmaps", "a"), first.body).version == first.version
    assert api.patch(place.core("configmaps", "a"), {"data": {"key": "1"}}).version == first.version


def test_replace_for_another_uid_conflicts(api, place):
    api.create(place.core("configmaps"), config_map("a"))
    refused = api.replace(place.core("configmaps", "a"), config_map("a", uid="other"))
    assert refused.failure[:2] == (409, "Conflict")
    assert "Precondition failed: UID in precondition: other" in refused.body["message"]


def test_replace_needs_the_name_of_the_path(api, place):
    api.create(place.core("configmaps"), config_map("a"))
    refused = api.replace(place.core("configmaps", "a"), config_map("b"))
    text = "the name of the object (b) does not match the name on the URL (a)"
    assert refused.failure == (400, "BadRequest", text)
    assert api.replace(place.core("configmaps", "a"), {"data": {}}).failure[:2] == (400, "BadRequest")


def test_replace_does_not_create_but_for_leases(api, place):
    refused = api.replace(place.core("configmaps", "a"), config_map("a"))
    assert refused.failure == (404, "NotFound", 'configmaps "a" not found')
    made = api.replace(place.leases("l"), {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}})
    assert made.code == 201


def test_custom_resources_and_leases_need_a_version_to_be_replaced(api, place):
    api.create(place.claims(), claim("c"))
    api.create(place.leases(), {"metadata": {"name": "l"}, "spec": {}})
    for path, body in (
        (place.claims("c"), claim("c")),
        (place.leases("l"), {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}),
    ):
        refused = api.replace(path, body)
        assert refused.failure[:2] == (422, "Invalid")
        assert refused.causes == [
            (
                "metadata.resourceVersion",
                "FieldValueInvalid",
                "Invalid value: 0: must be specified for an update",
            )
        ]


def test_a_custom_resource_keeps_what_it_was_given(api, place):
    sent = {**claim("c"), "spec": {"any": [{"thing": {}}, 1, 2.5, True], "empty": {}}}
    made = api.create(place.claims(), sent)
    assert made.code == 201
    assert made.body["spec"] == sent["spec"]


def test_a_custom_resource_must_say_its_kind(api, place):
    assert api.create(place.claims(), {"metadata": {"name": "c"}}).failure[:2] == (400, "BadRequest")
    other = {**claim("c"), "apiVersion": f"{claim('c')['apiVersion']}beta1"}
    assert api.create(place.claims(), other).failure[:2] == (400, "BadRequest")


def test_small_print_of_metadata(api, place):
    reference = {"apiVersion": "v1", "kind": "Thing", "name": "x", "uid": "y"}
    sent = config_map("a", labels={"empty": None}, resourceVersion="0", generation=0)
    sent["metadata"]["annotations"] = {}
    made = api.create(place.core("configmaps"), sent).body["metadata"]
    assert made["labels"] == {"empty": ""}
    assert not {"annotations", "generation"} & made.keys()
    twice = claim("c", ownerReferences=[reference, reference], finalizers=["example.com/f"])
    owned = api.create(place.claims(), twice)
    assert owned.body["metadata"]["ownerReferences"] == [reference]
    refused = api.create(place.claims(), claim("d", finalizers=["orphan", "foregroundDeletion"]))
    assert [cause[0] for cause in refused.causes] == ["metadata.finalizers"]
    api.patch(place.claims("c"), {"metadata": {"finalizers": None}})


def test_a_client_does_not_set_the_marks_of_a_deletion(api, place):
    api.create(place.core("configmaps"), config_map("a"))
    for mark in ({"deletionTimestamp": "2030-01-01T00:00:00Z"}, {"deletionGracePeriodSeconds": 5}):
        refused = api.patch(place.core("configmaps", "a"), {"metadata": mark})
        assert [cause[:2] for cause in refused.causes] == [
            (f"metadata.{next(iter(mark))}", "FieldValueInvalid")
        ]


def test_a_lease_that_is_gone_is_not_made_again_for_its_old_uid(api, place):
    body = {"metadata": {"name": "l", "uid": str(uuid.uuid4())}, "spec": {"holderIdentity": "me"}}
    assert api.replace(place.leases("l"), body).failure[:2] == (409, "Conflict")
