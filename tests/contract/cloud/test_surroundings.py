"""The CVM, its subnet, the VPC's ranges and route tables."""

import ipaddress

from tencentcloud.vpc.v20170312 import models as vpc

from tests.contract.cloud.account import instances, request


def test_an_instance_tells_size_place_and_address(account):
    (instance,) = instances(account, account.endpoint.instance_id)
    assert instance.InstanceId == account.endpoint.instance_id
    assert instance.CPU >= 2
    assert instance.InstanceState == "RUNNING"
    assert instance.Placement.Zone.startswith(account.endpoint.region)
    assert instance.VirtualPrivateCloud.VpcId == account.endpoint.vpc_id
    own = next(a.PrivateIpAddress for a in account.primary_eni().PrivateIpAddressSet if a.Primary)
    assert instance.PrivateIpAddresses[0] == own


def test_offset_and_limit_of_subnets_and_route_tables_are_text(account):
    answer = account.vpc.DescribeSubnets(
        request(vpc.DescribeSubnetsRequest, SubnetIds=[account.endpoint.subnet_id], Offset="0", Limit="100")
    )
    (subnet,) = answer.SubnetSet
    assert answer.TotalCount == 1
    assert subnet.VpcId == account.endpoint.vpc_id
    assert subnet.AvailableIpAddressCount > 0
    ipaddress.IPv4Network(subnet.CidrBlock)
    answer = account.vpc.DescribeRouteTables(
        request(vpc.DescribeRouteTablesRequest, RouteTableIds=[subnet.RouteTableId], Offset="0", Limit="100")
    )
    (table,) = answer.RouteTableSet
    assert table.RouteTableId == subnet.RouteTableId


def test_the_subnet_lies_in_a_range_of_the_vpc(account):
    (network,) = account.vpc.DescribeVpcs(
        request(vpc.DescribeVpcsRequest, VpcIds=[account.endpoint.vpc_id], Offset="0", Limit="100")
    ).VpcSet
    ranges = [network.CidrBlock, *(cidr.CidrBlock for cidr in network.AssistantCidrSet or [])]
    (subnet,) = account.vpc.DescribeSubnets(
        request(vpc.DescribeSubnetsRequest, SubnetIds=[account.endpoint.subnet_id])
    ).SubnetSet
    inside = ipaddress.IPv4Network(subnet.CidrBlock)
    assert any(inside.subnet_of(ipaddress.IPv4Network(cidr)) for cidr in ranges)


def test_the_subnet_counts_its_free_addresses(account):
    def free():
        (subnet,) = account.vpc.DescribeSubnets(
            request(vpc.DescribeSubnetsRequest, SubnetIds=[account.endpoint.subnet_id])
        ).SubnetSet
        return subnet.AvailableIpAddressCount

    before = free()
    account.create_eni(secondary=2)
    assert free() == before - 3
