"""DescribeVpcs (document 215/15778) and DescribeSubnets (215/15784). Reads only.

Offset and Limit of these actions are text. Ids that do not exist are an error.
"""

from simulator.cloud import situations
from simulator.cloud.actions import paging
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject
from simulator.cloud.config import VpcConfig
from simulator.cloud.parameters import FILTERS, INTEGER, TEXT, TEXTS, Record
from simulator.cloud.state import times
from simulator.cloud.state.resources import Subnet
from simulator.cloud.state.world import World


def _check_ids(call: Call, name: str) -> list[str]:
    ids: list[str] = call.params.get(name, [])
    if ids and "Filters" in call.params:
        raise situations.VPC_COEXIST.error(name=name)
    if len(ids) > paging.MAX_IDS:
        raise situations.VPC_LIMIT.error(name=name, value=len(ids), limit=paging.MAX_IDS)
    return ids


_VPC_FILTERS: dict[str, paging.Filter[VpcConfig]] = {
    "vpc-id": lambda v: [v.vpc_id],
    "vpc-name": lambda v: [v.name],
    "cidr-block": lambda v: [v.cidr],
    "is-default": lambda _v: paging.truth(value=False),
    "tag-key": lambda _v: [],
    "tag:": lambda _v: [],
}


def describe_vpcs(world: World, call: Call) -> JsonObject:
    """DescribeVpcs: the one VPC, with its assistant CIDRs."""
    vpc = world.config.vpc
    for vpc_id in _check_ids(call, "VpcIds"):
        if vpc_id != vpc.vpc_id:
            raise situations.VPC_NOT_FOUND.error(resource_id=vpc_id)
    wanted = paging.filter_values(call.params, paging.VPC_RULES)
    found = paging.matching([vpc], wanted, _VPC_FILTERS, paging.VPC_RULES)
    page = paging.page(found, call.params, paging.VPC_RULES)
    return {"TotalCount": len(found), "VpcSet": [_shown_vpc(world, vpc) for vpc in page]}


def _shown_vpc(world: World, vpc: VpcConfig) -> JsonObject:
    return {
        "VpcName": vpc.name,
        "VpcId": vpc.vpc_id,
        "CidrBlock": vpc.cidr,
        "IsDefault": False,
        "EnableMulticast": False,
        "CreatedTime": times.local(world.created),
        "DnsServerSet": ["183.60.83.19", "183.60.82.98"],
        "DomainName": "",
        "DhcpOptionsId": "",
        "EnableDhcp": True,
        "Ipv6CidrBlock": "",
        "TagSet": [],
        "AssistantCidrSet": [
            {"VpcId": vpc.vpc_id, "CidrBlock": cidr, "AssistantType": 0, "SubnetSet": []}
            for cidr in world.assistant_cidrs
        ],
        "EnableRouteVpcPublish": False,
        "Ipv6CidrBlockSet": [],
    }


def _subnet_filters(world: World) -> dict[str, paging.Filter[Subnet]]:
    return {
        "subnet-id": lambda s: [s.subnet_id],
        "subnet-name": lambda s: [s.name],
        "vpc-id": lambda _s: [world.config.vpc.vpc_id],
        "cidr-block": lambda s: [s.cidr, s.cidr.partition("/")[0]],
        "zone": lambda s: [s.zone],
        "is-default": lambda _s: paging.truth(value=False),
        "is-remote-vpc-snat": lambda _s: paging.truth(value=False),
        "is-cdc-subnet": lambda _s: ["0"],
        "cdc-id": lambda _s: [],
        "tag-key": lambda s: list(s.tags),
        "tag:": lambda s: paging.tag_pairs(s.tags),
    }


def describe_subnets(world: World, call: Call) -> JsonObject:
    """DescribeSubnets: with the number of free addresses."""
    ids = _check_ids(call, "SubnetIds")
    for subnet_id in ids:
        if not subnet_id.startswith("subnet-"):
            raise situations.VPC_MALFORMED.error(name="SubnetIds", value=subnet_id)
        if subnet_id not in world.subnets:
            raise situations.VPC_NOT_FOUND.error(resource_id=subnet_id)
    pool = [world.subnets[i] for i in ids] or list(world.subnets.values())
    wanted = paging.filter_values(call.params, paging.VPC_RULES)
    found = paging.matching(pool, wanted, _subnet_filters(world), paging.VPC_RULES)
    page = paging.page(found, call.params, paging.VPC_RULES)
    return {"TotalCount": len(found), "SubnetSet": [_shown_subnet(world, subnet) for subnet in page]}


def _shown_subnet(world: World, subnet: Subnet) -> JsonObject:
    total = world.total_ips(subnet.subnet_id)
    return {
        "VpcId": world.config.vpc.vpc_id,
        "SubnetId": subnet.subnet_id,
        "SubnetName": subnet.name,
        "CidrBlock": subnet.cidr,
        "IsDefault": False,
        "EnableBroadcast": False,
        "Zone": subnet.zone,
        "RouteTableId": subnet.route_table_id,
        "CreatedTime": times.local(subnet.created),
        "AvailableIpAddressCount": total - len(world.taken_ips(subnet.subnet_id)),
        "Ipv6CidrBlock": "",
        "NetworkAclId": "",
        "IsRemoteVpcSnat": False,
        "TotalIpAddressCount": total,
        "TagSet": paging.tag_set(subnet.tags),
        "CdcId": "",
        "IsCdcSubnet": 0,
    }


ACTIONS = (
    Action(
        name="DescribeVpcs",
        product="vpc",
        handler=describe_vpcs,
        parameters=Record({"VpcIds": TEXTS, "Filters": FILTERS, "Offset": TEXT, "Limit": TEXT}),
        rate=100,
        cam=CamNames(service="vpc", resource="vpc"),
    ),
    Action(
        name="DescribeSubnets",
        product="vpc",
        handler=describe_subnets,
        parameters=Record(
            {
                "SubnetIds": TEXTS,
                "Filters": FILTERS,
                "Offset": TEXT,
                "Limit": TEXT,
                "MaxResults": INTEGER,
                "NextToken": TEXT,
            }
        ),
        rate=100,
        cam=CamNames(service="vpc", resource="subnet"),
    ),
)
