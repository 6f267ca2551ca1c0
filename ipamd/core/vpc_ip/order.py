"""What is asked of the cloud for a claim, and how the answer becomes the claim's address. Pure.

The same for both networks: on shared ENIs the VPC is asked to reserve an address, for an ENI of the Pod's own
to make one. Either way the order stands in the claim before, and the line in the book before the address.
"""

from ipamd.core.model import Subnet
from ipamd.core.vpc_ip.actions import (
    KeepAddress,
    MakeOwnEni,
    MarkWithoutAddress,
    Reserve,
    VpcIpAction,
    WriteLine,
)
from ipamd.core.vpc_ip.facts import AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder, FixedAddress, VpcIpClaim


def begin(facts: VpcIpFacts, claim: VpcIpClaim, subnet_id: str, ip: str) -> VpcIpAction:
    """Ask for an address of the subnet: this one, or any if it is empty."""
    attempt = claim.allocation.attempt + 1
    order = AddressOrder(attempt=attempt, subnet_id=subnet_id, ip=ip, started=facts.now)
    return MakeOwnEni(order=order, begun=False) if claim.exclusive else Reserve(order=order, begun=False)


def repeat(claim: VpcIpClaim) -> VpcIpAction:
    """Ask for the very same once more: the answer may have been lost."""
    if claim.exclusive:
        return MakeOwnEni(order=claim.allocation, begun=True)
    return Reserve(order=claim.allocation, begun=True)


def wanted(facts: VpcIpFacts, claim: VpcIpClaim) -> str:
    """Return the very address that the claim is to have: nominated, or in the book already."""
    if claim.request and claim.request.nominated_ip:
        return claim.request.nominated_ip
    line = entered(facts, claim)
    return line.ip if line is not None else ""


def entered(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIp | None:
    """Return the line that an earlier start has written for the claim."""
    return next((line for line in facts.book or () if line.ip not in claim.refused_ips), None)


def stray_line(facts: VpcIpFacts, claim: VpcIpClaim, ip: str) -> VpcIp | None:
    """Return a line of the claim for another address than the one that it is to have."""
    stray = next((line for line in facts.book or () if line.ip != ip and not line.deleting), None)
    return stray if stray is not None and stray.ip not in claim.refused_ips else None


def needs_name(facts: VpcIpFacts, claim: VpcIpClaim, subnet: Subnet) -> bool:
    """Whether the VPC, asked for any address, might give one that is taken by the book or was refused."""
    return subnet.subnet_id in facts.crowded or bool(claim.refused_ips or facts.released)


def address(
    facts: VpcIpFacts, ip: str, subnet_id: str, *, reservation_id: str = "", eni_id: str = ""
) -> FixedAddress:
    """Return the address as the claim has it, with the zone of its subnet."""
    # That of the node may be another one: the Pod may have been elsewhere when the address was chosen.
    zone = next((s.zone for s in facts.subnets or () if s.subnet_id == subnet_id), "")
    return FixedAddress(ip=ip, subnet_id=subnet_id, zone=zone, reservation_id=reservation_id, eni_id=eni_id)


def enter(facts: VpcIpFacts, found: FixedAddress, said: AddressRefusal) -> VpcIpAction:
    """Write the line of the address, then the claim."""
    if not any(line.ip == found.ip for line in facts.book or ()):
        return WriteLine(address=found)
    return KeepAddress(address=found, reason=said.reason, message=said.message)


def taken(claim: VpcIpClaim, ip: str, by: str) -> VpcIpAction:
    """Say that the claim cannot have an address, and who has it."""
    return MarkWithoutAddress(
        reason=VpcIpReason.ADDRESS_TAKEN,
        message=f"claim {claim} cannot have {ip}: {by}; nominate another address, or wait until it is free",
    )
