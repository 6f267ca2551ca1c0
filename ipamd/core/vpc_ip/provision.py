"""How the claim of a living Pod gets its address: adopted, reserved in the VPC, or kept by the book alone.

Rules in the manner of `state_machine`, which has the table. Something is reserved only after a look at what
is reserved already: what an earlier request made is adopted. An address is the claim's when its line in the
book is written, and only then. Pure.
"""

from dataclasses import replace

from ipamd.core.claim.actions import Postpone, Wait
from ipamd.core.claim.placement import Obstacle
from ipamd.core.model import Reservation, ReservationState, Subnet
from ipamd.core.vpc_ip import choice
from ipamd.core.vpc_ip.actions import (
    DropLine,
    KeepAddress,
    LookAtBook,
    LookAtReservations,
    LookAtSubnets,
    LookAtUse,
    LookForAddress,
    MarkUnreserved,
    MarkWithoutAddress,
    ReleaseReservation,
    Reserve,
    VpcIpAction,
    WriteLine,
)
from ipamd.core.vpc_ip.facts import AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder, FixedAddress, VpcIpClaim

_WORDS = (
    ("its EIP is ordered", "its address is chosen"),
    ("the EIP is ordered", "the address is chosen"),
    ("no EIP is ordered", "no address is chosen"),
    ("EIP annotations and resource", "the annotations of the fixed address"),
)
"""What `placement` says of an EIP, and the same of an address."""
_PASSING = 3.0
"""Seconds for which nothing is said of an obstacle: caches catch up."""


def provision(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction:
    """Return the next step towards the claim's address."""
    if claim.request is None:
        problem = f"{claim.problem}; correct the claim or delete it"
        return MarkWithoutAddress(reason=VpcIpReason.INVALID_SPEC, message=problem)
    if facts.obstacle and claim.allocation.started is None:
        return postpone(facts, facts.obstacle)
    if facts.book is None:
        return LookAtBook()
    if facts.subnets is None:
        return LookAtSubnets()
    if facts.reservations is None and facts.refusal is None:
        return LookAtReservations()
    own = [r for r in facts.reservations or () if r.ip not in claim.refused_ips]
    if len(own) > 1:
        return _ambiguous(claim, own)
    return _adopt(facts, claim, own[0]) if own else _order(facts, claim)


def finish(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Adopt what was reserved for a kept claim whose Pod went meanwhile; None when there is nothing."""
    if claim.address is not None or claim.allocation.started is None:
        return None
    if facts.book is None:
        return LookAtBook()
    if facts.reservations is None and facts.refusal is None:
        return LookAtReservations()
    own = [r for r in facts.reservations or () if r.ip not in claim.refused_ips]
    return _adopt(facts, claim, own[0]) if len(own) == 1 else None


def postpone(facts: VpcIpFacts, obstacle: Obstacle) -> VpcIpAction:
    """Say what is waited for, if that has lasted a while."""
    if facts.obstructed_for < _PASSING:
        return Wait(reason=obstacle.message, seconds=_PASSING - facts.obstructed_for)
    message = obstacle.message
    for of_eip, of_address in _WORDS:
        message = message.replace(of_eip, of_address)
    return Postpone(obstacle=Obstacle(obstacle.reason, message))


def reserve_kept(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Ask once more that the VPC keep the address that the claim has by the book alone; None for not now."""
    address = claim.address
    if address is None or address.reservation_id or not facts.reserve_again:
        return None
    if facts.refusal is not None:
        return MarkUnreserved(reason=facts.refusal.reason, message=facts.refusal.message)
    if address.ip in facts.foreign_ips or address.subnet_id in facts.full:
        message = f"{address.ip} cannot be reserved: {facts.taken_by or 'the subnet is full'}"
        return MarkUnreserved(reason=VpcIpReason.ADDRESS_TAKEN, message=message)
    if facts.reservations is None:
        return LookAtReservations()
    spare = next((r for r in facts.reservations if r.ip not in (address.ip, *claim.refused_ips)), None)
    if spare is not None and spare.state is ReservationState.UNBIND:
        return ReleaseReservation(reservation_id=spare.reservation_id, vpc_id=spare.vpc_id)
    own = next((r for r in facts.reservations if r.ip == address.ip), None)
    if own is not None:
        return KeepAddress(
            address=replace(address, reservation_id=own.reservation_id),
            reason=VpcIpReason.RESERVED,
            message=own.reservation_id,
        )
    if claim.allocation.started is not None and claim.allocation.ip == address.ip:
        return Reserve(order=claim.allocation, begun=True)
    return Reserve(order=_next_order(facts, claim, address.subnet_id, address.ip), begun=False)


def _adopt(facts: VpcIpFacts, claim: VpcIpClaim, found: Reservation) -> VpcIpAction:
    """Make the reserved address the claim's; give it up if another claim has it by the book."""
    if found.ip in facts.foreign_ips:
        if found.state is not ReservationState.UNBIND:
            return _taken(claim, found.ip, f"another VpcIPClaim has it; {found.resource_id} carries it")
        return ReleaseReservation(reservation_id=found.reservation_id, vpc_id=found.vpc_id)
    stray = next((line for line in facts.book or () if line.ip != found.ip and not line.deleting), None)
    if stray is not None and stray.ip not in claim.refused_ips:
        return DropLine(line=stray)
    subnet_id = found.subnet_id or claim.allocation.subnet_id
    address = _address(facts, found.ip, subnet_id, found.reservation_id)
    return _enter(facts, address, AddressRefusal(VpcIpReason.RESERVED, found.reservation_id))


def _order(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction:
    """Reserve an address, or take one by the book where the VPC refuses."""
    if claim.allocation.started is not None and facts.refusal is None:
        return Reserve(order=claim.allocation, begun=True)
    wanted = _wanted(facts, claim)
    if wanted in facts.foreign_ips:
        other = f"another VpcIPClaim has it (kubectl get vip {wanted})"
        return _taken(claim, wanted, facts.taken_by or other)
    entered = _entered(facts, claim)
    if entered is not None and entered.ip == wanted and entered.subnet_id:
        return _go_on(facts, claim, entered)
    subnet = choice.subnet_of(facts, claim)
    if isinstance(subnet, AddressRefusal):
        return MarkWithoutAddress(reason=subnet.reason, message=subnet.message)
    if facts.refusal is not None:
        return _by_book(facts, claim, subnet, wanted)
    if not wanted and _needs_name(facts, claim, subnet):
        if not facts.candidate:
            return LookForAddress(subnet_id=subnet.subnet_id)
        wanted = facts.candidate
    return Reserve(order=_next_order(facts, claim, subnet.subnet_id, wanted), begun=False)


def _go_on(facts: VpcIpFacts, claim: VpcIpClaim, line: VpcIp) -> VpcIpAction:
    """Go on with the address that is in the book: in its own subnet, whichever has more room by now."""
    if facts.refusal is not None:
        return _enter(facts, _address(facts, line.ip, line.subnet_id), facts.refusal)
    if line.subnet_id in facts.full:
        message = f"{line.ip} cannot be reserved: no address is free in {line.subnet_id}"
        return MarkWithoutAddress(reason=VpcIpReason.SUBNET_FULL, message=message)
    return Reserve(order=_next_order(facts, claim, line.subnet_id, line.ip), begun=False)


def _needs_name(facts: VpcIpFacts, claim: VpcIpClaim, subnet: Subnet) -> bool:
    """Whether the VPC, asked for any address, might reserve one that is taken by the book or was refused."""
    return subnet.subnet_id in facts.crowded or bool(claim.refused_ips or facts.released)


def _by_book(facts: VpcIpFacts, claim: VpcIpClaim, subnet: Subnet, wanted: str) -> VpcIpAction:
    """Take an address that is free by what the cloud says, and kept by nobody but the book."""
    if facts.refusal is None:
        raise ValueError("this rule is for a refused reservation")
    if wanted and not any(line.ip == wanted for line in facts.book or ()):
        if facts.use is None:
            return LookAtUse(ip=wanted, subnet_id=subnet.subnet_id)
        if facts.use.place and facts.use.claim_uid != claim.uid:
            return _taken(claim, wanted, f"{facts.use.place} has it")
    ip = wanted or facts.candidate
    if not ip:
        return LookForAddress(subnet_id=subnet.subnet_id)
    return _enter(facts, _address(facts, ip, subnet.subnet_id), facts.refusal)


def _enter(facts: VpcIpFacts, address: FixedAddress, said: AddressRefusal) -> VpcIpAction:
    """Write the line of the address, then the claim."""
    if not any(line.ip == address.ip for line in facts.book or ()):
        return WriteLine(address=address)
    return KeepAddress(address=address, reason=said.reason, message=said.message)


def _wanted(facts: VpcIpFacts, claim: VpcIpClaim) -> str:
    """Return the very address that the claim is to have: nominated, or in the book already."""
    if claim.request and claim.request.nominated_ip:
        return claim.request.nominated_ip
    entered = _entered(facts, claim)
    return entered.ip if entered is not None else ""


def _entered(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIp | None:
    """Return the line that an earlier start has written for the claim."""
    return next((line for line in facts.book or () if line.ip not in claim.refused_ips), None)


def _next_order(facts: VpcIpFacts, claim: VpcIpClaim, subnet_id: str, ip: str) -> AddressOrder:
    return AddressOrder(attempt=claim.allocation.attempt + 1, subnet_id=subnet_id, ip=ip, started=facts.now)


def _address(facts: VpcIpFacts, ip: str, subnet_id: str, reservation_id: str = "") -> FixedAddress:
    # That of the node may be another one: the Pod may have been elsewhere when the address was chosen.
    zone = next((s.zone for s in facts.subnets or () if s.subnet_id == subnet_id), "")
    return FixedAddress(ip=ip, subnet_id=subnet_id, zone=zone, reservation_id=reservation_id)


def _taken(claim: VpcIpClaim, ip: str, by: str) -> VpcIpAction:
    return MarkWithoutAddress(
        reason=VpcIpReason.ADDRESS_TAKEN,
        message=f"claim {claim} cannot have {ip}: {by}; nominate another address, or wait until it is free",
    )


def _ambiguous(claim: VpcIpClaim, found: list[Reservation]) -> VpcIpAction:
    several = ", ".join(f"{one.reservation_id} ({one.ip})" for one in found)
    return MarkWithoutAddress(
        reason=VpcIpReason.AMBIGUOUS,
        message=f"{len(found)} reservations carry the tag of claim {claim}: {several}; nothing is done until "
        "all but one are deleted in the console",
    )
