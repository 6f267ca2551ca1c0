"""The official Python client works with the server: typed, dynamic, watch, and its errors."""

import kubernetes
import pytest
from kubernetes import dynamic

from tests.contract.kube.endpoint import CLAIM_GROUP
from tests.testkit.kubernetes_objects import claim, pod


@pytest.fixture
def core(api):
    return kubernetes.client.CoreV1Api(api.client)


@pytest.fixture
def discovered(api, tmp_path):
    return dynamic.DynamicClient(api.client, cache_file=str(tmp_path / "discovery.json"))


def test_typed_objects(core, place):
    made = core.create_namespaced_pod(place.name, pod("p"))
    assert (made.metadata.name, made.status.phase) == ("p", "Pending")
    patched = core.patch_namespaced_pod("p", place.name, {"metadata": {"annotations": {"a": "b"}}})
    assert patched.metadata.annotations == {"a": "b"}
    assert [item.metadata.name for item in core.list_namespaced_pod(place.name).items] == ["p"]
    core.delete_namespaced_pod("p", place.name, grace_period_seconds=0)
    with pytest.raises(kubernetes.client.ApiException) as caught:
        core.read_namespaced_pod("p", place.name)
    assert caught.value.status == 404


def test_typed_objects_are_sent_back_as_they_were_read(core, place):
    core.create_namespaced_pod(place.name, pod("p"))
    read = core.read_namespaced_pod("p", place.name)
    read.metadata.labels = {"a": "b"}
    replaced = core.replace_namespaced_pod("p", place.name, read)
    assert replaced.metadata.labels == {"a": "b"}
    with pytest.raises(kubernetes.client.ApiException) as caught:
        core.replace_namespaced_pod("p", place.name, read)
    assert caught.value.status == 409


def test_its_watch_follows_changes(core, place):
    start = core.list_namespaced_pod(place.name).metadata.resource_version
    for name in ("a", "b"):
        core.create_namespaced_pod(place.name, pod(name))
    watch = kubernetes.watch.Watch()
    seen = []
    for event in watch.stream(
        core.list_namespaced_pod, place.name, resource_version=start, timeout_seconds=5
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 2:
            watch.stop()
    assert seen == [("ADDED", "a"), ("ADDED", "b")]


def test_the_dynamic_client_finds_custom_resources(discovered, place):
    claims = discovered.resources.get(api_version=f"{CLAIM_GROUP}/v1", kind="EIPClaim")
    made = claims.create(body=claim("c"), namespace=place.name)
    assert made.spec.attributes.isp == "BGP"
    patched = claims.status.patch(
        body={"status": {"phase": "Bound"}},
        name="c",
        namespace=place.name,
        content_type="application/merge-patch+json",
    )
    assert patched.status.phase == "Bound"
    assert [item.metadata.name for item in claims.get(namespace=place.name).items] == ["c"]
    claims.delete(name="c", namespace=place.name)
    with pytest.raises(dynamic.exceptions.NotFoundError):
        claims.get(name="c", namespace=place.name)


def test_the_dynamic_client_finds_by_short_name(discovered):
    found = discovered.resources.search(short_names=["eipc"]) or discovered.resources.search(name="eipclaims")
    assert found[0].kind == "EIPClaim"
