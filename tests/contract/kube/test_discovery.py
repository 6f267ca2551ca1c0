"""What is served, and how requests for the rest are answered."""

import pytest

from tests.contract.kube.endpoint import CLAIM_GROUP
from tests.testkit.kubernetes_objects import claim, config_map


def test_version_and_health(api):
    version = api.get("/version").body
    assert version["major"] == "1"
    assert version["gitVersion"].startswith("v")
    for path in ("/healthz", "/livez", "/readyz"):
        assert (api.get(path).code, api.get(path).body) == (200, "ok")


def test_groups_and_versions(api):
    assert api.get("/api").body["versions"] == ["v1"]
    groups = {group["name"]: group for group in api.get("/apis").body["groups"]}
    for name in ("apps", "batch", "coordination.k8s.io", CLAIM_GROUP):
        assert groups[name]["preferredVersion"] == {"groupVersion": f"{name}/v1", "version": "v1"}
    group = api.get(f"/apis/{CLAIM_GROUP}").body
    assert (group["kind"], group["name"]) == ("APIGroup", CLAIM_GROUP)


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/api/v1", "pods", {"kind": "Pod", "namespaced": True, "shortNames": ["po"], "singularName": "pod"}),
        ("/api/v1", "nodes", {"kind": "Node", "namespaced": False, "shortNames": ["no"]}),
        ("/api/v1", "nodes/status", {"kind": "Node", "verbs": ["get", "patch", "update"]}),
        ("/api/v1", "pods/binding", {"kind": "Binding", "verbs": ["create"]}),
        (
            "/api/v1",
            "pods/eviction",
            {"kind": "Eviction", "group": "policy", "version": "v1", "verbs": ["create"]},
        ),
        (
            "/apis/apps/v1",
            "statefulsets",
            {"kind": "StatefulSet", "shortNames": ["sts"], "categories": ["all"]},
        ),
        (f"/apis/{CLAIM_GROUP}/v1", "eipclaims", {"kind": "EIPClaim", "shortNames": ["eipc"]}),
        (f"/apis/{CLAIM_GROUP}/v1", "eipclaims/status", {"kind": "EIPClaim", "namespaced": True}),
        ("/apis/coordination.k8s.io/v1", "leases", {"kind": "Lease", "namespaced": True}),
        ("/apis/discovery.k8s.io/v1", "endpointslices", {"kind": "EndpointSlice", "namespaced": True}),
        ("/apis/networking.k8s.io/v1", "servicecidrs", {"kind": "ServiceCIDR", "namespaced": False}),
        ("/apis/networking.k8s.io/v1", "servicecidrs/status", {"kind": "ServiceCIDR"}),
    ],
)
def test_resources(api, path, name, expected):
    listed = api.get(path).body
    assert listed["kind"] == "APIResourceList"
    found = {item["name"]: item for item in listed["resources"]}
    assert expected.items() <= found[name].items()


def test_verbs_of_a_resource(api):
    found = {item["name"]: set(item["verbs"]) for item in api.get("/api/v1").body["resources"]}
    every = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    assert found["pods"] == every
    assert found["namespaces"] == every - {"deletecollection"}


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/apis/nothing.io/v1/things",
        f"/apis/{CLAIM_GROUP}/v1/things",
        f"/apis/{CLAIM_GROUP}/v9/eipclaims",
    ],
)
def test_nobody_knows_the_path(api, path):
    assert (api.get(path).code, api.get(path).body) == (404, "404 page not found\n")


def test_a_served_group_does_not_know_the_resource(api, place):
    text = "the server could not find the requested resource"
    for path in (
        "/api/v1/things",
        place.core("things"),
        "/apis/apps/v1/things",
        place.core("nodes"),
        "/api/v1/pods/p",
    ):
        assert api.get(path).failure == (404, "NotFound", text)
    api.create(place.core("configmaps"), config_map("a"))
    assert api.get(place.core("configmaps", "a", "status")).failure == (404, "NotFound", text)
    api.create(place.claims(), claim("c"))
    missing = api.get(place.claims("c", "scale"))
    assert missing.failure == (404, "NotFound", f'eipclaims.{CLAIM_GROUP} "c" not found')


def test_a_resource_does_not_take_every_method(api, place):
    text = "the server does not allow this method on the requested resource"
    refused = [
        api.create(place.core("configmaps", "a"), config_map("a")),
        api.replace(place.core("configmaps"), config_map("a")),
        api.patch(place.core("configmaps"), {}),
        api.create("/api/v1/configmaps", config_map("a")),
        api.delete("/api/v1/configmaps"),
        api.delete("/api/v1/namespaces"),
        api.get(place.core("pods", "p", "binding")),
    ]
    assert [reply.failure for reply in refused] == [(405, "MethodNotAllowed", text)] * len(refused)


def test_a_custom_resource_does_not_take_every_method(api, place):
    api.create(place.claims(), claim("c"))
    name = f"eipclaims.{CLAIM_GROUP}"
    refused = api.delete(place.claims("c", "status"))
    assert refused.failure == (
        405,
        "MethodNotAllowed",
        f'delete is not supported on resources of kind "{name}"',
    )
    assert api.replace(place.claims(), claim("c")).failure == (400, "BadRequest", "name must be provided")
    assert api.create(f"/apis/{CLAIM_GROUP}/v1/eipclaims", claim("c")).code == 404
