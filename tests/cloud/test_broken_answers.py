"""Answers that no documented API gives: lost, cut, huge, slow, mistyped. None may hang or mislead."""

import json
import socket
import time

import pytest

from ipamd.cloud import transport
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from tests.cloud import scripted_http
from tests.cloud.scripted_http import always, http, response

PATIENCE = 10.0
"""Seconds: far more than the deadlines under test on any machine, and far less than these cost without."""
THROTTLED = {"Error": {"Code": "RequestLimitExceeded", "Message": "too fast"}}


@pytest.fixture
def once(open_cloud, serve):
    """Opens an adapter whose deadline leaves no room for a second attempt, onto a scripted server."""

    def once(answer, seconds=1.0):
        conduct = {"patience": seconds, "sleep": lambda _: pytest.fail("slept"), "random": lambda: 1e9}
        return open_cloud(serve(answer).url, conduct=conduct)

    return once


def failure(cloud):
    with pytest.raises(CloudError) as caught:
        cloud.describe_eip_quota()
    return caught.value


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "text/html", "text/plain;charset=UTF-8", ""],
)
def test_an_error_is_seen_whatever_its_content_type(once, content_type):
    error = failure(once(always(response(THROTTLED, content_type=content_type))))
    assert (error.kind, error.code) == (CloudErrorKind.THROTTLED, "RequestLimitExceeded")
    assert error.request_id == "r-scripted"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"Response": {"QuotaSet": [',
        b"<html>502</html>",
        b"[]",
        b"null",
        b"{}",
        b'{"Response": null}',
        b'{"Response": []}',
        b'{"Response": {"Error": "no"}}',
        b'{"Response": {"Error": {}}}',
        b'{"Response": {"Error": {"Code": "", "Message": "x"}}}',
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"Response": {"n": ' + b"1" * 5000 + b"}}",
    ],
)
def test_a_body_that_is_no_answer_has_an_unknown_outcome(once, body):
    error = failure(once(always(http(body))))
    assert (error.kind, error.code) == (CloudErrorKind.UNKNOWN_OUTCOME, "ClientBrokenAnswer")
    assert len(str(error)) < 2000


def test_an_error_without_request_id_keeps_its_meaning(once):
    body = json.dumps({"Response": THROTTLED}).encode()
    assert failure(once(always(http(body)))).kind is CloudErrorKind.THROTTLED


@pytest.mark.parametrize(
    "status", ["500 Internal Server Error", "502 Bad Gateway", "403 Forbidden", "204 No Content"]
)
def test_another_status_than_200_is_an_unknown_outcome(once, status):
    error = failure(once(always(http(b"" if "204" in status else b"<h1>gateway</h1>" * 100, status=status))))
    assert (error.kind, error.code) == (CloudErrorKind.UNKNOWN_OUTCOME, "ServerNetworkError")
    assert len(str(error)) < 1000


@pytest.mark.parametrize(
    "content",
    [
        {"QuotaSet": "many"},
        {"QuotaSet": [1]},
        {"QuotaSet": [{"QuotaId": "", "QuotaLimit": 1}]},
        {"QuotaSet": [{"QuotaId": "TOTAL_EIP_QUOTA", "QuotaLimit": "lots"}]},
        {"QuotaSet": [{"QuotaId": ["x"]}]},
    ],
)
def test_an_answer_of_another_shape_is_an_internal_error_with_its_request_id(once, content):
    error = failure(once(always(response(content))))
    assert (error.kind, error.code) == (CloudErrorKind.INTERNAL, "ClientUnexpectedAnswer")
    assert error.request_id == "r-scripted"


def test_a_body_without_end_is_not_read_to_memory(once):
    def flood(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        chunk = b" " * 65536
        for _ in range(transport.LONGEST_BODY // len(chunk) * 4):
            connection.sendall(chunk)
        return False

    error = failure(once(flood, seconds=10))
    assert error.kind is CloudErrorKind.UNKNOWN_OUTCOME
    assert "bytes" in str(error)


def test_a_body_that_is_cut_off_is_an_unknown_outcome(once):
    whole = response({"QuotaSet": []})

    def cut(_, connection):
        connection.sendall(whole[:-10])
        return False

    assert failure(once(cut)).kind is CloudErrorKind.UNKNOWN_OUTCOME


def test_a_connection_that_is_closed_without_an_answer_is_an_unknown_outcome(once):
    assert failure(once(lambda _, __: False)).kind is CloudErrorKind.UNKNOWN_OUTCOME


def test_a_port_where_nobody_listens_is_an_unknown_outcome(open_cloud):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as reserved:
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
    with pytest.raises(CloudError) as caught:
        open_cloud(url, conduct={"patience": 0.3}).describe_eip_quota()
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    assert "security groups" in caught.value.advice


def test_a_server_that_never_answers_costs_no_more_than_the_deadline(open_cloud, serve, soon):
    def silence(_, connection):
        return bool(connection.recv(1))

    cloud = open_cloud(serve(silence).url)
    started = time.monotonic()
    with pytest.raises(CloudError) as caught:
        cloud.describe_eip_quota(deadline=soon(0.4))
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    assert time.monotonic() - started < PATIENCE


def test_an_answer_that_drips_costs_no_more_than_the_deadline(open_cloud, serve, soon):
    def drip(_, connection):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
        )
        while not server.closing.wait(0.05):
            connection.sendall(b" ")
        return False

    server = serve(drip)
    started = time.monotonic()
    with pytest.raises(CloudError) as caught:
        open_cloud(server.url).describe_eip_quota(deadline=soon(0.5))
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    assert time.monotonic() - started < PATIENCE


def test_each_thread_has_its_own_deadline(open_cloud, serve, soon):
    from concurrent.futures import ThreadPoolExecutor

    def slow(_, connection):
        server.closing.wait(0.5)
        connection.sendall(response({"QuotaSet": []}))
        return True

    server = serve(slow)
    cloud = open_cloud(server.url)

    def patient():
        return cloud.describe_eip_quota(deadline=soon(5))

    def hasty():
        with pytest.raises(CloudError):
            cloud.describe_eip_quota(deadline=soon(0.1))

    with ThreadPoolExecutor() as threads:
        waits = [threads.submit(job) for job in (patient, hasty) * 4]
        assert [wait.result(10) for wait in waits] == [[], None] * 4


def test_a_compressed_answer_is_read(open_cloud, serve):
    import gzip

    packed = gzip.compress(response({"QuotaSet": []}).partition(b"\r\n\r\n")[2])
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    cloud = open_cloud(serve(always(head.encode() + packed)).url)
    assert cloud.describe_eip_quota() == []


def test_an_answer_in_chunks_is_read(open_cloud, serve):
    body = response({"QuotaSet": []}).partition(b"\r\n\r\n")[2]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert open_cloud(serve(always(head + chunks)).url).describe_eip_quota() == []


def test_a_deprecation_notice_changes_nothing(open_cloud, serve):
    answer = always(response({"QuotaSet": [], "DeprecatedWarning": "use another"}))
    assert open_cloud(serve(answer).url).describe_eip_quota() == []


def test_what_the_scripted_server_saw_is_a_signed_request(open_cloud, serve):
    server = serve(scripted_http.api(lambda _: {"QuotaSet": []}))
    open_cloud(server.url).describe_eip_quota()
    (request,) = server.requests
    assert request.action == "DescribeAddressQuota"
    assert request.headers["x-tc-region"] == "ap-guangzhou"
    assert request.headers["x-tc-version"] == "2017-03-12"
    assert request.headers["x-tc-language"] == "en-US"
    assert "tke-eni" in request.headers["x-tc-requestclient"]
    assert request.headers["authorization"].startswith("TC3-HMAC-SHA256 Credential=AKIDdemo/")
    assert server.url.endswith(request.headers["host"])


def test_a_cloud_that_nobody_serves_is_named_with_host_port_and_cause(open_cloud):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    error = failure(open_cloud(f"http://127.0.0.1:{port}", conduct={"patience": 1.0}))

    assert error.detail == f"no answer from 127.0.0.1:{port}: connection refused"
    assert error.code == "ClientNetworkError"


def test_a_name_that_is_not_resolved_is_told_in_plain_words(open_cloud):
    error = failure(open_cloud("http://nowhere.invalid", conduct={"patience": 1.0}))

    assert error.detail.startswith("no answer from nowhere.invalid:80: ")
    assert "Connection" not in error.detail
