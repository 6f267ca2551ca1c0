"""Deletion: finalizers, preconditions, graceful deletion of Pods, collections."""

from tests.testkit.kubernetes_objects import claim, config_map, pod

FINALIZER = "networking.tke.cloud.tencent.com/eip"


def test_a_deleted_object_is_gone(api, place):
    made = api.create(place.core("configmaps"), config_map("a"))
    gone = api.delete(place.core("configmaps", "a"))
    assert (gone.code, gone.body["kind"], gone.body["status"]) == (200, "Status", "Success")
    assert gone.body["details"] == {"name": "a", "kind": "configmaps", "uid": made.body["metadata"]["uid"]}
    assert api.get(place.core("configmaps", "a")).code == 404
    again = api.delete(place.core("configmaps", "a"))
    assert again.failure == (404, "NotFound", 'configmaps "a" not found')


def test_a_name_can_be_used_again_with_another_uid(api, place):
    first = api.create(place.core("configmaps"), config_map("a"))
    api.delete(place.core("configmaps", "a"))
    second = api.create(place.core("configmaps"), config_map("a"))
    assert second.code == 201
    assert second.body["metadata"]["uid"] != first.body["metadata"]["uid"]


def test_a_finalizer_holds_the_object_until_it_is_removed(api, place):
    api.create(place.claims(), claim("c", finalizers=[FINALIZER]))
    held = api.delete(place.claims("c"))
    assert held.code == 200
    assert held.body["metadata"]["deletionTimestamp"]
    assert held.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert held.body["metadata"]["generation"] == 2
    again = api.delete(place.claims("c"))
    assert again.body["metadata"]["deletionTimestamp"] == held.body["metadata"]["deletionTimestamp"]
    assert again.version == held.version
    assert api.patch(place.claims("c", "status"), {"status": {"phase": "Releasing"}}).code == 200
    last = api.patch(place.claims("c"), {"metadata": {"finalizers": None}})
    assert last.code == 200
    assert "finalizers" not in last.body["metadata"]
    assert api.get(place.claims("c")).code == 404


def test_the_status_subresource_does_not_remove_finalizers(api, place):
    api.create(place.claims(), claim("c", finalizers=[FINALIZER]))
    api.delete(place.claims("c"))
    api.patch(
        place.claims("c", "status"), {"metadata": {"finalizers": None}, "status": {"phase": "Releasing"}}
    )
    assert api.get(place.claims("c")).body["metadata"]["finalizers"] == [FINALIZER]


def test_no_finalizer_is_added_to_an_object_that_is_deleted(api, place):
    api.create(place.claims(), claim("c", finalizers=[FINALIZER]))
    api.delete(place.claims("c"))
    refused = api.patch(place.claims("c"), {"metadata": {"finalizers": [FINALIZER, "example.com/late"]}})
    assert refused.failure[:2] == (422, "Invalid")
    assert refused.causes == [
        (
            "metadata.finalizers",
            "FieldValueForbidden",
            (
                "Forbidden: no new finalizers can be added if the object is being deleted, "
                'found new finalizers []string{"example.com/late"}'
            ),
        )
    ]


def test_deletion_cannot_be_taken_back(api, place):
    api.create(place.claims(), claim("c", finalizers=[FINALIZER]))
    api.delete(place.claims("c"))
    patched = api.patch(place.claims("c"), {"metadata": {"deletionTimestamp": None}, "spec": {"x": 1}})
    assert patched.code == 200
    assert patched.body["metadata"]["deletionTimestamp"]


def test_a_name_that_is_being_deleted_is_taken(api, place):
    api.create(place.claims(), claim("c", finalizers=[FINALIZER]))
    api.delete(place.claims("c"))
    refused = api.create(place.claims(), claim("c"))
    text = 'object is being deleted: eipclaims.networking.tke.cloud.tencent.com "c" already exists'
    assert refused.failure == (409, "AlreadyExists", text)


def test_preconditions_protect_another_object(api, place):
    made = api.create(place.core("configmaps"), config_map("a"))
    path, uid = place.core("configmaps", "a"), made.body["metadata"]["uid"]
    refused = api.delete(path, {"preconditions": {"uid": "other"}})
    text = (
        'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (other) does not match '
        f"the UID in record ({uid}). The object might have been deleted and then recreated"
    )
    assert refused.failure == (409, "Conflict", text)
    refused = api.delete(path, {"preconditions": {"resourceVersion": "1"}})
    assert refused.failure[:2] == (409, "Conflict")
    assert api.delete(path, {"preconditions": {"uid": uid, "resourceVersion": made.version}}).code == 200


def test_wrong_delete_options_are_refused(api, place):
    api.create(place.core("configmaps"), config_map("a"))
    path = place.core("configmaps", "a")
    assert api.delete(path, {"propagationPolicy": "Sideways"}).failure[:2] == (422, "Invalid")
    assert api.delete(path, propagationPolicy="Sideways").failure[:2] == (422, "Invalid")
    both = {"propagationPolicy": "Orphan", "orphanDependents": True}
    assert api.delete(path, both).failure[:2] == (422, "Invalid")
    assert api.delete(path, gracePeriodSeconds="soon").failure[:2] == (400, "BadRequest")


def test_a_pod_without_a_node_goes_at_once(api, place):
    api.create(place.core("pods"), pod("p"))
    gone = api.delete(place.core("pods", "p"))
    assert (gone.code, gone.body["kind"]) == (200, "Pod")
    assert api.get(place.core("pods", "p")).code == 404


def test_a_pod_on_a_node_waits_for_its_kubelet(api, place):
    api.create(place.core("pods"), pod("p", node="node-1"))
    path = place.core("pods", "p")
    first = api.delete(path)
    assert first.code == 200
    assert first.body["metadata"]["deletionGracePeriodSeconds"] == 30
    again = api.delete(path)
    assert again.version == first.version
    shorter = api.delete(path, {"gracePeriodSeconds": 5})
    assert shorter.body["metadata"]["deletionGracePeriodSeconds"] == 5
    assert shorter.body["metadata"]["deletionTimestamp"] < first.body["metadata"]["deletionTimestamp"]
    longer = api.delete(path, {"gracePeriodSeconds": 60})
    assert longer.body["metadata"]["deletionGracePeriodSeconds"] == 5
    last = api.delete(path, {"gracePeriodSeconds": 0})
    assert (last.code, last.body["kind"]) == (200, "Pod")
    assert api.get(path).code == 404


def test_the_grace_of_a_pod_is_its_own(api, place):
    body = pod("p", node="node-1")
    body["spec"]["terminationGracePeriodSeconds"] = 7
    api.create(place.core("pods"), body)
    waiting = api.delete(place.core("pods", "p")).body["metadata"]
    assert waiting["deletionGracePeriodSeconds"] == 7
    api.delete(place.core("pods", "p"), gracePeriodSeconds=0)


def test_a_finished_pod_goes_at_once(api, place):
    api.create(place.core("pods"), pod("p", node="node-1"))
    api.patch(place.core("pods", "p", "status"), {"status": {"phase": "Succeeded"}})
    api.delete(place.core("pods", "p"))
    assert api.get(place.core("pods", "p")).code == 404


def test_a_pod_with_a_finalizer_outlives_its_grace(api, place):
    api.create(place.core("pods"), pod("p", node="node-1", finalizers=["example.com/f"]))
    path = place.core("pods", "p")
    held = api.delete(path, {"gracePeriodSeconds": 0})
    assert held.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert api.get(path).code == 200
    api.patch(path, {"metadata": {"finalizers": None}})
    assert api.get(path).code == 404


def test_no_binding_of_a_pod_that_is_deleted(api, place):
    api.create(place.core("pods"), pod("p", finalizers=["example.com/f"]))
    api.delete(place.core("pods", "p"))
    body = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    refused = api.create(place.core("pods", "p", "binding"), body)
    cause = "pod p is being deleted, cannot be assigned to a host"
    text = f'Operation cannot be fulfilled on pods/binding "p": {cause}'
    assert refused.failure == (409, "Conflict", text)
    api.patch(place.core("pods", "p"), {"metadata": {"finalizers": None}})


def test_a_collection_is_deleted_by_selector(api, place):
    for name in ("a", "b", "c"):
        labels = {"go": "yes"} if name != "c" else {}
        api.create(place.core("configmaps"), config_map(name, labels=labels))
    deleted = api.delete(place.core("configmaps"), labelSelector="go=yes")
    assert deleted.code == 200
    left = [name for name in api.get(place.core("configmaps")).names if name in ("a", "b", "c")]
    assert left == ["c"]


def test_a_collection_waits_for_finalizers_too(api, place):
    api.create(place.claims(), claim("a", finalizers=[FINALIZER]))
    api.create(place.claims(), claim("b"))
    assert api.delete(place.claims()).code == 200
    listed = api.get(place.claims())
    assert listed.names == ["a"]
    assert listed.body["items"][0]["metadata"]["deletionTimestamp"]
    api.patch(place.claims("a"), {"metadata": {"finalizers": None}})


def test_an_eviction_deletes_the_pod(api, place):
    api.create(place.core("pods"), pod("p"))
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    evicted = api.create(place.core("pods", "p", "eviction"), body)
    assert (evicted.code, evicted.body["status"]) == (201, "Success")
    assert api.get(place.core("pods", "p")).code == 404
