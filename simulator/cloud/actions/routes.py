"""Route tables: DescribeRouteTables, CreateRoutes, DeleteRoutes.

Routes to NAT gateways (type NAT) and to the CVM's own public address (type EIP, gateway id "0") may be made;
they take effect at once. With a NAT and an EIP route of one destination, CVM addresses that have an EIP use
it and the others the gateway (document 552/30012). Sources: documents 215/15763, 215/15764, 215/15765,
215/36036.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any

from simulator.cloud import situations
from simulator.cloud.actions import paging
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.parameters import BOOLEAN, FILTERS, INTEGER, TEXT, TEXTS, ListOf, Record
from simulator.cloud.state import times
from simulator.cloud.state.resources import RouteEntry, RouteTable
from simulator.cloud.state.schedule import Change, Effect
from simulator.cloud.state.world import World


def _table(world: World, route_table_id: str) -> RouteTable:
    if not route_table_id.startswith("rtb-"):
        raise situations.VPC_MALFORMED.error(name="RouteTableId", value=route_table_id)
    table = world.route_tables.get(route_table_id)
    if table is None:
        raise situations.VPC_NOT_FOUND.error(resource_id=route_table_id)
    return table


def _table_filters(world: World) -> dict[str, paging.Filter[RouteTable]]:
    return {
        "route-table-id": lambda t: [t.route_table_id],
        "route-table-name": lambda t: [t.name],
        "vpc-id": lambda _t: [world.config.vpc.vpc_id],
        "association.main": lambda t: paging.truth(value=t.main),
        "next-hop-type": lambda t: [route.gateway_type for route in t.routes],
        "visible": lambda _t: paging.truth(value=True),
        "tag-key": lambda _t: [],
        "tag:": lambda _t: [],
    }


def describe_route_tables(world: World, call: Call) -> JsonObject:
    """DescribeRouteTables: with the user routes; the local ones are implied."""
    ids = call.params.get("RouteTableIds", [])
    if ids and "Filters" in call.params:
        raise situations.VPC_COEXIST.error(name="RouteTableIds")
    wanted = paging.filter_values(call.params, paging.VPC_RULES)
    if "next-hop-type" in wanted and not {"route-table-id", "vpc-id"} <= set(wanted):
        raise situations.VPC_FILTER_NEEDS.error(name="next-hop-type", needed="route-table-id and vpc-id")
    pool = [_table(world, i) for i in ids] or list(world.route_tables.values())
    found = paging.matching(pool, wanted, _table_filters(world), paging.VPC_RULES)
    page = paging.page(found, call.params, paging.VPC_RULES)
    with_routes = call.params.get("NeedRouterInfo", True)
    return {
        "TotalCount": len(found),
        "RouteTableSet": [_shown_table(world, table, table.routes if with_routes else []) for table in page],
    }


def _shown_table(world: World, table: RouteTable, routes: list[RouteEntry]) -> JsonObject:
    return {
        "VpcId": world.config.vpc.vpc_id,
        "RouteTableId": table.route_table_id,
        "RouteTableName": table.name,
        "AssociationSet": [
            {"SubnetId": subnet.subnet_id, "RouteTableId": table.route_table_id}
            for subnet in world.subnets.values()
            if subnet.route_table_id == table.route_table_id
        ],
        "RouteSet": [_shown_route(table, route) for route in routes],
        "Main": table.main,
        "CreatedTime": times.local(table.created),
        "TagSet": [],
        "LocalCidrForCcn": [],
    }


def _shown_route(table: RouteTable, route: RouteEntry) -> JsonObject:
    return {
        "RouteTableId": table.route_table_id,
        "RouteId": route.route_id,
        "RouteItemId": route.item_id,
        "DestinationCidrBlock": route.destination,
        "DestinationIpv6CidrBlock": "",
        "GatewayType": route.gateway_type,
        "GatewayId": route.gateway_id,
        "RouteDescription": route.description,
        "Enabled": route.enabled,
        "RouteType": "USER",
        "PublishedToVbc": False,
        "CreatedTime": times.local(route.created),
        "CdcId": "",
    }


def _destination(world: World, given: dict[str, Any]) -> str:
    text = str(given.get("DestinationCidrBlock", ""))
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as e:
        raise situations.VPC_MALFORMED.error(name="DestinationCidrBlock", value=text) from e
    vpc = world.config.vpc
    if any(network.subnet_of(ipaddress.IPv4Network(cidr)) for cidr in (vpc.cidr, *world.assistant_cidrs)):
        raise situations.ROUTE_IN_VPC.error(destination=text)
    return text


def _new_route(world: World, call: Call, table: RouteTable, given: dict[str, Any]) -> RouteEntry:
    destination = _destination(world, given)
    gateway_type, gateway_id = given.get("GatewayType", ""), given.get("GatewayId", "")
    known = {"EIP": ["0"], "NAT": list(world.nat_gateways)}
    if gateway_id not in known.get(gateway_type, []):
        raise situations.ROUTE_NEXT_HOP.error(gateway_id=gateway_id, gateway_type=gateway_type)
    if any(r.destination == destination and r.gateway_type == gateway_type for r in table.routes):
        raise situations.ROUTE_TAKEN.error(
            destination=destination, gateway_type=gateway_type, route_table_id=table.route_table_id
        )
    return RouteEntry(
        route_id=world.random.randrange(1, 2**31),
        item_id=world.new_id("rti"),
        destination=destination,
        gateway_type=gateway_type,
        gateway_id=gateway_id,
        description=given.get("RouteDescription", ""),
        enabled=given.get("Enabled", True),
        created=call.now,
    )


def create_routes(world: World, call: Call) -> JsonObject:
    """CreateRoutes: all or nothing."""
    table = _table(world, call.params["RouteTableId"])
    before = len(table.routes)
    try:
        for given in call.params["Routes"]:
            table.routes.append(_new_route(world, call, table, given))
    except situations.ApiError:
        del table.routes[before:]
        raise
    _apply(world, call, table)
    added = table.routes[before:]
    return {"TotalCount": len(added), "RouteTableSet": [_shown_table(world, table, added)]}


def delete_routes(world: World, call: Call) -> JsonObject:
    """DeleteRoutes: by RouteId or RouteItemId; all or nothing."""
    table = _table(world, call.params["RouteTableId"])
    gone: list[RouteEntry] = []
    for given in call.params["Routes"]:
        route = next(
            (
                r
                for r in table.routes
                if r.route_id == given.get("RouteId") or r.item_id == given.get("RouteItemId")
            ),
            None,
        )
        if route is None:
            raise situations.VPC_NOT_FOUND.error(resource_id=given.get("RouteItemId") or given.get("RouteId"))
        gone.append(route)
    table.routes = [route for route in table.routes if route not in gone]
    _apply(world, call, table)
    return {"RouteSet": [_shown_route(table, route) for route in gone]}


@dataclass(slots=True)
class _Routing(Change):
    """Routes of a table that take effect."""

    world: World
    route_table_id: str

    def effects(self) -> list[Effect]:
        return table_effects(self.world, self.route_table_id)

    def done(self) -> None:
        """The table shows its routes already."""

    def failed(self) -> None:
        """The data plane keeps the routes that it had."""


def _apply(world: World, call: Call, table: RouteTable) -> None:
    change = _Routing(world, table.route_table_id)
    start_task(world, call, change, seconds=0.0, resources=[table.route_table_id])


def table_effects(world: World, route_table_id: str) -> list[Effect]:
    """Give the calls that set a table's routes for each of its subnets."""
    routes = world.fabric_routes(route_table_id)

    def set_routes(cidr: str) -> Effect:
        return lambda fabric: fabric.set_routes(cidr, routes)

    return [
        set_routes(subnet.cidr)
        for subnet in world.subnets.values()
        if subnet.route_table_id == route_table_id
    ]


_ROUTES = ListOf(
    Record(
        {
            "DestinationCidrBlock": TEXT,
            "GatewayType": TEXT,
            "GatewayId": TEXT,
            "RouteId": INTEGER,
            "RouteDescription": TEXT,
            "Enabled": BOOLEAN,
            "RouteType": TEXT,
            "RouteTableId": TEXT,
            "DestinationIpv6CidrBlock": TEXT,
            "RouteItemId": TEXT,
            "PublishedToVbc": BOOLEAN,
            "CreatedTime": TEXT,
            "CdcId": TEXT,
        }
    )
)

ACTIONS = (
    Action(
        name="DescribeRouteTables",
        product="vpc",
        handler=describe_route_tables,
        parameters=Record(
            {
                "RouteTableIds": TEXTS,
                "Filters": FILTERS,
                "Offset": TEXT,
                "Limit": TEXT,
                "NeedRouterInfo": BOOLEAN,
            }
        ),
        rate=100,
        cam=CamNames(service="vpc", resource="rtb"),
    ),
    Action(
        name="CreateRoutes",
        product="vpc",
        handler=create_routes,
        parameters=Record({"RouteTableId": TEXT, "Routes": _ROUTES}, required=("RouteTableId", "Routes")),
        rate=100,
        cam=CamNames(service="vpc", resource="rtb", id_parameter="RouteTableId"),
        writes=True,
    ),
    Action(
        name="DeleteRoutes",
        product="vpc",
        handler=delete_routes,
        parameters=Record({"RouteTableId": TEXT, "Routes": _ROUTES}, required=("RouteTableId", "Routes")),
        rate=100,
        cam=CamNames(service="vpc", resource="rtb", id_parameter="RouteTableId"),
        writes=True,
    ),
)
