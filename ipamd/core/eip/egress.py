"""Whether what a Pod with an EIP sends to the internet leaves by that EIP: a look at its subnet's routes.

In a VPC the most specific route of the subnet's table wins over the public IP of a sender. So a route to a
NAT gateway takes a Pod's packets away from its EIP, unless the table also has a route of the same
destination with the next hop "public IP of CVM" (GatewayType EIP, GatewayId 0): that one is matched first by
senders that have a public IP, and passed over by the others ("Adjusting the Priorities of NAT Gateways and
EIPs", document 552/30012). Only routes to NAT gateways are judged: that page speaks of no others, and a
default route to a firewall or another VPC is somebody's own decision. Pure.
"""

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from ipamd.core.claim.eipclaim import EGRESS_THROUGH_EIP, Claim, condition
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.status import with_condition
from ipamd.core.model import Route, RouteTable

NAT_GATEWAY = "NAT"
"""GatewayType of a public NAT gateway."""
PUBLIC_IP = "EIP"
"""GatewayType of the next hop "public IP of CVM"."""
_NEXT_HOP = 'the next hop "public IP of CVM" (GatewayType EIP, GatewayId 0)'
_MOST_NAMED = 4
"""Destinations that a message names one by one."""
_NOT_INTERNET = tuple(
    IPv4Network(cidr)
    for cidr in ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
)
"""What no EIP reaches, whatever the routes say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """A destination that Pods with an EIP reach by NAT gateways instead."""

    destination: str
    gateway_ids: tuple[str, ...]
    disabled_eip_route: bool
    """Whether the route that would help is there, but disabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressVerdict:
    """What is to be said of all Pods of a subnet: `status.conditions[EgressThroughEIP]`."""

    through_eip: bool
    message: str

    @property
    def reason(self) -> Reason:
        """Return the reason of the condition."""
        return Reason.EIP_FIRST if self.through_eip else Reason.NAT_GATEWAY_FIRST


def judge(subnet_id: str, table: RouteTable) -> EgressVerdict:
    """Return whether the EIPs of the subnet's Pods are used, and what to change if not."""
    found = detours(table)
    where = f"route table {table.route_table_id} of {subnet_id}"
    if not found:
        return EgressVerdict(through_eip=True, message=f"{where} has no NAT gateway in front of the EIP")
    ways = [f"{detour.destination} to NAT gateway {' and '.join(detour.gateway_ids)}" for detour in found]
    remedy = _remedy(table.route_table_id, found)
    return EgressVerdict(
        through_eip=False,
        message=f"{where} sends {_listed(ways)} in front of the EIP: {remedy}. It takes effect in every "
        "subnet of this table: what has a public IP uses that, the rest goes on using the NAT gateway",
    )


def detours(table: RouteTable) -> tuple[Detour, ...]:
    """Return the destinations of a table that NAT gateways take from EIPs, the widest first."""
    routes = [(network, route) for route in table.routes if (network := _network(route))]
    enabled = [(network, route) for network, route in routes if route.enabled]
    every = {network for network, _ in enabled}
    found: dict[IPv4Network, list[str]] = {}
    for network, route in enabled:
        if route.gateway_type == NAT_GATEWAY and not _covered(network, every):
            found.setdefault(network, []).append(route.gateway_id)
    for network, route in enabled:
        if route.gateway_type == PUBLIC_IP:
            found.pop(network, None)
    disabled = {network for network, route in routes if not route.enabled and route.gateway_type == PUBLIC_IP}
    return tuple(
        Detour(destination=str(network), gateway_ids=tuple(ids), disabled_eip_route=network in disabled)
        for network, ids in sorted(found.items(), key=lambda item: (item[0].prefixlen, item[0]))
    )


def stale(claim: Claim, verdict: EgressVerdict | None) -> bool:
    """Whether the claim's condition says something else; without a verdict there is to be no condition."""
    known = condition(claim.conditions, EGRESS_THROUGH_EIP)
    if verdict is None:
        return bool(known)
    status = "True" if verdict.through_eip else "False"
    return (known.get("status"), known.get("message")) != (status, verdict.message)


def patch(claim: Claim, verdict: EgressVerdict | None, now: float) -> dict[str, Any]:
    """Return the merge patch that sets the condition, or takes it away from a claim that is bound nowhere.

    It names the resourceVersion that the claim was read with: a claim that changed since is refused.
    """
    conditions = tuple(c for c in claim.conditions if c.get("type") != EGRESS_THROUGH_EIP)
    if verdict:
        conditions = with_condition(
            claim.conditions,
            kind=EGRESS_THROUGH_EIP,
            status=verdict.through_eip,
            reason=verdict.reason,
            message=verdict.message,
            now=now,
        )
    return {
        "metadata": {"resourceVersion": claim.resource_version},
        "status": {"conditions": list(conditions)},
    }


def _network(route: Route) -> IPv4Network | None:
    """Return where a route leads, None when that cannot be read."""
    try:
        return IPv4Network(route.destination, strict=False)
    except ValueError:
        return None


def _covered(network: IPv4Network, every: set[IPv4Network]) -> bool:
    """Whether more specific routes, which decide for themselves, and private ranges leave nothing of it."""
    if any(network.subnet_of(private) for private in _NOT_INTERNET):
        return True
    narrower = [
        other
        for other in (*every, *_NOT_INTERNET)
        if other.subnet_of(network) and other.prefixlen > network.prefixlen
    ]
    return sum(part.num_addresses for part in ipaddress.collapse_addresses(narrower)) == network.num_addresses


def _remedy(route_table_id: str, found: tuple[Detour, ...]) -> str:
    missing = [detour.destination for detour in found if not detour.disabled_eip_route]
    disabled = [detour.destination for detour in found if detour.disabled_eip_route]
    parts = []
    if missing:
        parts.append(f"add to {route_table_id} a route of destination {_listed(missing)} with {_NEXT_HOP}")
    if disabled:
        parts.append(
            f"enable in {route_table_id} the route of destination {_listed(disabled)} with {_NEXT_HOP}"
        )
    return ", and ".join(parts)


def _listed(texts: list[str]) -> str:
    shown = ", ".join(texts[:_MOST_NAMED])
    return f"{shown} and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else shown
