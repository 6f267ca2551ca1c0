"""How the claim of a living Pod gets its address: adopted, reserved in the VPC, or kept by the book alone.

What differs for a claim of an ENI of its own is in `own_eni`.

Rules in the manner of `state_machine`, which has the table. Something is reserved only after a look at what
is reserved already: what an earlier request made is adopted. An address is the claim's when its line in the
book is written, and only then. Pure.
"""

from dataclasses import replace

from ipamd.core.claim.actions import Postpone, Wait
from ipamd.core.claim.placement import Obstacle
from ipamd.core.model import Reservation, ReservationState, Subnet
from ipamd.core.vpc_ip import choice, order, own_eni
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
    VpcIpAction,
)
from ipamd.core.vpc_ip.facts import AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

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
    if claim.exclusive:
        return own_eni.adopt(facts, claim) or _order(facts, claim, refusal=None)
    if facts.reservations is None and facts.refusal is None:
        return LookAtReservations()
    own = [r for r in facts.reservations or () if r.ip not in claim.refused_ips]
    if len(own) > 1:
        return _ambiguous(claim, own)
    return _adopt(facts, claim, own[0]) if own else _order(facts, claim, refusal=facts.refusal)


def finish(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Adopt what was reserved, or made, for a kept claim whose Pod went meanwhile; None for nothing."""
    if claim.address is not None or claim.allocation.started is None:
        return None
    if facts.book is None:
        return LookAtBook()
    if claim.exclusive:
        return own_eni.adopt(facts, claim)
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
    if claim.exclusive:
        return own_eni.restore(facts, claim)
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
        return order.repeat(claim)
    return order.begin(facts, claim, address.subnet_id, address.ip)


def _adopt(facts: VpcIpFacts, claim: VpcIpClaim, found: Reservation) -> VpcIpAction:
    """Make the reserved address the claim's; give it up if another claim has it by the book."""
    if found.ip in facts.foreign_ips:
        if found.state is not ReservationState.UNBIND:
            return order.taken(claim, found.ip, f"another VpcIPClaim has it; {found.resource_id} carries it")
        return ReleaseReservation(reservation_id=found.reservation_id, vpc_id=found.vpc_id)
    stray = order.stray_line(facts, claim, found.ip)
    if stray is not None:
        return DropLine(line=stray)
    subnet_id = found.subnet_id or claim.allocation.subnet_id
    address = order.address(facts, found.ip, subnet_id, reservation_id=found.reservation_id)
    return order.enter(facts, address, AddressRefusal(VpcIpReason.RESERVED, found.reservation_id))


def _order(facts: VpcIpFacts, claim: VpcIpClaim, *, refusal: AddressRefusal | None) -> VpcIpAction:
    """Ask for an address, or take one by the book where the VPC refuses to reserve any."""
    if claim.allocation.started is not None and refusal is None:
        return order.repeat(claim)
    wanted = order.wanted(facts, claim)
    if wanted in facts.foreign_ips:
        other = f"another VpcIPClaim has it (kubectl get vip {wanted})"
        return order.taken(claim, wanted, facts.taken_by or other)
    entered = order.entered(facts, claim)
    if entered is not None and entered.ip == wanted and entered.subnet_id:
        return _go_on(facts, claim, entered, refusal)
    subnet = choice.subnet_of(facts, claim)
    if isinstance(subnet, AddressRefusal):
        return MarkWithoutAddress(reason=subnet.reason, message=subnet.message)
    if refusal is not None:
        return _by_book(facts, claim, subnet, wanted, refusal)
    if not wanted and order.needs_name(facts, claim, subnet):
        if not facts.candidate:
            return LookForAddress(subnet_id=subnet.subnet_id)
        wanted = facts.candidate
    return order.begin(facts, claim, subnet.subnet_id, wanted)


def _go_on(facts: VpcIpFacts, claim: VpcIpClaim, line: VpcIp, refusal: AddressRefusal | None) -> VpcIpAction:
    """Go on with the address that is in the book: in its own subnet, whichever has more room by now."""
    if refusal is not None:
        return order.enter(facts, order.address(facts, line.ip, line.subnet_id), refusal)
    if line.subnet_id in facts.full:
        message = f"{line.ip} cannot be reserved: no address is free in {line.subnet_id}"
        return MarkWithoutAddress(reason=VpcIpReason.SUBNET_FULL, message=message)
    return order.begin(facts, claim, line.subnet_id, line.ip)


def _by_book(
    facts: VpcIpFacts, claim: VpcIpClaim, subnet: Subnet, wanted: str, refusal: AddressRefusal
) -> VpcIpAction:
    """Take an address that is free by what the cloud says, and kept by nobody but the book."""
    if wanted and not any(line.ip == wanted for line in facts.book or ()):
        if facts.use is None:
            return LookAtUse(ip=wanted, subnet_id=subnet.subnet_id)
        if facts.use.place and facts.use.claim_uid != claim.uid:
            return order.taken(claim, wanted, f"{facts.use.place} has it")
    ip = wanted or facts.candidate
    if not ip:
        return LookForAddress(subnet_id=subnet.subnet_id)
    return order.enter(facts, order.address(facts, ip, subnet.subnet_id), refusal)


def _ambiguous(claim: VpcIpClaim, found: list[Reservation]) -> VpcIpAction:
    several = ", ".join(f"{one.reservation_id} ({one.ip})" for one in found)
    return MarkWithoutAddress(
        reason=VpcIpReason.AMBIGUOUS,
        message=f"{len(found)} reservations carry the tag of claim {claim}: {several}; nothing is done until "
        "all but one are deleted in the console",
    )
