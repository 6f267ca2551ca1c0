"""What the client makes of bytes that no API server would send."""

import json
import socket

import pytest

from ipamd.kube import errors
from ipamd.kube.client import Selection
from ipamd.kube.resources import NODES, PODS


def _answer(status: int, body: bytes, headers: str = ""):
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n"

    def answer(request, sock: socket.socket) -> bool:
        sock.sendall(head.encode() + body)
        return True

    return answer


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b"null", b'{"a":', b"[" * 100_000, b"\xff\xfe"], ids=repr
)
def test_an_answer_that_is_no_object_leaves_the_outcome_open(serve, open_client, body):
    client = open_client(serve(_answer(200, body[:200_000])).url)

    with pytest.raises(errors.UnreachableError, match="get Node node-a"):
        client.get(NODES, "node-a")


@pytest.mark.parametrize("body", [b"{}", b'{"items": 5}', b'{"items": [], "metadata": 7}'], ids=repr)
def test_a_list_that_is_none_is_told_or_empty(serve, open_client, body):
    client = open_client(serve(_answer(200, body)).url)

    if body == b"{}":
        assert client.list(PODS).items == []
    else:
        with pytest.raises(errors.UnreachableError):
            client.list(PODS)


def test_an_endless_error_page_is_cut_to_a_line(serve, open_client):
    def answer(request, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
        while True:
            sock.sendall(b"x" * 65536)  # until the client hangs up

    client = open_client(serve(answer).url)

    with pytest.raises(errors.NotFoundError) as refusal:
        client.get(NODES, "node-a")

    assert len(str(refusal.value)) < 1000


def test_an_error_without_a_status_object_keeps_what_was_said(serve, open_client):
    client = open_client(serve(_answer(403, b"denied by proxy")).url)

    with pytest.raises(errors.ForbiddenError, match="denied by proxy"):
        client.get(NODES, "node-a")


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "inf", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_makes_no_sense_is_bounded(serve, open_client, value):
    client = open_client(serve(_answer(429, b"{}", f"Retry-After: {value}\r\n")).url, timeout=0.5)

    with pytest.raises(errors.ThrottledError) as refusal:
        client.get(NODES, "node-a")

    assert 0 < refusal.value.retry_after <= 60


def test_a_redirect_is_not_followed(serve, open_client):
    elsewhere = serve(_answer(200, b'{"kind":"Node"}'))
    client = open_client(serve(_answer(307, b"", f"Location: {elsewhere.url}/\r\n")).url)

    with pytest.raises(errors.UnreachableError):
        client.get(NODES, "node-a")

    assert elsewhere.requests == []


def test_an_answer_that_stops_half_way_leaves_the_outcome_open(serve, open_client):
    def answer(request, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        return False

    client = open_client(serve(answer).url)

    with pytest.raises(errors.UnreachableError):
        client.get(NODES, "node-a")


def test_an_answer_that_drips_is_given_up(serve, open_client):
    def answer(request, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(50):
            sock.sendall(b" ")
            if scripted.closing.wait(0.05):
                break
        return False

    scripted = serve(answer)
    client = open_client(scripted.url, timeout=0.4)

    with pytest.raises(errors.UnreachableError, match="did not end in time"):
        client.get(NODES, "node-a")


def _watch(lines: bytes):
    def answer(request, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + lines)
        return False

    return answer


@pytest.mark.parametrize(
    "line", [b"nonsense", b"[]", b'{"type":"ADDED"}', b'{"type":5,"object":{}}', b'{"object":{}}'], ids=repr
)
def test_a_watch_event_that_is_none_ends_the_watch(serve, open_client, line):
    watch = open_client(serve(_watch(line + b"\n")).url).watch(PODS, Selection(), resource_version="1")

    with pytest.raises(errors.UnreachableError):
        list(watch.events())
    watch.close()


def test_a_status_inside_a_watch_is_its_error(serve, open_client):
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    line = json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n"
    watch = open_client(serve(_watch(line)).url).watch(PODS, Selection(), resource_version="1")

    with pytest.raises(errors.GoneError, match="too old"):
        list(watch.events())
    watch.close()


def test_events_split_and_joined_by_the_network_are_whole(serve, open_client):
    events = [{"type": "ADDED", "object": {"metadata": {"name": f"p{n}"}}} for n in range(50)]
    wire = b"\n".join(json.dumps(event).encode() for event in events) + b"\n\n"

    def answer(request, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for start in range(0, len(wire), 37):
            sock.sendall(wire[start : start + 37])
        return False

    watch = open_client(serve(answer).url).watch(PODS, Selection(), resource_version="1")

    assert [obj["metadata"]["name"] for _, obj in watch.events()] == [f"p{n}" for n in range(50)]
    watch.close()


def test_a_line_without_end_is_not_collected_for_ever(serve, open_client):
    def answer(request, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(10_000):
            sock.sendall(b"x" * 65536)
        return False

    watch = open_client(serve(answer).url).watch(PODS, Selection(), resource_version="1")

    with pytest.raises(errors.UnreachableError, match="longer than"):
        list(watch.events())
    watch.close()
