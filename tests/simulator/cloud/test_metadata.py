"""The metadata service, over HTTP, from the CVM's point of view."""

import http.client
import json
import time

import pytest
from tencentcloud.common.credential import Credential, CVMRoleCredential

from simulator.cloud import Fault, FaultKind, loopback_socket
from simulator.metadata import MetadataServer, instance_at


class Metadata:
    def __init__(self, cloud, instance_id=""):
        self.server = MetadataServer(cloud.region, [loopback_socket()], instance_id)

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection(self.server.endpoint, timeout=5)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def text(self, path):
        status, body = self.get(f"/latest/meta-data/{path}")
        assert status == 200, path
        return body

    def lines(self, path):
        return self.text(path).splitlines()


@pytest.fixture
def node(cloud):
    return cloud.node(public_ip=True)


@pytest.fixture
def metadata(cloud, node):
    made = Metadata(cloud, node)
    yield made
    made.server.close()


def test_the_instance_knows_itself(cloud, node, metadata):
    assert metadata.text("instance-id") == node
    assert metadata.text("local-ipv4") == "10.0.1.2"
    assert metadata.text("public-ipv4") == "198.18.0.1"
    assert metadata.text("placement/region") == "ap-guangzhou"
    assert metadata.text("placement/zone") == "ap-guangzhou-3"
    assert metadata.text("instance/instance-type") == "S5.LARGE8"
    assert metadata.text("app-id") == "1250000000"
    assert metadata.text("mac") == cloud.shown_eni(cloud.primary_eni(node))["MacAddress"]


def test_directories_end_in_a_slash(metadata):
    top = metadata.lines("")
    assert {"instance-id", "mac", "network/", "placement/", "cam/"} <= set(top)
    assert metadata.lines("network/") == ["interfaces/"]
    assert metadata.lines("network/interfaces/") == ["macs/"]
    assert metadata.lines("placement") == ["region", "zone"]


def test_each_attached_eni_has_a_directory_under_its_upper_case_mac(cloud, node, metadata):
    eni = cloud.eni(node, secondaries=2)
    cloud.eni(secondaries=1)
    shown = cloud.shown_eni(eni)
    macs = metadata.lines("network/interfaces/macs/")
    assert len(macs) == 2
    assert f"{shown['MacAddress']}/" in macs
    base = f"network/interfaces/macs/{shown['MacAddress']}"
    ips = [p["PrivateIpAddress"] for p in shown["PrivateIpAddressSet"]]
    assert metadata.text(f"{base}/primary-local-ipv4") == ips[0]
    assert metadata.text(f"{base}/vpc-id") == "vpc-demo0001"
    assert metadata.text(f"{base}/subnet-id") == "subnet-demo0001"
    assert metadata.text(f"{base}/mac") == shown["MacAddress"]
    assert metadata.lines(f"{base}/local-ipv4s/") == [f"{ip}/" for ip in ips]
    assert metadata.text(f"{base}/local-ipv4s/{ips[1]}/gateway") == "10.0.1.1"
    assert metadata.text(f"{base}/local-ipv4s/{ips[1]}/subnet-mask") == "255.255.255.0"
    assert metadata.get(f"/latest/meta-data/{base}/public-ipv4s")[0] == 404
    address_id = cloud.eip()
    cloud.call("ReleaseAddresses", {"AddressIds": [address_id]})


def test_an_eip_appears_at_its_address(cloud, node, metadata):
    eni = cloud.eni(node, secondaries=1)
    (ip,) = cloud.ips(eni)
    address_id = cloud.eip()
    cloud.bind(address_id, eni, ip)
    base = f"network/interfaces/macs/{cloud.shown_eni(eni)['MacAddress']}"
    public = cloud.shown_eip(address_id)["AddressIp"]
    assert metadata.text(f"{base}/public-ipv4s") == public
    assert metadata.text(f"{base}/local-ipv4s/{ip}/public-ipv4") == public
    assert metadata.text(f"{base}/local-ipv4s/{ip}/public-ipv4-mode") == "NAT"


def test_an_eni_on_its_way_and_a_pending_address_are_not_there_yet(cloud, node, metadata):
    eni = cloud.eni()
    cloud.call("AttachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": node})
    assert len(metadata.lines("network/interfaces/macs/")) == 1
    cloud.pass_time()
    (mac,) = [
        m for m in metadata.lines("network/interfaces/macs/") if m[:-1] == cloud.shown_eni(eni)["MacAddress"]
    ]
    cloud.call("AssignPrivateIpAddresses", {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 1})
    assert len(metadata.lines(f"network/interfaces/macs/{mac}local-ipv4s/")) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/latest/",
        "/latest/user-data",
        "/2009-04-04/meta-data/instance-id",
        "/latest/meta-data/Instance-Id",
        "/latest/meta-data/instance-id/x",
        "/latest/meta-data/network/interfaces/macs/00:00:00:00:00:00/mac",
        "/latest/meta-data/cam/security-credentials/Other",
        "/latest/meta-data/cam/security-credentials/IPAMDofTKE_QCSRole/x",
        "/latest/meta-data/spot/termination-time",
    ],
)
def test_what_does_not_exist_is_404(metadata, path):
    assert metadata.get(path)[0] == 404


def test_mac_directories_are_case_sensitive(cloud, node, metadata):
    mac = cloud.shown_eni(cloud.primary_eni(node))["MacAddress"]
    assert metadata.get(f"/latest/meta-data/network/interfaces/macs/{mac.lower()}/mac")[0] == 404


def test_only_reading_is_allowed(metadata):
    assert metadata.get("/latest/meta-data/instance-id", "POST")[0] == 405
    assert metadata.get("/latest/meta-data/instance-id", "HEAD") == (200, "")


def test_role_keys_open_the_api(cloud, metadata):
    assert metadata.lines("cam/security-credentials/") == ["IPAMDofTKE_QCSRole"]
    document = json.loads(metadata.text("cam/security-credentials/IPAMDofTKE_QCSRole"))
    assert document["Code"] == "Success"
    assert document["ExpiredTime"] > time.time() + 3600
    assert document["Expiration"].endswith("Z")
    key = Credential(document["TmpSecretId"], document["TmpSecretKey"], document["Token"])
    assert cloud.call("DescribeAddresses", credential=key)["TotalCount"] == 0
    assert json.loads(metadata.text("cam/security-credentials/IPAMDofTKE_QCSRole")) == document


def test_the_sdks_own_role_credential_works(cloud, metadata):
    class AtLoopback(CVMRoleCredential):  # type: ignore[misc]  # the SDK has no types
        _metadata_endpoint = f"http://{metadata.server.endpoint}/latest/meta-data/cam/security-credentials/"
        _role_endpoint = _metadata_endpoint

    assert cloud.call("DescribeAddresses", credential=AtLoopback())["TotalCount"] == 0


def test_an_instance_without_a_role_has_no_keys(cloud):
    plain = Metadata(cloud, cloud.node(cam_role=""))
    assert plain.get("/latest/meta-data/cam/security-credentials/")[0] == 404
    assert "cam/" not in plain.lines("")
    plain.server.close()


def test_the_instance_is_known_by_the_source_address(cloud):
    one, two = cloud.node(), cloud.node()
    eni = cloud.eni(two, secondaries=1)

    def at(ip):
        return cloud.region.read(lambda world: instance_at(world, ip))

    assert (at("10.0.1.2"), at("10.0.1.3")) == (one, two)
    assert at(cloud.ips(eni)[0]) == two
    assert at("10.0.1.250") == ""
    assert at("127.0.0.1") == ""


def test_a_client_from_nowhere_finds_nothing(cloud, node):
    nobody = Metadata(cloud)
    assert nobody.get("/latest/meta-data/instance-id")[0] == 404
    assert nobody.get("/latest/meta-data/cam/security-credentials/")[0] == 404
    nobody.server.close()


def test_the_service_can_fail_on_demand(cloud, metadata):
    faults = cloud.region.faults
    faults.add(Fault(kind=FaultKind.HTTP_500, action="Metadata"))
    assert metadata.get("/latest/meta-data/instance-id")[0] == 500
    faults.add(Fault(kind=FaultKind.TIMEOUT_BEFORE, action="Metadata"))
    with pytest.raises(http.client.RemoteDisconnected):
        metadata.get("/latest/meta-data/instance-id")
    faults.add(Fault(kind=FaultKind.LATENCY, action="Metadata", seconds=0.05))
    assert metadata.get("/latest/meta-data/instance-id")[0] == 200
