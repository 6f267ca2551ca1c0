"""A list is read whatever its size and however the network cuts it, and holds one object at a time."""

import json
import tracemalloc

import pytest

from ipamd.kube import errors
from ipamd.kube.client import Selection
from ipamd.kube.list_stream import OBJECT_LIMIT, ListStream
from ipamd.kube.resources import PODS
from ipamd.kube.watch import ObjectCache
from tests.testkit.eventually import eventually

METADATA = {"resourceVersion": "7", "continue": ""}
ITEMS = [{"metadata": {"name": f"p{n}", "labels": {"x": "ü€\U0001f600"}}, "n": n} for n in range(5)]


def cut(text: str, size: int):
    data = text.encode()
    return iter([data[start : start + size] for start in range(0, len(data), size)])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize(
    "document",
    [
        {"kind": "PodList", "metadata": METADATA, "items": ITEMS},
        {"items": ITEMS, "metadata": METADATA, "n": 12},
        {"n": 1.5, "items": ITEMS, "metadata": METADATA},
    ],
    ids=["metadata first", "metadata last", "number first"],
)
def test_it_is_whole_however_it_is_cut(document, size):
    for text in (json.dumps(document, ensure_ascii=False), json.dumps(document, indent=1) + "\n"):
        stream = ListStream("list pods", cut(text, size))
        assert list(stream.items()) == ITEMS
        assert stream.metadata == METADATA


@pytest.mark.parametrize("text", ['{"items":null,"metadata":{}}', "{}", '{"items":[]}'])
def test_an_empty_list_is_one(text):
    assert list(ListStream("list pods", cut(text, 3)).items()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nonsense",
        '{"items":[{"a":1}',
        '{"items":[{"a":1},',
        '{"items":[{"a":1}]',
        '{"items":[{"a":',
        '{"items":[5]}',
        '{"items":{}}',
        '{"metadata":7}',
        '{"items":[' + "[" * 100_000,
        '{"items":["' + "x" * (OBJECT_LIMIT + 2),
    ],
    ids=lambda text: text[:24],
)
def test_what_is_no_list_is_told(text):
    with pytest.raises(errors.UnreachableError, match="list pods"):
        list(ListStream("list pods", cut(text, 65536)).items())


def test_bytes_that_are_no_text_are_told():
    with pytest.raises(errors.UnreachableError, match="not JSON"):
        list(ListStream("list pods", iter([b'{"items":["\xff\xfe"]}'])).items())


def test_one_object_at_a_time_is_held():
    item = json.dumps({"metadata": {"name": "p"}, "pad": "x" * 10_000}).encode()

    def chunks():
        yield b'{"items":[' + item
        for _ in range(5_000):
            yield b"," + item
        yield b"]}"

    tracemalloc.start()
    count = sum(1 for _ in ListStream("list pods", chunks()).items())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 5_001
    assert peak < 1 << 20  # of 48 MiB


def test_an_answer_of_any_size_fills_a_cache(serve, open_client):
    """As the watch cache of a server without streaming lists answers: in one piece, over 64 MiB."""
    padding = "x" * 16_000
    number = 5_000

    def answer(request, sock):
        if "watch=1" in request.path:
            sock.sendall(b"HTTP/1.1 422 X\r\nContent-Length: 2\r\n\r\n{}")
            return True
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        sock.sendall(b'{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[')
        for n in range(number):
            item = {"metadata": {"namespace": "default", "name": f"p{n}", "uid": f"u{n}"}, "pad": padding}
            sock.sendall((b"," if n else b"") + json.dumps(item).encode())
        sock.sendall(b"]}")
        return False

    cache = ObjectCache(open_client(serve(answer).url), PODS, keep=lambda obj: {"metadata": obj["metadata"]})
    cache.start()
    try:
        assert cache.wait_synced(60)
        assert len(cache.items()) == number
    finally:
        cache.stop()


def test_a_list_that_breaks_off_between_pages_is_not_the_whole(server, client):
    scan = client.scan(PODS, Selection())
    assert list(scan) == []
    eventually(lambda: scan.resource_version == str(server.store.revision))
