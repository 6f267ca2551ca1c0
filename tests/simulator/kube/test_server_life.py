"""Start, stop, several sockets, keep-alive: nothing of the server is left when it is closed."""

import socket
import threading

import pytest
import urllib3

from simulator.kube import KubeServer, Store, listen
from tests.testkit.eventually import eventually
from tests.testkit.kubernetes_objects import config_map

PATH = "/api/v1/namespaces/default/configmaps"


def kube_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("kube-")}


def test_closing_ends_connections_watches_and_threads(connect):
    before = kube_threads()
    with KubeServer(Store(), [listen()]) as server:
        api = connect(server.url)
        with api.watch(PATH) as events:
            eventually(lambda: server.watches() == 1, "the watch runs")
            server.close()
            with pytest.raises(urllib3.exceptions.HTTPError):
                events.next()
        with pytest.raises(urllib3.exceptions.HTTPError):
            api.get(PATH)
    assert kube_threads() == before


def test_a_server_that_was_never_started_can_be_closed():
    sock = listen()
    KubeServer(Store(), [sock]).close()
    assert sock.fileno() == -1


def test_all_sockets_serve_the_same_store(connect):
    sockets = [listen(), listen("127.0.0.2")]
    ports = [sock.getsockname() for sock in sockets]
    with KubeServer(Store(), sockets):
        first, second = (connect(f"http://{host}:{port}") for host, port in ports)
        first.create(PATH, config_map("a"))
        assert second.get(f"{PATH}/a").code == 200


def test_a_store_outlives_its_server(connect):
    store = Store()
    with KubeServer(store, [listen()]) as server:
        made = connect(server.url).create(PATH, config_map("a"))
    with KubeServer(store, [listen()]) as server:
        assert connect(server.url).get(f"{PATH}/a").body == made.body


def test_a_connection_serves_many_requests(server):
    with urllib3.HTTPConnectionPool("127.0.0.1", int(server.url.rsplit(":", 1)[1]), maxsize=1) as pool:
        for _ in range(10):
            assert pool.request("GET", "/version").status == 200
        assert pool.num_connections == 1


def test_a_body_may_come_in_chunks(server):
    with urllib3.HTTPConnectionPool("127.0.0.1", int(server.url.rsplit(":", 1)[1])) as pool:
        answer = pool.request(
            "POST",
            PATH,
            body=iter([b'{"metadata":', b'{"name":"a"}}']),
            headers={"Content-Type": "application/json"},
            chunked=True,
        )
        assert answer.status == 201


def test_a_client_that_goes_away_ends_its_watch(server, api):
    with api.watch(PATH):
        eventually(lambda: server.watches() == 1, "the watch runs")
    eventually(lambda: server.watches() == 0, "the watch has ended")


def test_a_request_that_is_too_large_is_refused(api):
    body = config_map("a")
    body["data"]["key"] = "x" * (4 * 1024 * 1024)
    assert api.create(PATH, body).failure[:2] == (413, "RequestEntityTooLarge")


def test_a_watch_costs_nothing_while_nothing_happens(server, api):
    start = api.get(PATH).version
    with api.watch(PATH, resourceVersion=start) as events:
        eventually(lambda: server.watches() == 1, "the watch runs")
        for number in range(200):
            api.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": f"s{number}"}})
        api.create(PATH, config_map("a"))
        assert events.next()[1]["metadata"]["name"] == "a"


def test_garbage_on_the_wire_does_not_hurt(server, api):
    host, port = server.url.removeprefix("http://").split(":")
    for data in (
        b"\x16\x03\x01garbage\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /api/v1/pods HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
    assert api.get(PATH).code == 200
