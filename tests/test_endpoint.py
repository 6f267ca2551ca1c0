"""The HTTP pages for probes and metrics."""

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

    def start(**pages):
        endpoint = Endpoint(
            "--health-address", ("127.0.0.1", 0), {f"/{name}": page for name, page in pages.items()}
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
