"""An API server of the test's own."""

import pytest

from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from simulator.kube import KubeServer, Store, listen


@pytest.fixture
def client():
    with KubeServer(Store(), [listen()]) as kube:
        client = KubeClient(Connection(server=kube.url))
        yield client
        client.close()
