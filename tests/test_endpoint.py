"""The HTTP pages for probes and metrics."""

import http.client
import socket
import urllib.error
import urllib.request

import pytest

from ipamd.core.errors import InvalidInputError
from ipamd.endpoint import Answer, Endpoint, probe


def get(endpoint, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{endpoint.port}{path}", timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture
def serve():
    started = []

    def start(*, browsed=False, **pages):
        endpoint = Endpoint(
            "--health-address",
            ("127.0.0.1", 0),
            {f"/{name}": page for name, page in pages.items()},
            browsed=browsed,
        )
        endpoint.start()
        started.append(endpoint)
        return endpoint

    yield start
    for endpoint in started:
        endpoint.stop()


def test_a_probe_is_200_while_nothing_is_wrong_and_503_with_the_reason(serve):
    problems = [""]
    endpoint = serve(livez=probe(lambda: problems[0]))

    assert get(endpoint, "/livez") == (200, b"ok\n")
    problems[0] = "the lock is stuck"
    assert get(endpoint, "/livez?verbose") == (503, b"the lock is stuck\n")


def test_an_unknown_path_is_404_and_names_the_pages(serve):
    assert get(serve(readyz=probe(str)), "/") == (404, b"/readyz\n")


def test_a_defect_of_a_page_is_500_and_the_others_go_on(serve):
    endpoint = serve(broken=lambda: 1 / 0, fine=lambda: Answer(status=200, body=b"x"))

    assert get(endpoint, "/broken")[0] == 500
    assert get(endpoint, "/fine") == (200, b"x")


def test_an_address_that_is_taken_is_named_with_its_flag():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
        with pytest.raises(InvalidInputError, match=f"--health-address.*:{address[1]}"):
            Endpoint("--health-address", address, {}).start()


def test_nothing_listens_after_stop(serve):
    endpoint = serve()
    port = endpoint.port
    endpoint.stop()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def ask(endpoint, method="GET", path="/page", **headers):
    """Ask with headers of one's own; return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=5)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def page():
    return Answer(status=200, body=b"content", headers={"X-Of-The-Page": "yes"})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_it_is_only_for_reading(serve, method):
    status, headers, body = ask(serve(page=page), method)

    assert status == 405
    assert headers["Allow"] == "GET, HEAD"
    assert b"content" not in body


def test_the_head_of_a_page_comes_without_it(serve):
    status, headers, body = ask(serve(page=page), "HEAD")

    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == "7"
    assert headers["X-Of-The-Page"] == "yes"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "localhost:61682", "LOCALHOST", "[::1]:80", "10.0.1.2"]
)
def test_a_page_for_browsers_is_given_to_who_asks_by_address(serve, host):
    assert ask(serve(browsed=True, page=page), Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:61682",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "[evil.example]",
        "0x7f000001",
        "",
        None,
    ],
)
def test_a_page_for_browsers_is_not_given_to_who_asks_by_a_name(serve, host):
    """A page of somebody else's may have its own name point here, and read what comes."""
    status, _, body = ask(serve(browsed=True, page=page), Host=host)

    assert status == 421
    assert b"content" not in body
