"""TC3-HMAC-SHA256 by hand, independent of both the SDK's and the simulator's code."""

import hashlib
import hmac
import http.client
import json
import time
from datetime import UTC, datetime

import pytest
from tencentcloud.common.credential import Credential

from simulator.cloud.accounts import Accounts
from simulator.cloud.config import AccountConfig


def hmac_sha256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class HandMade:
    """A client written from the document, whose every step can be bent."""

    def __init__(self, cloud):
        self.host = cloud.server.endpoint
        self.key = ("AKIDdemo", "demo-secret-key")
        self.now = int(time.time())
        self.signed = ["content-type", "host", "x-tc-action"]
        self.service = "vpc"
        self.payload = None
        self.extra = {}

    def headers(self, body):
        return {
            "Content-Type": "application/json; charset=utf-8",
            "Host": self.host,
            "X-TC-Action": "DescribeAddresses",
            "X-TC-Version": "2017-03-12",
            "X-TC-Region": "ap-guangzhou",
            "X-TC-Timestamp": str(self.now),
            **self.extra,
        }

    def authorization(self, headers, body):
        lower = {name.lower(): value.strip().lower() for name, value in headers.items()}
        names = ";".join(self.signed)
        listed = "".join(f"{name}:{lower[name]}\n" for name in self.signed)
        payload = hashlib.sha256(self.payload or body).hexdigest()
        canonical = f"POST\n/\n\n{listed}\n{names}\n{payload}"
        date = datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%d")
        scope = f"{date}/{self.service}/tc3_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"TC3-HMAC-SHA256\n{self.now}\n{scope}\n{digest}"
        key = hmac_sha256(b"TC3" + self.key[1].encode(), date)
        key = hmac_sha256(hmac_sha256(key, self.service), "tc3_request")
        signature = hmac_sha256(key, text).hex()
        return (
            f"TC3-HMAC-SHA256 Credential={self.key[0]}/{scope}, SignedHeaders={names}, Signature={signature}"
        )

    def send(self, body=b"{}", sent_body=None, **changed):
        headers = self.headers(body)
        headers["Authorization"] = self.authorization(headers, body)
        headers.update(changed.get("after", {}))
        connection = http.client.HTTPConnection(self.host)
        try:
            connection.request("POST", "/", sent_body or body, headers)
            return json.loads(connection.getresponse().read())["Response"]
        finally:
            connection.close()

    def code(self, **options):
        return self.send(**options).get("Error", {}).get("Code", "")


@pytest.fixture
def client(cloud):
    return HandMade(cloud)


def test_a_request_with_more_signed_headers_is_accepted(client):
    client.signed = ["content-type", "host", "x-tc-action", "x-tc-timestamp", "x-tc-version"]
    assert client.code() == ""


def test_a_signed_header_that_was_changed_on_the_way_is_found(client):
    assert client.code(after={"X-TC-Action": "ReleaseAddresses"}) == "AuthFailure.SignatureFailure"


def test_a_header_that_is_not_signed_may_change(client):
    client.signed = ["content-type", "host"]
    assert client.code(after={"X-TC-Language": "en-US"}) == ""


def test_a_changed_body_is_found(client):
    assert client.code(sent_body=b'{"Limit": 5}') == "AuthFailure.SignatureFailure"


def test_an_unsigned_payload_may_change(client):
    client.extra = {"X-TC-Content-SHA256": "UNSIGNED-PAYLOAD"}
    client.payload = b"UNSIGNED-PAYLOAD"
    assert client.code(sent_body=b'{"Limit": 5}') == ""


def test_the_sdk_with_an_unsigned_payload_is_accepted(cloud):
    assert cloud.call("DescribeAddresses", unsigned_payload=True)["TotalCount"] == 0


def test_the_host_must_be_signed(client):
    client.signed = ["content-type"]
    assert client.code() == "AuthFailure.InvalidAuthorization"


def test_the_port_belongs_to_the_host(client):
    assert client.code(after={"Host": client.host.partition(":")[0]}) == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize("seconds", [-290, 290])
def test_a_clock_that_is_a_little_off_is_accepted(client, seconds):
    client.now += seconds
    assert client.code() == ""


@pytest.mark.parametrize("seconds", [-320, 320])
def test_a_clock_that_is_far_off_is_refused(client, seconds):
    client.now += seconds
    assert client.code() == "AuthFailure.SignatureExpire"


def test_the_date_of_the_scope_must_be_that_of_the_timestamp(client):
    client.signed = ["content-type", "host"]
    yesterday = datetime.fromtimestamp(client.now - 86400, UTC).strftime("%Y-%m-%d")
    headers = client.headers(b"{}")
    today = datetime.fromtimestamp(client.now, UTC).strftime("%Y-%m-%d")
    wrong = client.authorization(headers, b"{}").replace(today, yesterday)
    assert client.code(after={"Authorization": wrong}) == "AuthFailure.SignatureFailure"


def test_the_wrong_key_is_refused(client):
    client.key = ("AKIDdemo", "another-key")
    assert client.code() == "AuthFailure.SignatureFailure"


def test_an_unknown_secret_id_is_refused(client):
    client.key = ("AKIDnobody", "demo-secret-key")
    assert client.code() == "AuthFailure.SecretIdNotFound"


@pytest.mark.parametrize(
    "header",
    [
        "TC3-HMAC-SHA256",
        "HMAC-SHA1 Credential=a/b/c/tc3_request, SignedHeaders=host, Signature=x",
        "TC3-HMAC-SHA256 Credential=a/b, SignedHeaders=content-type;host, Signature=x",
        "TC3-HMAC-SHA256 Credential=a/b/c/tc3_request, Signature=x",
        "TC3-HMAC-SHA256 Credential=a/b/c/tc3_request, SignedHeaders=content-type;host",
        "nonsense, , =",
    ],
)
def test_a_malformed_authorization_header_is_refused(client, header):
    assert client.code(after={"Authorization": header}) == "AuthFailure.InvalidAuthorization"


@pytest.mark.parametrize("value", ["", "soon", "1.5"])
def test_a_timestamp_that_is_no_number_is_refused(client, value):
    assert client.code(after={"X-TC-Timestamp": value}) == "MissingParameter"


def test_the_service_of_the_scope_chooses_the_product(client):
    client.service = "cvm"
    assert client.code() == "InvalidAction"


def test_a_body_that_is_not_json_is_refused(client):
    assert client.code(body=b"{") == "InvalidParameter"
    assert client.code(body=b"[]") == "InvalidParameter"


def temporary(cloud):
    return cloud.region.accounts.temporary_key("IPAMDofTKE_QCSRole")


def test_a_temporary_key_works_with_its_token(cloud):
    key = temporary(cloud)
    credential = Credential(key.secret_id, key.secret_key, key.token)
    assert cloud.call("DescribeAddresses", credential=credential)["TotalCount"] == 0


@pytest.mark.parametrize("token", [None, "another"])
def test_a_temporary_key_needs_its_own_token(cloud, token):
    key = temporary(cloud)
    credential = Credential(key.secret_id, key.secret_key, token)
    assert cloud.refused("DescribeAddresses", credential=credential) == "AuthFailure.TokenFailure"


def test_a_temporary_key_expires_and_is_renewed_before():
    moment = [1000.0]
    accounts = Accounts(AccountConfig(), lambda: moment[0])
    key = accounts.temporary_key("IPAMDofTKE_QCSRole")
    assert accounts.temporary_key("IPAMDofTKE_QCSRole") == key
    moment[0] += 5500
    newer = accounts.temporary_key("IPAMDofTKE_QCSRole")
    assert newer.secret_id != key.secret_id
    assert accounts.principal(key.secret_id, key.token).name == "IPAMDofTKE_QCSRole"
    moment[0] = key.expires
    with pytest.raises(Exception, match="expired"):
        accounts.principal(key.secret_id, key.token)
    assert accounts.principal(newer.secret_id, newer.token).name == "IPAMDofTKE_QCSRole"
