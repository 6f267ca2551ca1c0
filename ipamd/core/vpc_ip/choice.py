"""In which subnet a fixed address is taken, and which addresses of a subnet come into question. Pure."""

import ipaddress
from collections.abc import Collection, Iterator
from itertools import islice

from ipamd.core.model import Subnet
from ipamd.core.vpc_ip.facts import AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

_KEPT_LOW, _KEPT_HIGH = 2, 1
"""Addresses at both ends of a subnet that the VPC keeps for itself: network, gateway, broadcast."""


def subnet_of(facts: VpcIpFacts, claim: VpcIpClaim) -> Subnet | AddressRefusal:
    """Return where the claim's address is taken: in the node's zone, where most addresses are free."""
    subnets = facts.subnets or ()
    if not subnets:
        return AddressRefusal(VpcIpReason.NO_SUBNET, _none_found(facts, claim))
    unusable = _unusable(claim, subnets)
    if unusable:
        return AddressRefusal(VpcIpReason.INVALID_SPEC, unusable)
    near = [subnet for subnet in subnets if subnet.zone == facts.node_zone]
    if not near:
        zones = ", ".join(f"{subnet.subnet_id} in {subnet.zone}" for subnet in subnets)
        return AddressRefusal(
            VpcIpReason.NO_SUBNET,
            f"node {_node(facts)} is in zone {facts.node_zone}, and no subnet of claim {claim} is ({zones}): "
            "let the Pod run in the zone of the subnet, or name a subnet of the node's zone",
        )
    fit = [s for s in near if s.subnet_id not in facts.full and (s.available_ips > 0 or _is_nominated(claim))]
    if not fit:
        return AddressRefusal(
            VpcIpReason.SUBNET_FULL,
            f"no address is free in {_ids(near)}: delete VpcIPClaims that nobody needs "
            "(kubectl get vipc -A), or name another subnet of the zone: in nominated-eni-subnets, or for "
            "the node (--pod-subnets)",
        )
    return max(fit, key=lambda subnet: (subnet.available_ips, subnet.subnet_id))


def subnet_with(subnets: Collection[Subnet], ip: str) -> Subnet | None:
    """Return the subnet that has the address."""
    address = ipaddress.IPv4Address(ip)
    return next((s for s in subnets if address in ipaddress.IPv4Network(s.cidr, strict=False)), None)


def candidates(subnet: Subnet, taken: Collection[str]) -> Iterator[str]:
    """Yield the addresses of the subnet that are not known to be taken, the highest first.

    What the VPC gives out by itself is likely to be low.
    """
    network = ipaddress.IPv4Network(subnet.cidr, strict=False)
    usable = reversed(_usable(network))
    return (ip for number in usable if (ip := str(network[number])) not in taken)


def by_number(ips: Iterator[str], size: int) -> Iterator[list[str]]:
    """Yield lists of so many addresses."""
    while batch := list(islice(ips, size)):
        yield batch


def _usable(network: ipaddress.IPv4Network) -> range:
    """Return the numbers of the addresses that the VPC does not keep for itself."""
    return range(_KEPT_LOW, network.num_addresses - _KEPT_HIGH)


def _unusable(claim: VpcIpClaim, subnets: Collection[Subnet]) -> str:
    """Say why nobody can have the nominated address; empty when somebody can."""
    ip = claim.request.nominated_ip if claim.request else ""
    subnet = subnet_with(subnets, ip) if ip else None
    if subnet is None:
        return ""
    network = ipaddress.IPv4Network(subnet.cidr, strict=False)
    usable = _usable(network)
    if int(ipaddress.IPv4Address(ip)) - int(network.network_address) in usable:
        return ""
    return (
        f"spec.nominatedIP of VpcIPClaim {claim} is {ip}, which the VPC keeps for itself (network, gateway "
        f"and broadcast address of {subnet.subnet_id}); allowed are {network[usable[0]]} to "
        f"{network[usable[-1]]}: correct the annotation nominated-vpc-ip and create the Pod again"
    )


def _is_nominated(claim: VpcIpClaim) -> bool:
    return claim.request is not None and bool(claim.request.nominated_ip)


def _ids(subnets: list[Subnet]) -> str:
    return ", ".join(subnet.subnet_id for subnet in subnets)


def _node(facts: VpcIpFacts) -> str:
    return facts.pod.node if facts.pod else ""


def _none_found(facts: VpcIpFacts, claim: VpcIpClaim) -> str:
    request = claim.request
    if request and request.nominated_ip:
        within = f" of {', '.join(request.subnet_ids)}" if request.subnet_ids else " of the VPC"
        return (
            f"the nominated address {request.nominated_ip} is in no subnet{within}: correct the annotation "
            "nominated-vpc-ip and create the Pod again"
        )
    if request and request.subnet_ids:
        return (
            f"there is no subnet {', '.join(request.subnet_ids)}: correct the annotation "
            "nominated-eni-subnets and create the Pod again"
        )
    return (
        f"node {_node(facts)} does not say yet in which subnets its ENIs are (labels "
        "subnet.tke.cloud.tencent.com/...): its agent writes them; see its log if that lasts"
    )
