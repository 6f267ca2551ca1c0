"""What is done where the cloud does not assign a reserved address, even to us who reserved it.

No page of the API says whether it does. Where it does not, a claim's own reservation would keep its own Pod
from the address for ever. So a reservation that is seen to be the only one to have the refused address is
given up, and the cluster's book keeps the address alone. What one claim has met is remembered in its
condition Reserved, and no reservation is made for the next ones. Pure.
"""

from collections.abc import Iterable

from ipamd.core.claim.eipclaim import condition
from ipamd.core.model import ReservationState
from ipamd.core.vpc_ip.actions import (
    LookAtReservations,
    LookAtUse,
    MarkGivenUp,
    ReleaseReservation,
    VpcIpAction,
)
from ipamd.core.vpc_ip.facts import AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, RESERVED, VpcIpClaim

_NOT_ASSIGNABLE = "the cloud assigns no reserved address, not even to whom it is reserved for"


def met_by(claims: Iterable[VpcIpClaim]) -> AddressRefusal | None:
    """Return why nothing is to be reserved, if one of the claims has met it; None for not met."""
    met = any(
        claim.address is not None
        and not claim.address.reservation_id
        and condition(claim.conditions, RESERVED).get("reason") == VpcIpReason.NOT_ASSIGNABLE.value
        for claim in claims
    )
    return AddressRefusal(VpcIpReason.NOT_ASSIGNABLE, _NOT_ASSIGNABLE) if met else None


def give_up(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Give up the reservation that hinders its own claim; None when it is somebody else who has the address.

    One that is not shown any more was given up before a crash, or deleted: nothing can be learned from it.
    """
    address, said = claim.address, condition(claim.conditions, ASSIGNED)
    in_use = said.get("status") == "False" and said.get("reason") == VpcIpReason.ADDRESS_IN_USE.value
    if not in_use or address is None or not address.reservation_id or claim.binding is not None:
        return None
    if address.reservation_id in facts.released:
        return MarkGivenUp(reason=VpcIpReason.NOT_ASSIGNABLE, message=_NOT_ASSIGNABLE)
    if facts.refusal is not None:
        return None
    if facts.reservations is None:
        return LookAtReservations()
    own = next((r for r in facts.reservations if r.reservation_id == address.reservation_id), None)
    if own is not None and own.state is not ReservationState.UNBIND:
        return None
    if facts.use is None:
        return LookAtUse(ip=address.ip, subnet_id=address.subnet_id)
    if facts.use.eni_id:
        return None
    if own is None:
        gone = MarkGivenUp(
            reason=VpcIpReason.RESERVATION_LOST, message="its reservation does not exist any more"
        )
        return None if facts.use.place else gone
    return ReleaseReservation(reservation_id=own.reservation_id, vpc_id=own.vpc_id)
