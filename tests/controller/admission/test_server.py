"""The webhook's server over TLS: what the API server sends, and what others do."""

import datetime as dt
import http.client
import json
import socket
import ssl
import threading

import pytest
import urllib3

from ipamd.controller.admission import server as admission_server
from ipamd.controller.admission.certificates import renewed
from ipamd.controller.admission.server import AdmissionServer
from ipamd.controller.admission.webhook import AdmissionWebhook
from ipamd.core.errors import InvalidInputError
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.resources import MUTATING_WEBHOOKS, SECRETS
from simulator.kube import KubeServer, Store, listen
from tests.core.annotations.test_admission import review
from tests.testkit.eventually import eventually

NAME = "tke-eni-admission.kube-system.svc"


def nothing_kept(namespace, name):
    del namespace, name
    return ""


def keyring():
    return renewed(None, [NAME], dt.datetime.now(dt.UTC))


@pytest.fixture
def identity():
    return keyring()


@pytest.fixture
def server(identity):
    server = AdmissionServer("127.0.0.1", 0, nothing_kept)
    data = identity.data()
    server.use(data["tls.crt"], data["tls.key"])
    server.start()
    yield server
    server.close()


def context_of(identity):
    context = ssl.create_default_context(cadata=identity.ca_bundle.decode())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.fixture
def connect(server, identity):
    """Opens pools that trust the given authority and ask for the Service's name, as the API server does."""
    pools = []

    def connect(trusted=identity):
        pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            server.port,
            ssl_context=context_of(trusted),
            server_hostname=NAME,
            assert_hostname=NAME,
            retries=False,
            timeout=10,
        )
        pools.append(pool)
        return pool

    yield connect
    for pool in pools:
        pool.close()


def post(pool, body, path="/pods?timeout=2s", **headers):
    return pool.request(
        "POST", path, body=body, headers={"Content-Type": "application/json", **headers}, retries=False
    )


def raw(server, identity):
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    return context_of(identity).wrap_socket(plain, server_hostname=NAME)


def test_a_review_is_answered_and_the_connection_kept(connect):
    pool = connect()
    for _ in range(3):
        answer = post(pool, review())
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert json.loads(answer.data)["response"]["patchType"] == "JSONPatch"
    assert pool.num_connections == 1


@pytest.mark.parametrize(
    ("body", "path", "headers", "status"),
    [
        (b"{}", "/pods", {}, 400),
        (b"[" * 100_000, "/pods", {}, 400),
        (review(), "/", {}, 404),
        (review(), "/pods/../pods", {}, 404),
        (review(), "/pods", {"Content-Type": "text/plain"}, 415),
        (review(), "/pods", {"Content-Type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_anything_else_is_refused(connect, body, path, headers, status):
    assert post(connect(), body, path, **headers).status == status


@pytest.mark.parametrize(
    ("length", "status"),
    [
        ("Content-Length: 999999999", 413),
        (f"Content-Length: {admission_server.LONGEST_BODY + 1}", 413),
        ("Content-Length: 99999999999", 413),
        ("Content-Length: 999999999999", 411),
        ("Content-Length: -1", 411),
        ("Content-Length: 1e3", 411),
        ("Content-Length:", 411),
        ("Transfer-Encoding: chunked", 411),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2", 411),
    ],
)
def test_the_length_is_judged_before_the_body_is_read(server, identity, length, status):
    with raw(server, identity) as connection:
        head = ["POST /pods HTTP/1.1", "Host: x", "Content-Type: application/json", length, "", ""]
        connection.sendall("\r\n".join(head).encode())
        answer = connection.recv(4096)
        assert answer.split()[1] == str(status).encode()
        assert b"Connection: close" in answer


def test_another_method_is_refused(connect):
    assert connect().request("GET", "/pods").status == 501


def test_plain_http_and_noise_do_not_disturb_it(server, connect):
    for noise in (b"POST /pods HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\x00" * 100, b""):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(noise)
    assert post(connect(), review()).status == 200


def test_a_client_that_does_not_trust_it_gets_nothing(connect):
    with pytest.raises(urllib3.exceptions.SSLError):
        post(connect(keyring()), review())


def test_old_tls_is_refused(server, identity):
    context = context_of(identity)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname=NAME)


def test_a_new_certificate_is_served_to_new_connections_while_old_ones_go_on(server, connect):
    before = connect()
    assert post(before, review()).status == 200
    fresh = keyring()

    server.use(fresh.data()["tls.crt"], fresh.data()["tls.key"])

    assert post(connect(fresh), review()).status == 200
    assert post(before, review()).status == 200
    assert before.num_connections == 1


def test_a_server_that_ends_ends_its_idle_connections(identity, server, connect):
    pool = connect()
    assert post(pool, review()).status == 200

    server.close()

    eventually(lambda: not threads())
    with pytest.raises(urllib3.exceptions.HTTPError):
        post(pool, review())


def test_nothing_is_answered_before_there_is_a_certificate():
    server = AdmissionServer("127.0.0.1", 0, nothing_kept)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            assert connection.recv(1) == b""
    finally:
        server.close()


def test_connections_beyond_the_most_are_closed_and_others_served_once_there_is_room(server, connect):
    silent = [
        socket.create_connection(("127.0.0.1", server.port), timeout=10)
        for _ in range(admission_server.MOST_CONNECTIONS)
    ]
    try:
        eventually(lambda: threads() >= admission_server.MOST_CONNECTIONS)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one_more:
            assert one_more.recv(1) == b""
        assert threads() == admission_server.MOST_CONNECTIONS
    finally:
        for connection in silent:
            connection.close()
    eventually(lambda: not threads())
    assert post(connect(), review()).status == 200


def test_a_connection_more_takes_the_seat_of_the_one_that_is_idle_for_longest(server, identity):
    open_ones = []
    try:
        for _ in range(admission_server.MOST_CONNECTIONS + 1):
            connection = kept_open(server, identity)
            open_ones.append(connection)
            assert ask(connection) == 200
        first, *others = open_ones
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(first)
        assert [ask(connection) for connection in others] == [200] * admission_server.MOST_CONNECTIONS
    finally:
        for connection in open_ones:
            connection.close()


def kept_open(server, identity):
    """A connection that speaks until it is closed from the other side, and is not opened again."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.sock = raw(server, identity)
    connection.auto_open = 0
    return connection


def ask(connection):
    connection.request("POST", "/pods", body=review(), headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_it_has_a_certificate_once_one_is_in_use(identity):
    server = AdmissionServer("127.0.0.1", 0, nothing_kept)
    try:
        assert not server.has_certificate
        data = identity.data()
        server.use(data["tls.crt"], data["tls.key"])
        assert server.has_certificate
    finally:
        server.close()


def threads():
    return sum(thread.name == "admission-call" for thread in threading.enumerate())


def test_an_address_that_is_taken_is_named_with_its_flag(server):
    client = KubeClient(Connection(server="http://127.0.0.1:1"), component="test")
    with pytest.raises(InvalidInputError, match=f"--admission-webhook: 127.0.0.1:{server.port}"):
        AdmissionWebhook(client, "kube-system", "127.0.0.1", server.port)
    client.close()


def test_a_webhook_is_ready_when_it_has_a_certificate():
    with KubeServer(Store(), [listen()]) as cluster:
        client = KubeClient(Connection(server=cluster.url), component="test")
        client.create(SECRETS, {"metadata": {"namespace": "kube-system", "name": "tke-eni-admission"}})
        client.create(MUTATING_WEBHOOKS, {"metadata": {"name": "tke-eni-admission"}, "webhooks": []})
        webhook = AdmissionWebhook(client, "kube-system", "127.0.0.1", 0)
        assert "no certificate yet" in webhook.ready()

        webhook.start()
        eventually(lambda: not webhook.ready())
        webhook.stop()
