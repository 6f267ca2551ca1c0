"""Our own client, caches, Events and leader election on the same server as the rest.

What they need of a server is checked request by request in the other modules; here it works together.
"""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ipamd.core.claim import eipclaim
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.kube import config, errors
from ipamd.kube.client import KubeClient, Selection
from ipamd.kube.connection import Connection
from ipamd.kube.events import EventRecorder, reference
from ipamd.kube.gate import RequestGate
from ipamd.kube.leases import Election, LeaseTiming
from ipamd.kube.resources import CONFIGMAPS, EIPCLAIMS, EVENTS, LEASES, NODES, PODS, Resource
from ipamd.kube.watch import ObjectCache, WatchPace
from tests.testkit.eventually import eventually
from tests.testkit.kubernetes_objects import claim, config_map, pod

BRISK = LeaseTiming(duration=3.0, renew_within=2.0, retry=0.2)


@pytest.fixture(scope="session")
def connection(kube_endpoint, kubeconfig) -> Connection:
    """The way to the server as our own kubeconfig reader finds it."""
    if kubeconfig:
        return config.load(kubeconfig, {})
    return Connection(server=kube_endpoint.configuration.host)


@pytest.fixture
def client(connection) -> Iterator[KubeClient]:
    client = KubeClient(connection, component="contract", gate=RequestGate(rate=1000, burst=1000))
    yield client
    client.close()


class Seen:
    """A cache, and every change that it told."""

    def __init__(self, client: KubeClient, resource: Resource, selection: Selection) -> None:
        self.changes: list[tuple[str, str]] = []
        self.cache = ObjectCache(
            client,
            resource,
            selection=selection,
            on_change=lambda kind, obj: self.changes.append((kind, obj["metadata"]["name"])),
            pace=WatchPace(healthy=0.1),
        )

    def until(self, *changes: tuple[str, str]) -> None:
        eventually(lambda: self.changes == list(changes), f"{changes} instead of {self.changes}")


@pytest.fixture
def watch(client) -> Iterator[Callable[..., Seen]]:
    running: list[Seen] = []

    def watch(resource: Resource, **selection: str) -> Seen:
        seen = Seen(client, resource, Selection(**selection))
        running.append(seen)
        seen.cache.start()
        assert seen.cache.wait_synced(10)
        return seen

    yield watch
    for seen in running:
        seen.cache.stop()


def in_place(obj: dict[str, Any], place) -> dict[str, Any]:
    obj["metadata"]["namespace"] = place.name
    return obj


@pytest.mark.parametrize("domain", ["", f".{'x' * 60}.{'y' * 60}.example.com"], ids=["short", "long"])
def test_an_agent_follows_the_claims_of_its_node_by_label(client, watch, place, domain):
    """A label's value has at most 63 characters, a node's name up to 253."""
    label = label_value(place.name + domain)
    mine = {eipclaim.NODE_LABEL: label}
    client.create(EIPCLAIMS, in_place(claim("there", labels=mine), place))
    seen = watch(EIPCLAIMS, label_selector=f"{eipclaim.NODE_LABEL}={label}")
    client.create(EIPCLAIMS, in_place(claim("other"), place))
    client.create(EIPCLAIMS, in_place(claim("new", labels=mine), place))
    client.patch(EIPCLAIMS, "new", {"status": {"phase": "Bound"}}, place.name, subresource="status")
    client.patch(EIPCLAIMS, "there", {"metadata": {"labels": {eipclaim.NODE_LABEL: "x"}}}, place.name)

    seen.until(("added", "there"), ("added", "new"), ("modified", "new"), ("deleted", "there"))
    assert seen.cache.get(place.name, "new")["status"] == {"phase": "Bound"}


def test_an_agent_follows_the_pods_of_its_node_by_field(client, watch, place, node):
    seen = watch(PODS, field_selector=f"spec.nodeName={node}")
    client.create(PODS, in_place(pod("elsewhere"), place))
    client.create(PODS, in_place(pod("here", node=node), place))
    uid = client.get(PODS, "here", place.name)["metadata"]["uid"]
    client.patch(PODS, "here", {"metadata": {"uid": uid, "annotations": {"a": "b"}}}, place.name)

    seen.until(("added", "here"), ("modified", "here"))


def test_an_agent_follows_its_node_by_name_and_adds_resources(client, watch, node):
    seen = watch(NODES, field_selector=f"metadata.name={node}")
    amounts = {"tke.cloud.tencent.com/eip": "2"}
    body = {"status": {"capacity": amounts, "allocatable": amounts}}
    client.patch(NODES, node, body, subresource="status")

    eventually(lambda: ("modified", node) in seen.changes, "the resources are seen")
    status = seen.cache.get("", node)["status"]
    assert status["capacity"].items() >= amounts.items()
    assert status["allocatable"].items() >= amounts.items()


def test_one_config_map_is_followed_by_name_in_its_namespace(client, watch, place):
    seen = watch(CONFIGMAPS, namespace=place.name, field_selector="metadata.name=one")
    for name in ("other", "one"):
        client.create(CONFIGMAPS, in_place(config_map(name), place))
    client.patch(CONFIGMAPS, "one", {"data": {"config": "{}"}}, place.name)
    client.delete(CONFIGMAPS, "one", place.name)

    seen.until(("added", "one"), ("modified", "one"), ("deleted", "one"))


def test_a_claim_lives_from_creation_to_the_last_finalizer(client, place):
    body = in_place(claim("c", finalizers=[eipclaim.FINALIZER]), place)
    created = client.create(EIPCLAIMS, body)
    with pytest.raises(errors.AlreadyExistsError):
        client.create(EIPCLAIMS, body)

    old = created["metadata"]["resourceVersion"]
    status = {"metadata": {"resourceVersion": old}, "status": {"phase": "Pending"}}
    client.patch(EIPCLAIMS, "c", status, place.name, subresource="status")
    with pytest.raises(errors.ConflictError):
        client.patch(
            EIPCLAIMS, "c", status | {"status": {"phase": "Bound"}}, place.name, subresource="status"
        )
    with pytest.raises(errors.ConflictError):
        client.delete(EIPCLAIMS, "c", place.name, uid="another")
    with pytest.raises(errors.ConflictError):
        client.delete(EIPCLAIMS, "c", place.name, resource_version=old)

    client.delete(EIPCLAIMS, "c", place.name, uid=created["metadata"]["uid"])
    held = client.get(EIPCLAIMS, "c", place.name)
    assert held["metadata"]["deletionTimestamp"]
    patch = {"metadata": {"resourceVersion": held["metadata"]["resourceVersion"], "finalizers": []}}
    client.patch(EIPCLAIMS, "c", patch, place.name)
    with pytest.raises(errors.NotFoundError):
        client.get(EIPCLAIMS, "c", place.name)
    with pytest.raises(errors.NotFoundError):
        client.delete(EIPCLAIMS, "c", place.name)


def test_an_annotation_for_an_earlier_pod_of_the_name_is_refused(client, place):
    client.create(PODS, in_place(pod("web"), place))
    body = {"metadata": {"uid": "00000000-0000-0000-0000-000000000000", "annotations": {"a": "b"}}}
    with pytest.raises(errors.InvalidObjectError, match=r"metadata\.uid"):
        client.patch(PODS, "web", body, place.name)


def test_what_validation_refuses_is_told_apart(client, place):
    with pytest.raises(errors.InvalidObjectError):
        client.create(CONFIGMAPS, in_place(config_map("Not_A_Name"), place))
    client.create(CONFIGMAPS, in_place(config_map("c"), place))
    failing = [{"op": "test", "path": "/data/key", "value": "other"}]
    with pytest.raises(errors.InvalidObjectError):
        client.patch(CONFIGMAPS, "c", failing, place.name, content="json")


def test_a_list_of_several_pages_is_whole(client, place):
    for number in range(7):
        client.create(CONFIGMAPS, in_place(config_map(f"c-{number}", labels={"page": "yes"}), place))
    listing = client.list(CONFIGMAPS, place.name, label_selector="page=yes")
    assert [item["metadata"]["name"] for item in listing.items] == [f"c-{n}" for n in range(7)]
    assert listing.resource_version


def test_events_are_written_and_counted_up(client, place):
    created = client.create(PODS, in_place(pod("web"), place))
    recorder = EventRecorder(client, "contract", "host")
    recorder.start()
    try:
        for times in ([1], [2]):
            recorder.record(reference("v1", "Pod", created), "Warning", "Contract", "it happened")
            eventually(functools.partial(_counted, client, place, times), f"counted {times}")
    finally:
        recorder.stop()
    (event,) = _events(client, place)
    assert event["involvedObject"]["uid"] == created["metadata"]["uid"]
    assert event["source"] == {"component": "contract", "host": "host"}


def _counted(client, place, times):
    return [event["count"] for event in _events(client, place)] == times


def _events(client, place):
    return client.list(EVENTS, place.name, field_selector="involvedObject.name=web").items


def test_of_two_candidates_one_leads_and_the_other_follows_when_it_gives_up(connection, place):
    clients = [KubeClient(connection, component=f"candidate-{n}") for n in range(2)]
    candidates = [
        Election(client, namespace=place.name, name="contract", identity=f"candidate-{n}", timing=BRISK)
        for n, client in enumerate(clients)
    ]
    try:
        for candidate in candidates:
            candidate.start(on_started=lambda: None, on_lost=lambda: None)
        eventually(lambda: any(candidate.leading for candidate in candidates), "somebody leads")
        first = candidates.index(next(c for c in candidates if c.leading))
        end = time.monotonic() + BRISK.duration
        while time.monotonic() < end:
            assert not candidates[1 - first].leading
            time.sleep(0.1)

        candidates[first].stop(give_back=True)
        eventually(lambda: candidates[1 - first].leading, "the other one leads")
        lease = clients[0].get(LEASES, "contract", place.name)
        assert lease["spec"]["holderIdentity"] == f"candidate-{1 - first}"
        assert lease["spec"]["leaseTransitions"] >= 1
    finally:
        for candidate in candidates:
            candidate.stop(give_back=False)
        for client in clients:
            client.close()
