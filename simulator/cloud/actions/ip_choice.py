"""Choosing private addresses of a subnet: those that a request names, and free ones for a number.

Shared by ENI creation and AssignPrivateIpAddresses. Pure: nothing is taken, the caller does.
"""

import ipaddress
from collections.abc import Sequence
from itertools import islice

from simulator.cloud import situations
from simulator.cloud.state.resources import PrivateIp
from simulator.cloud.state.world import World

MAX_NAMED = 10
"""Most addresses that one request may name."""


def named(world: World, subnet_id: str, given: Sequence[dict[str, object]]) -> list[PrivateIp]:
    """Give the addresses that a request names; raise ApiError for one that cannot be had."""
    if len(given) > MAX_NAMED:
        raise situations.VPC_LIMIT.error(name="PrivateIpAddresses", value=len(given), limit=MAX_NAMED)
    chosen: dict[str, PrivateIp] = {}
    for entry in given:
        ip = str(entry["PrivateIpAddress"])
        if ip in chosen:
            raise situations.VPC_DUPLICATE.error(name="PrivateIpAddresses", value=ip)
        check_free(world, subnet_id, ip)
        _check_assignable(world, subnet_id, ip)
        chosen[ip] = PrivateIp(
            ip=ip,
            primary=bool(entry.get("Primary", False)),
            description=str(entry.get("Description", "")),
            qos=str(entry.get("QosLevel", "DEFAULT")),
        )
    return list(chosen.values())


def _check_assignable(world: World, subnet_id: str, ip: str) -> None:
    kept = world.reserved_ips(subnet_id).get(ip)
    if kept is not None and not world.assigns_reserved_ips:
        raise situations.IP_KEPT.error(ip=ip, subnet_id=subnet_id, reservation_id=kept.reservation_id)


def check_free(world: World, subnet_id: str, ip: str) -> None:
    """Raise ApiError unless it is an address of the subnet that no ENI has."""
    network = ipaddress.ip_network(world.subnets[subnet_id].cidr)
    try:
        address = ipaddress.IPv4Address(ip)
    except ValueError as e:
        raise situations.VPC_MALFORMED.error(name="PrivateIpAddress", value=ip) from e
    if address not in network:
        raise situations.IP_OUTSIDE.error(ip=ip, cidr=network, subnet_id=subnet_id)
    if ip in (str(network[0]), world.gateway(subnet_id), str(network[-1])):
        raise situations.IP_RESERVED.error(ip=ip, subnet_id=subnet_id)
    if ip in world.used_ips(subnet_id):
        raise situations.IP_TAKEN.error(ip=ip, subnet_id=subnet_id)


def check_count(count: int, least: int = 0) -> None:
    """Raise ApiError (Range) for a number of secondary addresses that is too low."""
    if count < least:
        raise situations.VPC_RANGE.error(
            name="SecondaryPrivateIpAddressCount", value=count, allowed=f"{least} and up"
        )


def with_free(
    world: World, subnet_id: str, chosen: Sequence[PrivateIp], count: int, qos: str = "DEFAULT"
) -> list[PrivateIp]:
    """Give the chosen addresses and `count` free ones; raise ApiError (ResourceInsufficient.Subnet)."""
    taken = {address.ip for address in chosen}
    free = (ip for ip in world.free_ips(subnet_id) if ip not in taken)
    found = [PrivateIp(ip=ip, qos=qos) for ip in islice(free, count)]
    if len(found) < count:
        raise situations.SUBNET_FULL.error(subnet_id=subnet_id, available=len(found), count=count)
    return [*chosen, *found]
