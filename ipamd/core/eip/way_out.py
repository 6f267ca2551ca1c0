"""Whom the outside sees when a Pod speaks: how a packet leaves the node, and what the VPC does. Pure.

The VPC lets a packet in by an ENI only with an address of that ENI as its source, and gives what is for the
internet the EIP of that address (docs/data-plane.md). What stands behind the node's own address in the
internet (its public IP, a NAT gateway) is not known on the node.
"""

from dataclasses import dataclass
from enum import Enum


class SeenAs(Enum):
    """Whom the outside takes the Pod for."""

    EIP = "eip"
    POD = "pod"
    """Its private address, in the VPC or on the node."""
    NODE = "node"
    UNKNOWN = "unknown"
    """It arrives, and its address is given by something that the node does not know."""
    NOBODY = "nobody"
    """It does not arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayFacts:
    """Where the packet is when the node is done with it, and what is known of the Pod."""

    dropped: str = ""
    """Why the node does not forward it; empty if it does."""
    stays: bool = False
    """Whether it is for the node or for another Pod of it."""
    source: str
    link: str
    pod_ip: str
    pod_link: str
    """The link of the Pod's ENI; empty when the node does not have it."""
    primary_link: str
    node_ip: str
    eip: str = ""
    """Public address of the EIP that is bound to the Pod's address."""
    to_vpc: bool = False
    nat_gateway: str = ""
    """Why a NAT gateway takes what the Pod sends to the internet away from its EIP; empty if none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """Whom the outside sees, by which address, and that in a sentence."""

    seen_as: SeenAs
    address: str = ""
    verdict: str


def seen(facts: WayFacts) -> WayOut:
    """Return whom the outside sees."""
    if facts.dropped:
        return _nobody(f"the node drops it: {facts.dropped}")
    if facts.stays:
        return _on_the_node(facts)
    if facts.link == facts.pod_link:
        return _by_pod_eni(facts)
    if facts.link == facts.primary_link:
        return _by_primary_eni(facts)
    return WayOut(
        seen_as=SeenAs.UNKNOWN,
        address=facts.source,
        verdict=f"it leaves as {facts.source} by {facts.link}, neither the Pod's ENI nor the primary one",
    )


def _on_the_node(facts: WayFacts) -> WayOut:
    is_pod = facts.source == facts.pod_ip
    whose = "the Pod's own address" if is_pod else "the node's address"
    return WayOut(
        seen_as=SeenAs.POD if is_pod else SeenAs.NODE,
        address=facts.source,
        verdict=f"it stays on the node; the other side sees {whose}, {facts.source}",
    )


def _by_pod_eni(facts: WayFacts) -> WayOut:
    if facts.source != facts.pod_ip:
        return _nobody(
            f"it leaves by the Pod's ENI ({facts.link}) with the source {facts.source}, which is not of that "
            "ENI, so the VPC drops it: something masquerades in front of ours"
        )
    if facts.to_vpc:
        return WayOut(
            seen_as=SeenAs.POD,
            address=facts.pod_ip,
            verdict=f"the VPC sees the Pod's own address, {facts.pod_ip}",
        )
    if facts.nat_gateway:
        return WayOut(
            seen_as=SeenAs.UNKNOWN,
            verdict=f"the internet sees the address of a NAT gateway, not the EIP: {facts.nat_gateway}",
        )
    if facts.eip:
        return WayOut(
            seen_as=SeenAs.EIP, address=facts.eip, verdict=f"the internet sees the Pod's EIP, {facts.eip}"
        )
    return WayOut(
        seen_as=SeenAs.UNKNOWN,
        verdict=f"it leaves by the Pod's ENI ({facts.link}) and the Pod has no EIP: the internet sees a NAT "
        "gateway of the VPC, if the route table of the ENI's subnet has one; else the VPC drops it",
    )


def _by_primary_eni(facts: WayFacts) -> WayOut:
    if facts.source == facts.pod_ip:
        return _nobody(
            f"it leaves by the primary ENI ({facts.link}) with the Pod's own address, which is of another "
            "ENI, so the VPC drops it: nothing masquerades it (is ip-masq-agent running?)"
        )
    where = f"the node's address, {facts.source}" if facts.to_vpc else f"the node ({facts.source})"
    behind = "" if facts.to_vpc else " by the node's public IP or the VPC's NAT gateway"
    whose = ", not its EIP" if facts.eip and not facts.to_vpc else ""
    return WayOut(
        seen_as=SeenAs.NODE,
        address=facts.source if facts.to_vpc else "",
        verdict=f"the {'VPC' if facts.to_vpc else 'internet'} sees {where}{behind}{whose}",
    )


def _nobody(verdict: str) -> WayOut:
    return WayOut(seen_as=SeenAs.NOBODY, verdict=verdict)
