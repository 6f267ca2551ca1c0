"""Route tables, and what the data plane is told of them."""

import pytest

from simulator.cloud.config import SubnetConfig, VpcConfig
from simulator.fabric.api import Route

RTB = "rtb-demo0001"
EIP = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayType": "EIP", "GatewayId": "0"}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayType": "NAT", "GatewayId": "nat-demo0001"}


@pytest.fixture
def routed(make_cloud):
    subnets = (
        SubnetConfig(),
        SubnetConfig(subnet_id="subnet-two00001", cidr="10.0.2.0/24", route_table_id="rtb-two00001"),
    )
    cloud = make_cloud(vpc=VpcConfig(subnets=subnets))
    cloud.region.add_nat_gateway()
    return cloud


def routes(cloud, table=RTB):
    (shown,) = cloud.call("DescribeRouteTables", {"RouteTableIds": [table]})["RouteTableSet"]
    return [(r["DestinationCidrBlock"], r["GatewayType"], r["GatewayId"]) for r in shown["RouteSet"]]


def create(cloud, *given, table=RTB):
    answer = cloud.call("CreateRoutes", {"RouteTableId": table, "Routes": list(given)})
    cloud.pass_time(0)
    return answer


def test_tables_and_the_subnets_they_serve(routed):
    tables = routed.call("DescribeRouteTables")["RouteTableSet"]
    assert {t["RouteTableId"]: (t["Main"], [a["SubnetId"] for a in t["AssociationSet"]]) for t in tables} == {
        RTB: (True, ["subnet-demo0001"]),
        "rtb-two00001": (False, ["subnet-two00001"]),
    }
    (subnet,) = routed.call("DescribeSubnets", {"SubnetIds": ["subnet-two00001"]})["SubnetSet"]
    assert subnet["RouteTableId"] == "rtb-two00001"


def test_a_new_route_reaches_the_data_plane_of_its_subnets(routed):
    answer = create(routed, NAT, EIP)
    assert answer["TotalCount"] == 2
    assert routes(routed) == [("0.0.0.0/0", "NAT", "nat-demo0001"), ("0.0.0.0/0", "EIP", "0")]
    assert routed.fabric.calls[-1] == (
        "set_routes",
        "10.0.1.0/24",
        [
            Route(destination="0.0.0.0/0", gateway_type="NAT", gateway_id="nat-demo0001"),
            Route(destination="0.0.0.0/0", gateway_type="EIP", gateway_id="0"),
        ],
    )
    assert routes(routed, "rtb-two00001") == []


def test_a_disabled_route_is_shown_and_does_nothing(routed):
    create(routed, {**NAT, "Enabled": False})
    assert len(routes(routed)) == 1
    assert routed.fabric.calls[-1] == ("set_routes", "10.0.1.0/24", [])


@pytest.mark.parametrize("by", ["RouteId", "RouteItemId"])
def test_deleting_a_route(routed, by):
    made = create(routed, NAT, EIP)["RouteTableSet"][0]["RouteSet"]
    answer = routed.call("DeleteRoutes", {"RouteTableId": RTB, "Routes": [{by: made[0][by]}]})
    routed.pass_time(0)
    assert [r["GatewayType"] for r in answer["RouteSet"]] == ["NAT"]
    assert routes(routed) == [("0.0.0.0/0", "EIP", "0")]
    assert len(routed.fabric.calls[-1][2]) == 1


def test_tables_by_next_hop_need_two_more_filters(routed):
    create(routed, NAT)
    by_hop = {"Name": "next-hop-type", "Values": ["NAT"]}
    assert (
        routed.refused("DescribeRouteTables", {"Filters": [by_hop]}) == "InvalidParameter.FilterMissParameter"
    )
    rest = [{"Name": "route-table-id", "Values": [RTB]}, {"Name": "vpc-id", "Values": ["vpc-demo0001"]}]
    assert routed.call("DescribeRouteTables", {"Filters": [by_hop, *rest]})["TotalCount"] == 1


def test_tables_without_their_routes(routed):
    create(routed, NAT)
    tables = routed.call("DescribeRouteTables", {"NeedRouterInfo": False})["RouteTableSet"]
    assert [t["RouteSet"] for t in tables] == [[], []]


@pytest.mark.parametrize(
    ("route", "code"),
    [
        ({**NAT, "DestinationCidrBlock": "x"}, "InvalidParameterValue.Malformed"),
        ({**NAT, "DestinationCidrBlock": "10.0.9.0/24"}, "InvalidParameterValue.CidrConflict"),
        ({**NAT, "GatewayId": "nat-00000000"}, "InvalidParameterValue.RouteNextHopInvalid"),
        ({**EIP, "GatewayId": "eip-1"}, "InvalidParameterValue.RouteNextHopInvalid"),
        ({**EIP, "GatewayType": "VPN"}, "InvalidParameterValue.RouteNextHopInvalid"),
        (NAT, "ResourceInUse"),
    ],
)
def test_a_route_that_is_wrong_leaves_the_table_as_it_was(routed, route, code):
    create(routed, NAT)
    good = {**EIP, "DestinationCidrBlock": "203.0.113.0/24"}
    assert routed.refused("CreateRoutes", {"RouteTableId": RTB, "Routes": [good, route]}) == code
    assert len(routes(routed)) == 1


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("CreateRoutes", {"RouteTableId": "x", "Routes": []}, "InvalidParameterValue.Malformed"),
        ("CreateRoutes", {"RouteTableId": "rtb-00000000", "Routes": []}, "ResourceNotFound"),
        ("DeleteRoutes", {"RouteTableId": RTB, "Routes": [{"RouteId": 1}]}, "ResourceNotFound"),
        ("DescribeRouteTables", {"RouteTableIds": ["rtb-00000000"]}, "ResourceNotFound"),
        ("DescribeRouteTables", {"RouteTableIds": [RTB], "Filters": []}, "InvalidParameter.Coexist"),
        ("DescribeNatGateways", {"NatGatewayIds": ["nat-00000000"]}, "ResourceNotFound"),
        (
            "DescribeNatGateways",
            {"NatGatewayIds": ["nat-demo0001"], "Filters": []},
            "InvalidParameter.Coexist",
        ),
    ],
)
def test_tables_and_gateways_that_do_not_exist(routed, action, params, code):
    assert routed.refused(action, params) == code


def test_a_nat_gateway_has_an_eip_of_its_own(routed):
    (gateway,) = routed.call("DescribeNatGateways", {"NatGatewayIds": ["nat-demo0001"]})["NatGatewaySet"]
    (address,) = gateway["PublicIpAddressSet"]
    assert routed.status(address["AddressId"]) == "BIND"
    assert ("add_nat_gateway", "nat-demo0001", address["PublicIpAddress"]) in routed.fabric.calls
