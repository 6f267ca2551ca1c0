"""DescribeNatGateways (document 215/36034): the gateways that routes may name. Reads only."""

from simulator.cloud import situations
from simulator.cloud.actions import paging
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject
from simulator.cloud.parameters import FILTERS, INTEGER, TEXTS, Record
from simulator.cloud.state import times
from simulator.cloud.state.resources import NatGateway
from simulator.cloud.state.world import World


def _nat_filters(world: World) -> dict[str, paging.Filter[NatGateway]]:
    return {
        "nat-gateway-id": lambda n: [n.nat_gateway_id],
        "vpc-id": lambda _n: [world.config.vpc.vpc_id],
        "nat-gateway-name": lambda n: [n.name],
        "nat-state": lambda _n: ["AVAILABLE"],
        "tag-key": lambda _n: [],
    }


def describe_nat_gateways(world: World, call: Call) -> JsonObject:
    """DescribeNatGateways: by ids or filters."""
    ids = call.params.get("NatGatewayIds", [])
    if ids and "Filters" in call.params:
        raise situations.VPC_COEXIST.error(name="NatGatewayIds")
    for nat_gateway_id in ids:
        if nat_gateway_id not in world.nat_gateways:
            raise situations.VPC_NOT_FOUND.error(resource_id=nat_gateway_id)
    pool = [world.nat_gateways[i] for i in ids] or list(world.nat_gateways.values())
    wanted = paging.filter_values(call.params, paging.VPC_RULES)
    found = paging.matching(pool, wanted, _nat_filters(world), paging.VPC_RULES)
    page = paging.page(found, call.params, paging.VPC_RULES)
    return {"TotalCount": len(found), "NatGatewaySet": [_shown_nat(world, gateway) for gateway in page]}


def _shown_nat(world: World, gateway: NatGateway) -> JsonObject:
    address = {
        "AddressId": gateway.address_id,
        "PublicIpAddress": gateway.public_ip,
        "IsBlocked": False,
        "BlockType": "NORMAL",
    }
    return {
        "NatGatewayId": gateway.nat_gateway_id,
        "NatGatewayName": gateway.name,
        "CreatedTime": times.local(gateway.created),
        "State": "AVAILABLE",
        "InternetMaxBandwidthOut": 100,
        "MaxConcurrentConnection": 1000000,
        "PublicIpAddressSet": [address],
        "NetworkState": "AVAILABLE",
        "DestinationIpPortTranslationNatRuleSet": [],
        "VpcId": world.config.vpc.vpc_id,
        "Zone": world.config.zones[0],
        "SubnetId": "",
        "TagSet": [],
        "IsExclusive": False,
        "NatProductVersion": 1,
    }


ACTIONS = (
    Action(
        name="DescribeNatGateways",
        product="vpc",
        handler=describe_nat_gateways,
        parameters=Record({"NatGatewayIds": TEXTS, "Filters": FILTERS, "Offset": INTEGER, "Limit": INTEGER}),
        rate=100,
        cam=CamNames(service="vpc", resource="nat"),
    ),
)
