"""What a node believes of its metadata service, and what it refuses to believe."""

import contextlib
import json
import math
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipamd.cloud.metadata import ADDRESS, Metadata, addresses
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import InvalidInputError
from ipamd.core.places import METADATA_URL
from tests.cloud.scripted_http import always, http

ROOT = "/latest/meta-data/"
PATIENCE = 10.0
"""Seconds: far more than the limits under test, on any machine; without one these answers never end."""
FIRST = "network/interfaces/macs/20:90:6F:2A:11:3D/"
SECOND = "network/interfaces/macs/20:90:6F:2A:11:3E/"
PAGES = {
    "instance-id": "ins-1a2b3c4d",
    "mac": "20:90:6F:2A:11:3D",
    "placement/region": "ap-guangzhou",
    "placement/zone": "ap-guangzhou-3",
    "network/interfaces/macs/": "20:90:6F:2A:11:3D/\n20:90:6F:2A:11:3E/",
    f"{FIRST}primary-local-ipv4": "10.0.1.4",
    f"{FIRST}vpc-id": "vpc-demo0001",
    f"{FIRST}subnet-id": "subnet-demo0001",
    f"{FIRST}local-ipv4s/": "10.0.1.4/\n10.0.1.5/\n",
    f"{FIRST}local-ipv4s/10.0.1.4/gateway": "10.0.1.1",
    f"{SECOND}primary-local-ipv4": "10.0.2.9",
    f"{SECOND}vpc-id": "vpc-demo0001",
    f"{SECOND}subnet-id": "subnet-demo0002",
    f"{SECOND}local-ipv4s/": "10.0.2.9/",
    f"{SECOND}local-ipv4s/10.0.2.9/gateway": "10.0.2.1",
    "cam/security-credentials/": "IPAMDofTKE_QCSRole",
    "cam/security-credentials/IPAMDofTKE_QCSRole": json.dumps(
        {
            "TmpSecretId": "AKIDtmp",
            "TmpSecretKey": "tmp-key",
            "Token": "tmp-token",
            "ExpiredTime": 1_700_000_000,
            "Expiration": "2023-11-14T22:13:20Z",
            "Code": "Success",
        }
    ),
}


@pytest.fixture
def metadata(serve):
    """Makes the client of a service with these pages, some of them changed."""

    def metadata(**changes):
        pages = {**PAGES, **changes.pop("pages", {})}
        date = changes.pop("date", "")

        def answer(request, connection):
            text = pages.get(request.path.removeprefix(ROOT))
            if text is None or not request.path.startswith(ROOT):
                connection.sendall(http(b"no", content_type="text/plain", status="404 Not Found"))
                return True
            body = text if isinstance(text, bytes) else text.encode()
            connection.sendall(http(body, content_type="text/plain", date=date))
            return True

        return Metadata(serve(answer).url, **changes)

    return metadata


def test_a_node_learns_who_and_where_it_is(metadata):
    service = metadata()
    assert service.instance_id() == "ins-1a2b3c4d"
    assert service.region() == "ap-guangzhou"
    assert service.zone() == "ap-guangzhou-3"
    assert service.mac() == "20:90:6f:2a:11:3d"


def test_its_interfaces_have_their_addresses_and_gateways(metadata):
    first, second = metadata().interfaces()
    assert (first.mac, first.primary_ip, first.gateway) == ("20:90:6f:2a:11:3d", "10.0.1.4", "10.0.1.1")
    assert first.local_ipv4s == ("10.0.1.4", "10.0.1.5")
    assert (first.vpc_id, first.subnet_id) == ("vpc-demo0001", "subnet-demo0001")
    assert (second.primary_ip, second.subnet_id) == ("10.0.2.9", "subnet-demo0002")


def test_the_credential_of_its_role_has_token_and_expiry(metadata):
    credential = metadata().credential()
    assert (credential.secret_id, credential.secret_key, credential.token) == (
        "AKIDtmp",
        "tmp-key",
        "tmp-token",
    )
    assert "tmp-key" not in repr(credential)
    assert "tmp-token" not in repr(credential)


def test_the_service_says_by_its_own_clock_for_how_long_a_credential_is_good(metadata):
    """The node's may be wrong; it says 2023 here, an hour before the credential expires."""
    assert metadata(date="Tue, 14 Nov 2023 21:13:20 GMT").credential().lifetime == 3600


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Nov 2023 21:13:20 GMT"])
def test_a_service_that_does_not_say_the_time_is_believed_by_the_nodes_clock(metadata, date):
    lifetime = metadata(date=date).credential().lifetime
    assert lifetime == pytest.approx(1_700_000_000 - time.time(), abs=30)


@pytest.mark.parametrize("pages", [{"cam/security-credentials/": None}, {"cam/security-credentials/": ""}])
def test_a_node_without_a_role_is_told_so(metadata, pages):
    with pytest.raises(CloudError) as caught:
        metadata(pages=pages).credential()
    assert caught.value.kind is CloudErrorKind.NOT_FOUND


@pytest.mark.parametrize(
    ("page", "text", "ask"),
    [
        ("instance-id", "", "instance_id"),
        ("instance-id", "<html>login</html>", "instance_id"),
        ("instance-id", "ins-1a2b/../x", "instance_id"),
        ("instance-id", "ins-1a2b3c4d\nins-1a2b3c4e", "instance_id"),
        ("instance-id", b"ins-\xff\xfe", "instance_id"),
        ("placement/region", "Guangzhou", "region"),
        ("placement/zone", "ap-guangzhou-3; rm", "zone"),
        ("mac", "20:90:6F:2A:11", "mac"),
        ("mac", "20:90:6F:2A:11:ZZ", "mac"),
        ("network/interfaces/macs/", "eth0/", "interfaces"),
        ("network/interfaces/macs/", "x/\n" * 600, "interfaces"),
        (f"{FIRST}primary-local-ipv4", "10.0.1.256", "interfaces"),
        (f"{FIRST}local-ipv4s/", "10.0.1.4/\nfe80::1/", "interfaces"),
        (f"{FIRST}vpc-id", "subnet-1", "interfaces"),
        (f"{FIRST}local-ipv4s/10.0.1.4/gateway", "via 10.0.1.1", "interfaces"),
        ("cam/security-credentials/IPAMDofTKE_QCSRole", "{", "credential"),
        ("cam/security-credentials/IPAMDofTKE_QCSRole", "[]", "credential"),
        ("cam/security-credentials/IPAMDofTKE_QCSRole", '{"Code": "Failed"}', "credential"),
        (
            "cam/security-credentials/IPAMDofTKE_QCSRole",
            '{"Code":"Success","TmpSecretId":"a","TmpSecretKey":"","Token":"t","ExpiredTime":1}',
            "credential",
        ),
        (
            "cam/security-credentials/IPAMDofTKE_QCSRole",
            '{"Code":"Success","TmpSecretId":"a","TmpSecretKey":"b","Token":"t","ExpiredTime":"soon"}',
            "credential",
        ),
    ],
)
def test_what_cannot_be_true_is_refused_by_the_name_of_the_page(metadata, page, text, ask):
    with pytest.raises(CloudError) as caught:
        getattr(metadata(pages={page: text}), ask)()
    assert caught.value.kind is CloudErrorKind.INTERNAL
    assert page.rstrip("/") in caught.value.action
    assert len(str(caught.value)) < 500


def test_a_role_with_a_path_in_its_name_is_not_asked_for(metadata):
    with pytest.raises(CloudError) as caught:
        metadata(pages={"cam/security-credentials/": "../../secrets"}).credential()
    assert caught.value.kind is CloudErrorKind.NOT_FOUND


def test_a_page_that_does_not_exist_is_not_found(metadata):
    with pytest.raises(CloudError) as caught:
        metadata(pages={"placement/zone": None}).zone()
    assert caught.value.kind is CloudErrorKind.NOT_FOUND


def test_another_status_is_no_answer(serve):
    service = Metadata(serve(always(http(b"busy", status="503 Service Unavailable"))).url)
    with pytest.raises(CloudError, match="503") as caught:
        service.instance_id()
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME


@pytest.mark.parametrize("length", [10**9, 70_000])
def test_a_huge_page_is_not_read_to_its_end(serve, length):
    def flood(_, connection):
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
        for _ in range(20):
            connection.sendall(b"a" * 65536)
        return False

    with pytest.raises(CloudError, match="too long"):
        Metadata(serve(flood).url).instance_id()


def test_a_page_that_is_cut_off_is_no_answer(serve):
    def cut(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nins-1a2b")
        return False

    with pytest.raises(CloudError, match="cut"):
        Metadata(serve(cut).url).instance_id()


def test_a_service_that_is_silent_costs_its_timeout_and_no_more(serve):
    service = Metadata(serve(lambda _, connection: bool(connection.recv(1))).url, timeout=0.3)
    started = time.monotonic()
    with pytest.raises(CloudError, match="no answer") as caught:
        service.instance_id()
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    assert time.monotonic() - started < PATIENCE


def test_a_service_that_drips_costs_its_timeout_and_no_more(serve):
    def drip(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        while True:
            connection.sendall(b"i")
            time.sleep(0.02)

    started = time.monotonic()
    with pytest.raises(CloudError, match="too slow"):
        Metadata(serve(drip).url, timeout=0.3).instance_id()
    assert time.monotonic() - started < PATIENCE


def test_no_proxy_is_used(metadata, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert metadata().instance_id() == "ins-1a2b3c4d"


@pytest.mark.parametrize("suffix", ["", "/", "/latest/meta-data", "/latest/meta-data/"])
def test_the_address_may_be_given_with_or_without_its_root(serve, suffix):
    server = serve(always(http(b"ins-1a2b3c4d")))
    assert Metadata(server.url + suffix).instance_id() == "ins-1a2b3c4d"
    assert server.requests[0].path == "/latest/meta-data/instance-id"


@pytest.mark.parametrize("address", ["metadata.tencentyun.com", "https://x", "http://", ""])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InvalidInputError, match="is not understood"):
        Metadata(address)


ANSWERS = (
    st.binary(max_size=120)
    | st.text(max_size=60).map(str.encode)
    | st.sampled_from(
        [
            b"ins-1a2b3c4d/../../x",
            b"20:90:6F:2A:11:3D/\n" * 3,
            b'{"Code":"Success","TmpSecretId":"a","TmpSecretKey":"b","Token":"c","ExpiredTime":1e999}',
            b'{"Code":"Success","TmpSecretId":"a\\nb","TmpSecretKey":"b","Token":"c","ExpiredTime":1}',
        ]
    )
    # Made long when they are drawn: hypothesis names a strategy by its values.
    | st.sampled_from([(b"\n", 2000), (b"10.0.1.4/\n", 2000), (b"[", 60000), (b"x", 65 << 10)]).map(
        lambda part: part[0] * part[1]
    )
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(page=st.sampled_from(sorted(PAGES)), answer=ANSWERS)
def test_any_answer_is_believed_as_far_as_it_can_be_true_or_refused(metadata, page, answer):
    service = metadata(pages={page: answer})
    for ask in (service.instance_id, service.region, service.zone, service.mac, service.interfaces):
        with contextlib.suppress(CloudError):
            ask()
    with contextlib.suppress(CloudError):
        credential = service.credential()
        assert math.isfinite(credential.lifetime)
        assert credential.secret_id.isprintable()


@pytest.mark.parametrize(
    "changes",
    [
        {"ExpiredTime": math.inf},
        {"ExpiredTime": math.nan},
        {"ExpiredTime": -1},
        {"TmpSecretId": "AKID\r\nX-Other: header"},
        {"Token": "t" * 9000},
        {"TmpSecretKey": "\x00"},
    ],
    ids="".join,
)
def test_a_credential_that_could_do_harm_is_refused(metadata, changes):
    """It goes into a header, and decides when it is asked for again."""
    page = "cam/security-credentials/IPAMDofTKE_QCSRole"
    given_out = {**json.loads(PAGES[page]), **changes}
    service = metadata(pages={page: json.dumps(given_out)})
    with pytest.raises(CloudError) as refused:
        service.credential()
    assert refused.value.kind is CloudErrorKind.INTERNAL


@pytest.mark.parametrize(
    ("url", "more"),
    [
        (METADATA_URL, set()),
        (f"http://{ADDRESS}", set()),
        ("http://169.254.0.99:8080/latest/meta-data", {"169.254.0.99"}),
        ("http://127.0.0.1:18080", set()),
        ("http://10.0.1.2", set()),
        ("http://[fe80::23]", set()),
        ("", set()),
    ],
)
def test_the_service_is_at_its_known_address_and_at_a_link_local_one_of_the_url(url, more):
    assert addresses(url) == {ADDRESS} | more


def test_the_service_has_answered_when_a_question_was(metadata):
    service = metadata(pages={"instance-id": None})
    with pytest.raises(CloudError):
        service.instance_id()
    assert service.answered_at() is None

    before = time.monotonic()
    service.region()

    assert before <= service.answered_at() <= time.monotonic()
