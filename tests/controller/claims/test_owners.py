"""Which workload a Pod belongs to, by a live look; only what is certain counts as leaving."""

import pytest

from ipamd.controller.claims.owners import Owners
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.resources import DEPLOYMENTS, REPLICASETS
from simulator.kube import Fault, FaultKind, KubeServer, Store, listen
from tests.testkit.pods import pod_view

LABELS = {"app": "web"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "m", "image": "x"}]}}


@pytest.fixture
def server():
    with KubeServer(Store(), [listen()]) as server:
        yield server


@pytest.fixture
def client(server):
    client = KubeClient(Connection(server=server.url), component="test")
    yield client
    client.close()


def create(client, resource, name, *, owner=None, **metadata):
    kind = {REPLICASETS: "ReplicaSet", DEPLOYMENTS: "Deployment"}[resource]
    references = {"ownerReferences": [reference(owner)]} if owner else {}
    obj = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"namespace": "default", "name": name, **references, **metadata},
        "spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE},
    }
    return client.create(resource, obj)


def reference(owner, **changes):
    metadata = owner["metadata"]
    named = {"apiVersion": "apps/v1", "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return {**named, "controller": True, **changes}


def workload(client, *references):
    found = Owners(client).workload_of(pod_view(metadata={"ownerReferences": list(references)}))
    return (found.owner and str(found.owner)), found.leaving


def test_a_pod_of_a_replica_set_belongs_to_what_controls_that(client):
    deployment = create(client, DEPLOYMENTS, "web")
    of_deployment = create(client, REPLICASETS, "web-1", owner=deployment)
    alone = create(client, REPLICASETS, "alone")

    assert workload(client, reference(of_deployment)) == ("Deployment web", False)
    assert workload(client, reference(alone)) == ("ReplicaSet alone", False)
    assert workload(client) == (None, False)


def test_an_owner_that_is_gone_replaced_or_being_deleted_is_leaving(client):
    there = create(client, REPLICASETS, "web", finalizers=["test/held"])

    assert workload(client, reference(there)) == ("ReplicaSet web", False)
    assert workload(client, reference(there, name="gone")) == ("ReplicaSet gone", True)
    assert workload(client, reference(there, uid="of-the-one-before")) == ("ReplicaSet web", True)
    client.delete(REPLICASETS, "web", "default")
    assert workload(client, reference(there)) == ("ReplicaSet web", True)


def test_an_owner_above_that_is_leaving_counts(client):
    deployment = create(client, DEPLOYMENTS, "web", finalizers=["test/held"])
    replica_set = create(client, REPLICASETS, "web-1", owner=deployment)
    client.delete(DEPLOYMENTS, "web", "default")

    assert workload(client, reference(replica_set)) == ("Deployment web", True)


def test_an_owner_that_may_not_be_read_is_believed_to_stay(server, client):
    there = create(client, REPLICASETS, "web")
    server.inject(Fault(kind=FaultKind.STATUS, verb="get", resource="replicasets", code=403))

    assert workload(client, reference(there)) == ("ReplicaSet web", False)


@pytest.mark.parametrize(("api_version", "kind"), [("x/v1", "GameServerSet"), ("x/v1", "ReplicaSet")])
def test_an_owner_of_another_kind_is_taken_as_it_stands(client, api_version, kind):
    there = create(client, REPLICASETS, "web")

    assert workload(client, reference(there, apiVersion=api_version, kind=kind, name="any")) == (
        f"{kind} any",
        False,
    )
