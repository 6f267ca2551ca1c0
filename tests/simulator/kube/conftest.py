"""A simulated API server and a bare client of it."""

from collections.abc import Callable, Iterator

import kubernetes
import pytest

from simulator.kube import KubeServer, Store, listen
from tests.contract.kube.endpoint import Endpoint

Connect = Callable[..., Endpoint]


@pytest.fixture
def server() -> Iterator[KubeServer]:
    with KubeServer(Store(), [listen()], bookmark_seconds=0.2) as server:
        yield server


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Returns what opens clients of a URL, with a token or a user agent, and closes them at the end."""
    opened: list[Endpoint] = []

    def connect(url: str, *, token: str = "", agent: str = "") -> Endpoint:
        configuration = kubernetes.client.Configuration(host=url)
        if token:
            configuration.api_key = {"BearerToken": token}
            configuration.api_key_prefix = {"BearerToken": "Bearer"}
        endpoint = Endpoint(configuration, agent=agent)
        opened.append(endpoint)
        return endpoint

    yield connect
    for endpoint in opened:
        endpoint.close()


@pytest.fixture
def api(server: KubeServer, connect: Connect) -> Endpoint:
    return connect(server.url)
