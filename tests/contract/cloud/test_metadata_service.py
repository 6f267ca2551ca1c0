"""What a CVM's metadata service tells it, by plain HTTP; runs where the service can be reached."""

import http.client
import json
import time
import urllib.parse

import pytest
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential

from tests.contract.cloud.account import instances

MACS = "network/interfaces/macs/"
ROLES = "cam/security-credentials/"


@pytest.fixture
def ask(endpoint):
    """Returns status and text of a page."""
    if not endpoint.metadata:
        pytest.skip("the endpoint has no metadata service that can be reached from here")
    host = urllib.parse.urlsplit(endpoint.metadata).netloc

    def ask(page):
        connection = http.client.HTTPConnection(host, timeout=5)
        try:
            connection.request("GET", f"/latest/meta-data/{page}")
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    return ask


def test_it_names_the_cvm_and_its_place(ask, account, endpoint):
    (instance,) = instances(account, endpoint.instance_id)
    assert ask("instance-id") == (200, endpoint.instance_id)
    assert ask("placement/region") == (200, endpoint.region)
    assert ask("placement/zone") == (200, instance.Placement.Zone)


def test_macs_are_folders_in_capitals_that_end_in_a_slash(ask, account):
    own = account.primary_eni().MacAddress
    _, listing = ask(MACS)
    assert f"{own.upper()}/" in listing.splitlines()
    assert ask("mac")[1].upper() == own.upper()
    assert ask(f"{MACS}{own.lower()}/vpc-id")[0] == 404


def test_an_interface_tells_its_addresses_and_their_gateway(ask, account, endpoint):
    eni = account.create_eni(secondary=1)
    folder = f"{MACS}{eni.MacAddress.upper()}/"
    account.until(lambda: True if ask(f"{folder}vpc-id")[0] == 200 else None, folder)
    primary = next(a.PrivateIpAddress for a in eni.PrivateIpAddressSet if a.Primary)
    assert ask(f"{folder}primary-local-ipv4") == (200, primary)
    assert ask(f"{folder}vpc-id") == (200, endpoint.vpc_id)
    assert ask(f"{folder}subnet-id") == (200, endpoint.subnet_id)
    listed = {line.rstrip("/") for line in ask(f"{folder}local-ipv4s/")[1].splitlines()}
    assert listed == {a.PrivateIpAddress for a in eni.PrivateIpAddressSet}
    status, gateway = ask(f"{folder}local-ipv4s/{primary}/gateway")
    assert status == 200
    assert gateway.rpartition(".")[0] == primary.rpartition(".")[0]


def test_what_does_not_exist_is_404(ask):
    assert ask("no-such-page")[0] == 404
    assert ask(f"{MACS}00:00:00:00:00:00/vpc-id")[0] == 404


def test_the_role_has_a_temporary_credential_that_signs(ask, endpoint, account):
    status, role = ask(ROLES)
    assert status == 200
    document = json.loads(ask(f"{ROLES}{role}")[1])
    assert document["Code"] == "Success"
    assert document["ExpiredTime"] > time.time()
    key = Credential(document["TmpSecretId"], document["TmpSecretKey"], document["Token"])
    client = CommonClient("vpc", "2017-03-12", key, endpoint.region, account.profile())
    assert client.call_json("DescribeAddressQuota", {})["Response"]["QuotaSet"]
