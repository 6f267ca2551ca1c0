"""What the controllers do after a deletion: dependents follow their owners, namespaces are emptied."""

import pytest

from tests.contract.kube.endpoint import owner
from tests.testkit.eventually import eventually
from tests.testkit.kubernetes_objects import claim, config_map, pod


@pytest.fixture
def parent(api, place):
    return api.create(place.core("configmaps"), config_map("parent")).body


def test_dependents_go_with_their_owner(api, place, parent):
    api.create(place.claims(), claim("child", ownerReferences=[owner(parent)]))
    api.create(place.core("pods"), pod("child", ownerReferences=[owner(parent)]))
    api.create(place.core("pods"), pod("stranger"))
    api.delete(place.core("configmaps", "parent"))
    eventually(lambda: api.get(place.claims("child")).code == 404, "the claim is collected")
    eventually(lambda: api.get(place.core("pods", "child")).code == 404, "the Pod is collected")
    assert api.get(place.core("pods", "stranger")).code == 200


def test_a_dependent_whose_owner_never_was_is_collected(api, place, parent):
    reference = {**owner(parent), "uid": "00000000-0000-0000-0000-000000000000"}
    api.create(place.claims(), claim("child", ownerReferences=[reference]))
    eventually(lambda: api.get(place.claims("child")).code == 404, "the claim is collected")


def test_a_finalizer_holds_a_collected_dependent(api, place, parent):
    api.create(place.claims(), claim("child", finalizers=["example.com/f"], ownerReferences=[owner(parent)]))
    api.delete(place.core("configmaps", "parent"))
    eventually(
        lambda: "deletionTimestamp" in api.get(place.claims("child")).body["metadata"], "the claim is deleted"
    )
    api.patch(place.claims("child"), {"metadata": {"finalizers": None}})
    assert api.get(place.claims("child")).code == 404


def test_orphans_lose_the_reference_and_stay(api, place, parent):
    api.create(place.claims(), claim("child", ownerReferences=[owner(parent)]))
    api.delete(place.core("configmaps", "parent"), {"propagationPolicy": "Orphan"})
    eventually(lambda: api.get(place.core("configmaps", "parent")).code == 404, "the owner is gone")
    child = api.get(place.claims("child"))
    assert child.code == 200
    assert "ownerReferences" not in child.body["metadata"]


def test_foreground_deletion_waits_for_blocking_dependents(api, place, parent):
    reference = owner(parent, blockOwnerDeletion=True)
    api.create(place.claims(), claim("child", finalizers=["example.com/f"], ownerReferences=[reference]))
    path = place.core("configmaps", "parent")
    waiting = api.delete(path, {"propagationPolicy": "Foreground"})
    assert waiting.code == 200
    assert waiting.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    eventually(
        lambda: "deletionTimestamp" in api.get(place.claims("child")).body["metadata"], "the claim is deleted"
    )
    assert api.get(path).code == 200
    api.patch(place.claims("child"), {"metadata": {"finalizers": None}})
    eventually(lambda: api.get(path).code == 404, "the owner is gone")


def test_one_owner_left_is_enough(api, place, parent):
    other = api.create(place.core("configmaps"), config_map("other")).body
    api.create(place.claims(), claim("child", ownerReferences=[owner(parent), owner(other)]))
    api.delete(place.core("configmaps", "parent"))

    def owners():
        return [item["name"] for item in api.get(place.claims("child")).body["metadata"]["ownerReferences"]]

    eventually(lambda: owners() == ["other"], "the reference to the absent owner is dropped")


def test_chains_of_owners_are_collected(api, place, parent):
    middle = api.create(place.claims(), claim("middle", ownerReferences=[owner(parent)])).body
    api.create(place.core("configmaps"), config_map("leaf", ownerReferences=[owner(middle)]))
    api.delete(place.core("configmaps", "parent"))
    eventually(lambda: api.get(place.core("configmaps", "leaf")).code == 404, "the leaf is collected")


def test_a_namespace_is_emptied_before_it_goes(api, place):
    api.create(place.claims(), claim("held", finalizers=["example.com/f"]))
    api.create(place.core("pods"), pod("p"))
    path = f"/api/v1/namespaces/{place.name}"
    deleted = api.delete(path)
    assert deleted.code == 200
    assert deleted.body["status"]["phase"] == "Terminating"
    refused = api.create(place.core("configmaps"), config_map("late"))
    text = (
        f'configmaps "late" is forbidden: unable to create new content in namespace {place.name} '
        "because it is being terminated"
    )
    assert refused.failure == (403, "Forbidden", text)
    assert refused.body["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {place.name} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    eventually(lambda: api.get(place.core("pods", "p")).code == 404, "the Pod is deleted")
    assert api.get(path).code == 200
    api.patch(place.claims("held"), {"metadata": {"finalizers": None}})
    eventually(lambda: api.get(path).code == 404, "the namespace is gone")


def test_the_default_namespace_stays(api):
    refused = api.delete("/api/v1/namespaces/default")
    text = 'namespaces "default" is forbidden: this namespace may not be deleted'
    assert refused.failure == (403, "Forbidden", text)


def test_a_namespace_can_be_selected_by_its_name(api, place):
    listed = api.get("/api/v1/namespaces", labelSelector=f"kubernetes.io/metadata.name={place.name}")
    assert listed.names == [place.name]
    assert listed.body["items"][0]["status"] == {"phase": "Active"}
