"""A simulated API server, our client of it, and servers that send what a test wants."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.gate import RequestGate
from simulator.kube import KubeServer, Store, listen
from tests.cloud.scripted_http import Answer, ScriptedHttp
from tests.kube.objects import AGENT

OpenClient = Callable[..., KubeClient]
Serve = Callable[[Answer], ScriptedHttp]


@pytest.fixture
def server() -> Iterator[KubeServer]:
    with KubeServer(Store(), [listen()], bookmark_seconds=0.2) as server:
        yield server


@pytest.fixture
def open_client() -> Iterator[OpenClient]:
    """Returns what opens clients by URL with a wide gate, and closes them at the end."""
    opened: list[KubeClient] = []

    def open_client(url: str, **options: Any) -> KubeClient:
        settings: dict[str, Any] = {
            "component": AGENT,
            "timeout": 5.0,
            "gate": RequestGate(rate=1000, burst=1000),
            **options,
        }
        client = KubeClient(Connection(server=url), **settings)
        opened.append(client)
        return client

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture
def client(server, open_client: OpenClient) -> KubeClient:
    return open_client(server.url)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Returns what starts a server that answers as a test says."""
    started: list[ScriptedHttp] = []

    def serve(answer: Answer) -> ScriptedHttp:
        started.append(ScriptedHttp(answer))
        return started[-1]

    yield serve
    for scripted in started:
        scripted.close()
