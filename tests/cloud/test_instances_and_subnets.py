"""What the adapter reads about the node and the VPC around it, from a region on the wire."""

import time

import pytest

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from simulator.cloud import CloudRegion, CloudServer, RegionConfig, loopback_socket
from simulator.cloud.config import SubnetConfig, VpcConfig


def test_an_instance_has_its_size_and_place(cloud, node):
    instance = cloud.describe_instance(node)
    assert instance.instance_id == node
    assert instance.instance_type == "S5.LARGE8"
    assert instance.vcpus == 4
    assert instance.zone == "ap-guangzhou-3"
    assert instance.vpc_id == "vpc-demo0001"
    assert instance.subnet_id == "subnet-demo0001"
    assert instance.private_ip.startswith("10.0.1.")
    assert instance.state == "RUNNING"


def test_an_instance_that_does_not_exist_is_not_found(cloud):
    with pytest.raises(CloudError, match="ins-00000000") as caught:
        cloud.describe_instance("ins-00000000")
    assert caught.value.kind is CloudErrorKind.NOT_FOUND


def test_eni_limits_count_the_primary_ones(cloud, node):
    limits = cloud.describe_eni_limits(node)
    assert (limits.enis, limits.ips_per_eni) == (4, 10)


def test_a_subnet_tells_its_free_addresses_and_its_route_table(cloud, node):
    (subnet,) = cloud.describe_subnets(["subnet-demo0001"])
    assert subnet.cidr == "10.0.1.0/24"
    assert subnet.zone == "ap-guangzhou-3"
    assert 200 < subnet.available_ips < 254
    (table,) = cloud.describe_route_tables([subnet.route_table_id])
    assert table.route_table_id == subnet.route_table_id
    assert table.vpc_id == "vpc-demo0001"


def test_asking_for_nothing_costs_no_call(cloud, region):
    assert cloud.describe_subnets([]) == []
    assert cloud.describe_route_tables([]) == []
    assert cloud.describe_eips(eip_ids=[]) == []
    assert region.audit.calls() == {}


def test_the_ranges_of_a_vpc_start_with_the_main_one(open_cloud):
    vpc = VpcConfig(
        assistant_cidrs=("172.16.0.0/16", "192.168.0.0/20"),
        subnets=(SubnetConfig(), SubnetConfig(subnet_id="subnet-demo0002", cidr="172.16.1.0/24")),
    )
    with (
        CloudRegion(RegionConfig(vpc=vpc)) as region,
        CloudServer(region, [loopback_socket()]) as server,
        open_cloud(f"http://{server.endpoint}") as cloud,
    ):
        assert cloud.describe_vpc_cidrs("vpc-demo0001") == ("10.0.0.0/16", "172.16.0.0/16", "192.168.0.0/20")
        assert {s.subnet_id for s in cloud.describe_subnets(["subnet-demo0001", "subnet-demo0002"])} == {
            "subnet-demo0001",
            "subnet-demo0002",
        }


def test_a_vpc_that_does_not_exist_is_not_found(cloud):
    with pytest.raises(CloudError) as caught:
        cloud.describe_vpc_cidrs("vpc-00000000")
    assert caught.value.kind is CloudErrorKind.NOT_FOUND


def test_the_cloud_has_answered_well_when_a_call_succeeded(cloud, node, region):
    region.accounts.set_policy("demo", deny=("*:DescribeSubnets",))
    with pytest.raises(CloudError):
        cloud.describe_subnets(["subnet-demo0001"])
    assert cloud.answered_at() is None

    before = time.monotonic()
    cloud.describe_instance(node)

    assert before <= cloud.answered_at() <= time.monotonic()
