"""Reserved private addresses, and who uses an address: CreateReserveIpAddresses and its relatives.

A reservation keeps an address of a subnet from whoever asks for any address; an ENI gets it by asking for the
very one. It is `Bind` while an ENI has it and outlives the ENI. All is done with the answer. Sources:
documents 215/112867 and 215/112865, and the SDK's descriptions. Where those are silent: a reserved address
counts as used in its subnet, DescribeUsedIpAddress lists only what a resource has, a bound reservation is not
deleted, and every refusal has the one code that CreateReserveIpAddresses lists.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from simulator.cloud import situations
from simulator.cloud.actions import ip_choice, paging, tags
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject
from simulator.cloud.parameters import FILTERS, INTEGER, TAGS, TEXT, TEXTS, Record, check_not_empty
from simulator.cloud.situations import ApiError
from simulator.cloud.state import times
from simulator.cloud.state.resources import IpReservation
from simulator.cloud.state.world import World


def _check_offered(world: World, call: Call) -> None:
    if not world.reserves_ips:
        raise situations.ACTION_UNKNOWN.error(action=call.action, product="vpc")


def _check_vpc(world: World, params: Mapping[str, Any]) -> None:
    if params["VpcId"] != world.config.vpc.vpc_id:
        raise situations.RESERVE_REFUSED.error(reason=f"the VPC {params['VpcId']} does not exist")
    if params.get("SubnetId") and params["SubnetId"] not in world.subnets:
        raise situations.RESERVE_REFUSED.error(reason=f"the subnet {params['SubnetId']} does not exist")


def _named(world: World, subnet_id: str, ips: Sequence[str]) -> list[tuple[str, str]]:
    """Give each address that a request names with its subnet; raise ApiError for one that cannot be had."""
    found = []
    for ip in ips:
        home = subnet_id or _subnet_of(world, ip)
        try:
            ip_choice.check_free(world, home, ip)
        except ApiError as refusal:
            raise situations.RESERVE_REFUSED.error(reason=refusal.message) from refusal
        if ip in world.reserved_ips(home) or ips.count(ip) > 1:
            raise situations.RESERVE_REFUSED.error(reason=f"the address {ip} is reserved already")
        found.append((ip, home))
    return found


def _subnet_of(world: World, ip: str) -> str:
    for subnet in world.subnets.values():
        try:
            if ipaddress.ip_address(ip) in ipaddress.ip_network(subnet.cidr):
                return subnet.subnet_id
        except ValueError as e:
            raise situations.RESERVE_REFUSED.error(reason=f"{ip} is no address") from e
    raise situations.RESERVE_REFUSED.error(reason=f"the address {ip} is in no subnet of the VPC")


def _any(world: World, subnet_id: str, count: int) -> list[tuple[str, str]]:
    if count < 1:
        raise situations.RESERVE_REFUSED.error(reason=f"IpAddressCount {count} is below 1")
    subnets = [subnet_id] if subnet_id else list(world.subnets)
    for home in subnets:
        free = list(islice(world.free_ips(home), count))
        if len(free) == count:
            return [(ip, home) for ip in free]
    raise situations.RESERVE_REFUSED.error(reason=f"no subnet has {count} free addresses")


def create_reserve_ip_addresses(world: World, call: Call) -> JsonObject:
    """CreateReserveIpAddresses: the named addresses, or so many of a subnet; all or none."""
    _check_offered(world, call)
    params = call.params
    _check_vpc(world, params)
    named, count = params.get("IpAddresses", []), params.get("IpAddressCount")
    if bool(named) == (count is not None):
        raise situations.PARAMETER_MISSING.error(name="IpAddresses or IpAddressCount, one of them")
    subnet_id = params.get("SubnetId", "")
    own_tags = tags.reservation_tags(params.get("Tags", []), world.config.quotas.tags_per_resource)
    chosen = _named(world, subnet_id, named) if named else _any(world, subnet_id, int(count or 0))
    limit = world.config.quotas.reserved_ips
    if len(world.reservations) + len(chosen) > limit:
        raise situations.RESERVE_REFUSED.error(reason=f"the account can have {limit} reserved addresses")
    made = [
        IpReservation(
            reservation_id=world.new_id("rsvip"),
            ip=ip,
            subnet_id=home,
            name=params.get("Name", ""),
            description=params.get("Description", ""),
            tags=dict(own_tags),
            created=call.now,
        )
        for ip, home in chosen
    ]
    world.reservations |= {reservation.reservation_id: reservation for reservation in made}
    return {"ReserveIpAddressSet": [_shown(world, reservation) for reservation in made]}


def _owner(world: World, reservation: IpReservation) -> str:
    """Give the ENI that has the address; empty for none."""
    return next((eni.eni_id for eni in world.enis.values() if reservation.ip in eni.addresses), "")


def _shown(world: World, reservation: IpReservation) -> JsonObject:
    owner = _owner(world, reservation)
    return {
        "ReserveIpId": reservation.reservation_id,
        "VpcId": world.config.vpc.vpc_id,
        "SubnetId": reservation.subnet_id,
        "ReserveIpAddress": reservation.ip,
        "ResourceId": owner,
        "IpType": 0,
        "State": "Bind" if owner else "UnBind",
        "Name": reservation.name,
        "Description": reservation.description,
        "CreatedTime": times.local(reservation.created),
        "TagSet": paging.tag_set(reservation.tags),
    }


def _filters(world: World) -> dict[str, paging.Filter[IpReservation]]:
    return {
        "reserve-ip-id": lambda r: [r.reservation_id],
        "vpc-id": lambda _r: [world.config.vpc.vpc_id],
        "subnet-id": lambda r: [r.subnet_id],
        "reserve-address-ip": lambda r: [r.ip],
        "address-ip": lambda r: [r.ip],  # so on the API page; the SDK has the name above
        "ip-type": lambda _r: ["0"],
        "name": lambda r: [r.name],
        "state": lambda r: ["Bind" if _owner(world, r) else "UnBind"],
        "resource-id": lambda r: [_owner(world, r)],
        "tag-key": lambda r: list(r.tags),
        "tag:": lambda r: paging.tag_pairs(r.tags),
    }


def describe_reserve_ip_addresses(world: World, call: Call) -> JsonObject:
    """DescribeReserveIpAddresses: by ids or filters, newest first."""
    _check_offered(world, call)
    ids = call.params.get("ReserveIpIds", [])
    if ids and "Filters" in call.params:
        raise situations.VPC_COEXIST.error(name="ReserveIpIds")
    if len(ids) > paging.MAX_IDS:
        raise situations.VPC_LIMIT.error(name="ReserveIpIds", value=len(ids), limit=paging.MAX_IDS)
    pool = [_reservation(world, given) for given in ids] or list(world.reservations.values())
    wanted = paging.filter_values(call.params, paging.VPC_RULES)
    found = paging.matching(pool, wanted, _filters(world), paging.VPC_RULES)
    found.sort(key=lambda reservation: reservation.created, reverse=True)
    page = paging.page(found, call.params, paging.VPC_RULES)
    return {"TotalCount": len(found), "ReserveIpAddressSet": [_shown(world, one) for one in page]}


def _reservation(world: World, reservation_id: str) -> IpReservation:
    if not reservation_id.startswith("rsvip-"):
        raise situations.VPC_MALFORMED.error(name="ReserveIpIds", value=reservation_id)
    if reservation_id not in world.reservations:
        raise situations.RESERVATION_NOT_FOUND.error(reservation_id=reservation_id)
    return world.reservations[reservation_id]


def delete_reserve_ip_addresses(world: World, call: Call) -> JsonObject:
    """DeleteReserveIpAddresses: all or none."""
    _check_offered(world, call)
    _check_vpc(world, call.params)
    check_not_empty(call.params, "ReserveIpIds")
    going = [_reservation(world, given) for given in call.params["ReserveIpIds"]]
    for reservation in going:
        if owner := _owner(world, reservation):
            raise situations.RESERVE_REFUSED.error(
                reason=f"{reservation.reservation_id} ({reservation.ip}) is bound to {owner}"
            )
    for reservation in going:
        world.reservations.pop(reservation.reservation_id, None)
    return {}


def _uses(world: World, subnet_id: str) -> list[JsonObject]:
    return [
        {
            "VpcId": world.config.vpc.vpc_id,
            "SubnetId": eni.subnet_id,
            "IpAddress": ip,
            "ResourceType": "ENI",
            "ResourceId": eni.eni_id,
        }
        for eni in world.enis.values()
        if not subnet_id or eni.subnet_id == subnet_id
        for ip in eni.addresses
    ]


def describe_used_ip_address(world: World, call: Call) -> JsonObject:
    """DescribeUsedIpAddress: those of the asked addresses that a resource has."""
    params = call.params
    subnet_id, ips = params.get("SubnetId", ""), params.get("IpAddresses", [])
    if params["VpcId"] != world.config.vpc.vpc_id or (subnet_id and subnet_id not in world.subnets):
        raise situations.USED_MISMATCH.error(name="VpcId and SubnetId", value=subnet_id or params["VpcId"])
    if len(ips) > paging.MAX_IDS or (ips and "Filters" in params):
        raise situations.USED_MISMATCH.error(name="IpAddresses", value=f"{len(ips)} addresses")
    for ip in ips:
        _check_inside(world, subnet_id, ip)
    wanted = paging.filter_values(params, paging.VPC_RULES)
    if ips:
        wanted["ip-addresses"] = ips
    found = paging.matching(_uses(world, subnet_id), wanted, _USE_FILTERS, paging.VPC_RULES)
    page = paging.page(found, params, paging.VPC_RULES)
    return {"TotalCount": len(found), "IpAddressStates": page}


_USE_FILTERS: dict[str, paging.Filter[JsonObject]] = {
    "ip-addresses": lambda use: [use["IpAddress"]],
    "resource-id": lambda use: [use["ResourceId"]],
}


def _check_inside(world: World, subnet_id: str, ip: str) -> None:
    homes = [subnet_id] if subnet_id else list(world.subnets)
    try:
        address = ipaddress.ip_address(ip)
    except ValueError as e:
        raise situations.VPC_MALFORMED.error(name="IpAddresses", value=ip) from e
    if not any(address in ipaddress.ip_network(world.subnets[home].cidr) for home in homes):
        raise situations.USED_MISMATCH.error(name="IpAddresses", value=ip)


_CAM = CamNames(service="vpc", resource="reserveIp", id_parameter="ReserveIpIds")
_CAM_OF_NEW = CamNames(service="vpc", resource="reserveIp")

ACTIONS = (
    Action(
        name="CreateReserveIpAddresses",
        product="vpc",
        handler=create_reserve_ip_addresses,
        parameters=Record(
            {
                "VpcId": TEXT,
                "IpAddresses": TEXTS,
                "IpAddressCount": INTEGER,
                "SubnetId": TEXT,
                "Name": TEXT,
                "Description": TEXT,
                "Tags": TAGS,
                "ClientToken": TEXT,
            },
            required=("VpcId",),
        ),
        rate=20,
        cam=_CAM_OF_NEW,
        writes=True,
        token_reused=situations.TOKEN_OF_OTHERS,
        token_in_progress=None,
    ),
    Action(
        name="DescribeReserveIpAddresses",
        product="vpc",
        handler=describe_reserve_ip_addresses,
        parameters=Record({"ReserveIpIds": TEXTS, "Filters": FILTERS, "Offset": INTEGER, "Limit": INTEGER}),
        rate=20,
        cam=_CAM,
    ),
    Action(
        name="DeleteReserveIpAddresses",
        product="vpc",
        handler=delete_reserve_ip_addresses,
        parameters=Record({"VpcId": TEXT, "ReserveIpIds": TEXTS}, required=("VpcId", "ReserveIpIds")),
        rate=20,
        cam=_CAM,
        writes=True,
    ),
    Action(
        name="DescribeUsedIpAddress",
        product="vpc",
        handler=describe_used_ip_address,
        parameters=Record(
            {
                "VpcId": TEXT,
                "SubnetId": TEXT,
                "IpAddresses": TEXTS,
                "Filters": FILTERS,
                "Offset": INTEGER,
                "Limit": INTEGER,
            },
            required=("VpcId",),
        ),
        rate=20,
        cam=CamNames(service="vpc", resource="vpc", id_parameter="VpcId"),
    ),
)
