"""Security groups of ENIs over the wire, and subnets found by tags and range."""

import pytest

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.model import EniRequest
from simulator.cloud import CloudRegion, CloudServer, RegionConfig, loopback_socket
from simulator.cloud.config import SubnetConfig, VpcConfig
from tests.testkit.eventually import eventually


@pytest.fixture
def eni(cloud, node, soon):
    request = EniRequest(
        instance_id=node,
        vpc_id="vpc-demo0001",
        subnet_id="subnet-demo0001",
        security_groups=("sg-aaaaaaaa",),
        secondary_ips=1,
    )
    return cloud.create_and_attach_eni(request, "token-1", soon()).eni_id


def test_groups_are_given_and_taken(cloud, eni):
    def groups():
        return cloud.describe_eni(eni).security_groups

    cloud.associate_security_groups([eni], ["sg-bbbbbbbb", "sg-cccccccc"])
    eventually(lambda: groups() == ("sg-aaaaaaaa", "sg-bbbbbbbb", "sg-cccccccc"))

    cloud.disassociate_security_groups([eni], ["sg-aaaaaaaa", "sg-cccccccc"])
    eventually(lambda: groups() == ("sg-bbbbbbbb",))


def test_a_primary_eni_is_refused(cloud, node):
    [primary] = [eni for eni in cloud.describe_enis(node) if eni.primary]
    with pytest.raises(CloudError, match="AssociateNetworkInterfaceSecurityGroups"):
        cloud.associate_security_groups([primary.eni_id], ["sg-bbbbbbbb"])


@pytest.mark.parametrize(
    ("tags", "cidr", "found"),
    [
        ({"use": "pods"}, "", ["subnet-aaaaaaaa", "subnet-bbbbbbbb"]),
        ({"use": "pods", "team": "red"}, "", ["subnet-bbbbbbbb"]),
        ({}, "10.0.3.0/24", ["subnet-cccccccc"]),
        ({"use": "other"}, "", []),
    ],
)
def test_subnets_are_found_by_tags_and_range(open_cloud, tags, cidr, found):
    subnets = (
        SubnetConfig(subnet_id="subnet-aaaaaaaa", cidr="10.0.1.0/24", tags={"use": "pods"}),
        SubnetConfig(subnet_id="subnet-bbbbbbbb", cidr="10.0.2.0/24", tags={"use": "pods", "team": "red"}),
        SubnetConfig(subnet_id="subnet-cccccccc", cidr="10.0.3.0/24"),
    )
    with (
        CloudRegion(RegionConfig(vpc=VpcConfig(subnets=subnets))) as region,
        CloudServer(region, [loopback_socket()]) as server,
        open_cloud(f"http://{server.endpoint}") as cloud,
    ):
        listed = cloud.find_subnets("vpc-demo0001", tags, cidr)
    assert [subnet.subnet_id for subnet in listed] == found
