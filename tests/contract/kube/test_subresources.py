"""Status and spec are written apart; binding gives a Pod its node; node capacity."""

import pytest

from tests.contract.kube.endpoint import JSON_PATCH, STRATEGIC
from tests.testkit.kubernetes_objects import claim, pod


@pytest.fixture
def claim_path(api, place):
    assert api.create(place.claims(), claim("c")).code == 201
    return place.claims("c")


def test_a_new_object_has_no_status_of_the_clients_making(api, place):
    made = api.create(place.claims(), {**claim("c"), "status": {"phase": "Bound"}})
    assert "status" not in made.body
    made = api.create(place.core("pods"), {**pod("p"), "status": {"phase": "Running"}})
    assert made.body["status"]["phase"] == "Pending"


def test_main_resource_does_not_write_the_status(api, claim_path):
    api.patch(claim_path + "/status", {"status": {"phase": "Provisioned"}})
    patched = api.patch(claim_path, {"spec": {"deletePolicy": "Never"}, "status": {"phase": "Bound"}})
    assert patched.body["spec"]["deletePolicy"] == "Never"
    assert patched.body["status"] == {"phase": "Provisioned"}


def test_status_subresource_writes_nothing_but_the_status(api, claim_path):
    body = {"status": {"phase": "Bound"}, "spec": {"x": 1}, "metadata": {"labels": {"a": "b"}}}
    patched = api.patch(claim_path + "/status", body)
    assert patched.body["status"] == {"phase": "Bound"}
    assert "x" not in patched.body["spec"]
    assert "labels" not in patched.body["metadata"]
    assert api.get(claim_path + "/status").body == patched.body


def test_generation_counts_the_spec_only(api, claim_path):
    def generation(reply):
        return reply.body["metadata"]["generation"]

    assert generation(api.get(claim_path)) == 1
    assert generation(api.patch(claim_path + "/status", {"status": {"phase": "Bound"}})) == 1
    assert generation(api.patch(claim_path, {"metadata": {"labels": {"a": "b"}}})) == 1
    assert generation(api.patch(claim_path, {"spec": {"x": 1}})) == 2
    assert generation(api.patch(claim_path, {"metadata": {"generation": 9}})) == 2


def test_a_status_write_with_an_older_version_conflicts(api, claim_path):
    version = api.get(claim_path).version
    body = {"status": {"phase": "Bound"}, "metadata": {"resourceVersion": version}}
    first = api.patch(claim_path + "/status", body)
    assert first.code == 200
    body["status"] = {"phase": "Failed"}
    assert api.patch(claim_path + "/status", body).failure[:2] == (409, "Conflict")
    assert api.replace(claim_path + "/status", {**first.body, "status": {"phase": "Released"}}).code == 200


def test_a_status_write_that_changes_nothing_keeps_the_version(api, claim_path):
    first = api.patch(claim_path + "/status", {"status": {"phase": "Bound"}})
    assert api.patch(claim_path + "/status", {"status": {"phase": "Bound"}}).version == first.version


def test_a_member_of_the_status_is_removed_by_null(api, claim_path):
    api.patch(claim_path + "/status", {"status": {"phase": "Bound", "binding": {"node": "n"}}})
    patched = api.patch(claim_path + "/status", {"status": {"binding": None}})
    assert patched.body["status"] == {"phase": "Bound"}
    patched = api.patch(claim_path + "/status", [{"op": "remove", "path": "/status/phase"}], JSON_PATCH)
    assert patched.body["status"] == {}


def test_status_of_a_missing_object_is_not_found(api, place):
    assert api.patch(place.claims("none", "status"), {"status": {}}).failure[:2] == (404, "NotFound")


def test_a_pod_status_keeps_spec_and_owners(api, place):
    api.create(place.core("pods"), pod("p"))
    body = {
        "status": {"phase": "Running", "podIP": "10.0.0.9", "podIPs": [{"ip": "10.0.0.9"}]},
        "spec": {"nodeName": "elsewhere"},
        "metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y"}]},
    }
    patched = api.patch(place.core("pods", "p", "status"), body, STRATEGIC)
    assert patched.code == 200
    assert patched.body["status"]["podIP"] == "10.0.0.9"
    assert "nodeName" not in patched.body["spec"]
    assert "ownerReferences" not in patched.body["metadata"]


def test_the_spec_of_a_pod_is_fixed(api, place):
    api.create(place.core("pods"), pod("p"))
    refused = api.patch(place.core("pods", "p"), {"spec": {"nodeName": "n"}})
    assert refused.failure[:2] == (422, "Invalid")
    assert [cause[:2] for cause in refused.causes] == [("spec", "FieldValueForbidden")]
    annotated = api.patch(
        place.core("pods", "p"), {"metadata": {"annotations": {"tke.cloud.tencent.com/eip-id": "eip-1"}}}
    )
    assert annotated.body["metadata"]["annotations"] == {"tke.cloud.tencent.com/eip-id": "eip-1"}


def test_a_pod_needs_containers_with_name_and_image(api, place):
    refused = api.create(place.core("pods"), {"metadata": {"name": "p"}, "spec": {}})
    assert refused.causes == [("spec.containers", "FieldValueRequired", "Required value")]
    body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "UPPER"}]}}
    fields = {cause[0] for cause in api.create(place.core("pods"), body).causes}
    assert fields == {"spec.containers[0].name", "spec.containers[0].image"}


def binding(name, node):
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name},
        "target": {"kind": "Node", "name": node},
    }


def test_binding_puts_a_pod_on_a_node(api, place):
    api.create(place.core("pods"), pod("p"))
    bound = api.create(place.core("pods", "p", "binding"), binding("p", "node-1"))
    assert (bound.code, bound.body["status"]) == (201, "Success")
    body = api.get(place.core("pods", "p")).body
    assert body["spec"]["nodeName"] == "node-1"
    scheduled = [item for item in body["status"]["conditions"] if item["type"] == "PodScheduled"]
    assert [item["status"] for item in scheduled] == ["True"]


def test_binding_twice_conflicts(api, place):
    api.create(place.core("pods"), pod("p"))
    api.create(place.core("pods", "p", "binding"), binding("p", "node-1"))
    refused = api.create(place.core("pods", "p", "binding"), binding("p", "node-2"))
    text = 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "node-1"'
    assert refused.failure == (409, "Conflict", text)


def test_binding_a_missing_pod_is_not_found(api, place):
    refused = api.create(place.core("pods", "none", "binding"), binding("none", "node-1"))
    assert refused.failure == (404, "NotFound", 'pods "none" not found')


def test_a_node_is_created_with_its_status_but_not_changed_with_it(api, node):
    path = f"/api/v1/nodes/{node}"
    assert api.get(path).body["status"]["capacity"] == {"cpu": "2"}
    assert api.get(path).body["status"]["allocatable"] == {"cpu": "2"}
    patched = api.patch(path, {"status": {"capacity": {"cpu": "4"}}, "metadata": {"labels": {"a": "b"}}})
    assert patched.body["status"]["capacity"] == {"cpu": "2"}
    assert patched.body["metadata"]["labels"]["a"] == "b"


@pytest.mark.parametrize("content", ["application/merge-patch+json", STRATEGIC])
def test_extended_resources_are_written_to_the_node_status(api, node, content):
    path = f"/api/v1/nodes/{node}/status"
    lists = {"tke.cloud.tencent.com/eip": 5, "tke.cloud.tencent.com/eni-ip": "10"}
    patched = api.patch(path, {"status": {"capacity": lists, "allocatable": lists}}, content)
    assert patched.code == 200
    for member in ("capacity", "allocatable"):
        found = patched.body["status"][member]
        assert found["tke.cloud.tencent.com/eip"] == "5"
        assert found["tke.cloud.tencent.com/eni-ip"] == "10"
        assert found["cpu"] == "2"
    removed = api.patch(path, {"status": {"capacity": {"tke.cloud.tencent.com/eip": None}}}, content)
    assert "tke.cloud.tencent.com/eip" not in removed.body["status"]["capacity"]


def test_a_json_patch_adds_an_extended_resource(api, node):
    path = f"/api/v1/nodes/{node}/status"
    operation = {"op": "add", "path": "/status/capacity/tke.cloud.tencent.com~1eip", "value": "3"}
    patched = api.patch(path, [operation], JSON_PATCH)
    assert patched.body["status"]["capacity"]["tke.cloud.tencent.com/eip"] == "3"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.5", 'Invalid value: "1500m": must be an integer'),
        ("-1", 'Invalid value: "-1": must be greater than or equal to 0'),
    ],
)
def test_extended_resources_are_whole_and_not_negative(api, node, value, text):
    body = {"status": {"capacity": {"tke.cloud.tencent.com/eip": value}}}
    refused = api.patch(f"/api/v1/nodes/{node}/status", body)
    assert refused.failure[:2] == (422, "Invalid")
    assert refused.causes == [("status.capacity.tke.cloud.tencent.com/eip", "FieldValueInvalid", text)]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1024Mi", "1Gi"),
        ("16384000Ki", "16000Mi"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1e3", "1e3"),
        ("2000000", "2M"),
    ],
)
def test_quantities_are_kept_in_canonical_form(api, node, sent, kept):
    patched = api.patch(f"/api/v1/nodes/{node}/status", {"status": {"capacity": {"memory": sent}}})
    assert patched.body["status"]["capacity"]["memory"] == kept


def test_conditions_of_a_node_are_joined_by_type(api, node):
    path = f"/api/v1/nodes/{node}/status"
    ready = {"type": "Ready", "status": "True", "reason": "Fine"}
    api.patch(path, {"status": {"conditions": [ready]}}, STRATEGIC)
    network = {"type": "NetworkUnavailable", "status": "False", "reason": "RouteCreated"}
    patched = api.patch(path, {"status": {"conditions": [network]}}, STRATEGIC)
    assert {item["type"] for item in patched.body["status"]["conditions"]} == {"Ready", "NetworkUnavailable"}


def test_a_pod_address_and_the_list_of_them_agree(api, place):
    api.create(place.core("pods"), pod("p"))
    path = place.core("pods", "p", "status")
    assert api.patch(path, {"status": {"podIP": "10.0.0.9"}}).body["status"]["podIPs"] == [{"ip": "10.0.0.9"}]
    changed = api.patch(path, {"status": {"podIP": "10.0.0.8"}})
    assert changed.body["status"]["podIPs"] == [{"ip": "10.0.0.8"}]


def test_the_deadline_of_a_pod_only_shrinks(api, place):
    api.create(place.core("pods"), pod("p"))
    path = place.core("pods", "p")
    assert api.patch(path, {"spec": {"activeDeadlineSeconds": 10}}).code == 200
    assert api.patch(path, {"spec": {"activeDeadlineSeconds": 5}}).code == 200
    for value in (6, None):
        refused = api.patch(path, {"spec": {"activeDeadlineSeconds": value}})
        assert [cause[0] for cause in refused.causes] == ["spec.activeDeadlineSeconds"]
