"""The whole region from inside a CVM: its services, and what calls of the API do to its packets."""

import contextlib
import http.client
import json
import subprocess

import pytest
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from simulator.cloud import InstanceOrder, Latencies, RegionConfig
from simulator.cloud.config import NatGatewayConfig
from simulator.fabric import netns
from simulator.region import SimulatedRegion

pytestmark = pytest.mark.netns

ECHO = "203.0.113.10"


@pytest.fixture(scope="module")
def region():
    config = RegionConfig(
        instances=(
            InstanceOrder(instance_type="S5.2XLARGE16", public_ip=True),
            InstanceOrder(instance_type="S5.2XLARGE16"),
        ),
        latencies=Latencies(scale=0.1),
    )
    with SimulatedRegion(config) as region:
        yield region


@pytest.fixture
def nodes(region):
    return region.describe()["instances"]


@pytest.fixture
def cloud(region):
    """The unmodified SDK, outside of the VPC; gives the answer after the tasks of the call have ended."""
    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=region.cloud_server.endpoint))
    key = Credential("AKIDdemo", "demo-secret-key")
    client = CommonClient("vpc", "2017-03-12", key, "ap-guangzhou", profile)

    def call(action, **params):
        answer = client.call_json(action, params)["Response"]
        assert region.cloud.wait_idle(10)
        return answer

    return call


def _get(namespace, host, path="/", *, port=80, source=""):
    def fetch():
        connection = http.client.HTTPConnection(host, port, timeout=2, source_address=(source, 0))
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    return netns.run_in(namespace, fetch)


def _seen(node, source=""):
    try:
        return _get(node["netns"], ECHO, source=source).strip()
    except TimeoutError:
        return ""


def test_a_cvm_asks_the_metadata_service_about_itself(nodes):
    for node in nodes:
        path = "/latest/meta-data/instance-id"
        assert _get(node["netns"], "169.254.0.23", path) == node["instance_id"]


def test_a_cvm_calls_the_cloud_api_with_the_key_of_its_role(nodes):
    role = _get(nodes[0]["netns"], "169.254.0.23", "/latest/meta-data/cam/security-credentials/")
    answer = _get(nodes[0]["netns"], "169.254.0.23", f"/latest/meta-data/cam/security-credentials/{role}")
    key = json.loads(answer)

    def describe():
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint="169.254.0.95"))
        credential = Credential(key["TmpSecretId"], key["TmpSecretKey"], key["Token"])
        client = CommonClient("cvm", "2017-03-12", credential, "ap-guangzhou", profile)
        return client.call_json("DescribeInstances", {})["Response"]["TotalCount"]

    assert netns.run_in(nodes[0]["netns"], describe) == 2


def test_a_cvm_reaches_the_kubernetes_api(nodes):
    answer = json.loads(_get(nodes[0]["netns"], "169.254.128.1", "/api/v1/nodes", port=6443))

    assert {node["metadata"]["name"] for node in answer["items"]} >= {node["node_name"] for node in nodes}


def test_an_ordinary_public_ip_is_what_the_internet_sees(nodes):
    assert _seen(nodes[0]) == nodes[0]["public_ip"]
    assert _seen(nodes[1]) == ""


def test_an_eni_an_address_and_an_eip_from_the_api_to_the_packet(cloud, region, nodes):
    node = nodes[1]
    subnet, vpc_id = region.config.vpc.subnets[0].subnet_id, region.config.vpc.vpc_id
    eni = cloud(
        "CreateAndAttachNetworkInterface",
        VpcId=vpc_id,
        SubnetId=subnet,
        InstanceId=node["instance_id"],
        NetworkInterfaceName="test",
    )["NetworkInterface"]
    link = json.loads(
        subprocess.run(
            ["ip", "-netns", node["netns"], "-json", "link", "show", "eth1"], check=True, capture_output=True
        ).stdout
    )[0]
    assert link["address"] == eni["MacAddress"].lower()
    assert "UP" not in link["flags"]

    eni_id = eni["NetworkInterfaceId"]
    assigned = cloud("AssignPrivateIpAddresses", NetworkInterfaceId=eni_id, SecondaryPrivateIpAddressCount=1)[
        "PrivateIpAddressSet"
    ]
    ip = assigned[0]["PrivateIpAddress"]
    _own(node["netns"], ip)
    assert _seen(node, source=ip) == "", "no EIP yet"

    eip = cloud("AllocateAddresses")["AddressSet"][0]
    cloud("AssociateAddress", AddressId=eip, NetworkInterfaceId=eni_id, PrivateIpAddress=ip)
    address = cloud("DescribeAddresses", AddressIds=[eip])["AddressSet"][0]
    assert address["AddressStatus"] == "BIND"
    assert _seen(node, source=ip) == address["AddressIp"]

    cloud(
        "UnassignPrivateIpAddresses", NetworkInterfaceId=eni_id, PrivateIpAddresses=[{"PrivateIpAddress": ip}]
    )
    assert cloud("DescribeAddresses", AddressIds=[eip])["AddressSet"][0]["AddressStatus"] == "UNBIND"
    drops = region.fabric.spoof_drops()[eni_id]
    assert _seen(node, source=ip) == ""
    assert region.fabric.spoof_drops()[eni_id] > drops

    cloud("DetachNetworkInterface", NetworkInterfaceId=eni_id, InstanceId=node["instance_id"])
    gone = subprocess.run(
        ["ip", "-netns", node["netns"], "link", "show", "eth1"], check=False, capture_output=True
    )
    assert gone.returncode != 0


def test_a_route_to_a_nat_gateway_takes_the_way_of_the_public_ip(cloud, region, nodes):
    table = region.config.vpc.main_route_table_id
    gateway = region.cloud.add_nat_gateway(NatGatewayConfig(nat_gateway_id="nat-test0001"))
    route = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayType": "NAT", "GatewayId": "nat-test0001"}

    cloud("CreateRoutes", RouteTableId=table, Routes=[route])

    assert [_seen(node) for node in nodes] == [gateway.public_ip, gateway.public_ip]


def _own(namespace, ip):
    for command in (
        "link set eth1 up",
        f"address add {ip}/32 dev lo",
        "route add default via 10.0.1.1 dev eth1 onlink table 100",
        f"rule add from {ip} lookup 100",
    ):
        subprocess.run(["ip", "-netns", namespace, *command.split()], check=True)
    netns.run_in(namespace, lambda: netns.write_sysctls({"net.ipv4.conf.eth1.rp_filter": "2"}))
