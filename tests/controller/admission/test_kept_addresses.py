"""What a replica of the webhook knows of the addresses that are kept for Pods."""

import pytest

from ipamd.controller.admission.kept_addresses import KeptAddresses
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.resources import VPCIPCLAIMS
from simulator.kube import Fault, FaultKind, KubeServer, Store, listen
from tests.testkit.eventually import eventually

CLAIM = {
    "apiVersion": "networking.tke.cloud.tencent.com/v1",
    "kind": "VpcIPClaim",
    "metadata": {"namespace": "default", "name": "web-0"},
    "spec": {"type": "Pod", "deletePolicy": "Never"},
}


@pytest.fixture
def server():
    with KubeServer(Store(), [listen()]) as server:
        yield server


@pytest.fixture
def client(server):
    client = KubeClient(Connection(server=server.url))
    yield client
    client.close()


@pytest.fixture
def addresses(client):
    addresses = KeptAddresses(client)
    yield addresses
    addresses.stop()


def provision(client, subnet_id="subnet-a"):
    status = {"status": {"address": {"ip": "10.0.1.9", "subnetID": subnet_id}}}
    client.patch(VPCIPCLAIMS, "web-0", status, "default", subresource="status")


def test_the_subnet_is_known_as_soon_as_the_claim_has_an_address(client, addresses):
    client.create(VPCIPCLAIMS, CLAIM)
    addresses.start()
    assert addresses.subnet_of("default", "web-0") == ""

    provision(client)
    eventually(lambda: addresses.subnet_of("default", "web-0") == "subnet-a")
    assert addresses.subnet_of("other", "web-0") == ""
    assert addresses.subnet_of("default", "web-1") == ""

    client.delete(VPCIPCLAIMS, "web-0", "default")
    eventually(lambda: addresses.subnet_of("default", "web-0") == "")


def test_an_address_that_is_being_given_back_keeps_the_next_pod_nowhere(client, addresses):
    metadata = {"namespace": "default", "name": "web-0", "finalizers": ["example.com/held"]}
    held = {**CLAIM, "metadata": metadata}
    client.create(VPCIPCLAIMS, held)
    provision(client)
    addresses.start()
    eventually(lambda: addresses.subnet_of("default", "web-0") == "subnet-a")

    client.delete(VPCIPCLAIMS, "web-0", "default")

    eventually(lambda: addresses.subnet_of("default", "web-0") == "")
    assert client.get(VPCIPCLAIMS, "web-0", "default")["metadata"]["deletionTimestamp"]


def test_who_does_not_know_says_nothing_and_does_not_wait(server, client, addresses):
    client.create(VPCIPCLAIMS, CLAIM)
    provision(client)
    number = server.inject(Fault(kind=FaultKind.STATUS, resource="vpcipclaims", code=503))
    addresses.start()
    assert addresses.subnet_of("default", "web-0") == ""
    server.heal(number)
    eventually(lambda: addresses.subnet_of("default", "web-0") == "subnet-a")
