"""What keeps the address of a VpcIPClaim in the cloud: a reservation, or an ENI made for it alone. Pure."""

from dataclasses import dataclass

from ipamd.core import tags
from ipamd.core.model import Eni, Reservation, ReservationState
from ipamd.core.vpc_ip import own_eni


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressKeeper:
    """A reservation or an ENI, as far as it matters whose it is and whether it may go."""

    name: str
    """Its id, by which it is known to the cloud and in claims."""
    ip: str
    vpc_id: str
    claim_uid: str
    """Of the claim that it was made for, by its tag; empty for none."""
    unused: bool
    """Whether nothing of it is in use, as the cloud shows it."""


def of_reservation(one: Reservation) -> AddressKeeper:
    """Return the reservation as keeper; it is in use when an ENI has its address, or may have."""
    return AddressKeeper(
        name=one.reservation_id,
        ip=one.ip,
        vpc_id=one.vpc_id,
        claim_uid=one.tags.get(tags.VPC_IP_CLAIM_UID, ""),
        unused=one.state is ReservationState.UNBIND,
    )


def of_eni(eni: Eni) -> AddressKeeper:
    """Return the ENI as keeper; it is in use when it is attached, has an EIP, or is in transition."""
    return AddressKeeper(
        name=eni.eni_id,
        ip=eni.primary_ip,
        vpc_id=eni.vpc_id,
        claim_uid=eni.tags.get(tags.VPC_IP_CLAIM_UID, ""),
        unused=own_eni.may_delete(eni),
    )
