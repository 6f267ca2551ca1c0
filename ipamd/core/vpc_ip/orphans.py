"""Reservations and lines of the book that no VpcIPClaim answers for, and reservations that are gone. Pure.

As for EIPs none of it is believed at once: what is released was without claim in an earlier pass too, for as
long as the age says by our own clock, carries a claim's UID that no claim has, and is at no ENI.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ipamd.core import tags
from ipamd.core.model import Reservation, ReservationState
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

_FEW = 3
"""Reservations that may be lost at once in a cluster of any size."""
_SHARE = 0.03
"""Part of a cluster's reservations that may be lost at once."""


class ReservationVerdict(Enum):
    """What is to become of a reservation without claim; the value is what people read."""

    YOUNG = "waiting"
    """It may still get its claim, or its claim was seen to be gone only just now."""
    BOUND = "at an ENI"
    RELEASE = "unused"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanedReservation:
    """A reservation with the cluster's tags for which no claim answers."""

    reservation: Reservation
    verdict: ReservationVerdict
    since: float
    """When it was first seen without claim, by the steady clock."""


def find(
    reservations: Iterable[Reservation],
    claims: Iterable[VpcIpClaim],
    *,
    before: Mapping[str, float],
    age: float,
    now: float,
) -> tuple[OrphanedReservation, ...]:
    """Return the reservations that were made for claims that are not there, by id.

    `before` are the sightings of the last pass. They must have been listed before the claims were.
    """
    uids, recorded = _answered_for(claims)
    found = []
    for one in sorted(reservations, key=lambda one: one.reservation_id):
        uid = one.tags.get(tags.VPC_IP_CLAIM_UID, "")
        if not uid or uid in uids or one.reservation_id in recorded:
            continue
        since = before.get(one.reservation_id, now)
        ripe = one.reservation_id in before and now - since >= age
        verdict = ReservationVerdict.YOUNG if not ripe else _verdict(one)
        found.append(OrphanedReservation(reservation=one, verdict=verdict, since=since))
    return tuple(found)


def may_release(one: Reservation, claims: Iterable[VpcIpClaim]) -> bool:
    """Whether an orphan is still one, in the light of a live look at itself and at all claims."""
    uids, recorded = _answered_for(claims)
    uid = one.tags.get(tags.VPC_IP_CLAIM_UID, "")
    return (
        bool(uid)
        and uid not in uids
        and one.reservation_id not in recorded
        and one.state is ReservationState.UNBIND
    )


def lost(
    claims: Iterable[VpcIpClaim], reservations: Iterable[Reservation], *, before: Iterable[str]
) -> tuple[tuple[VpcIpClaim, ...], frozenset[str]]:
    """Return the claims whose recorded reservation is not listed, in this pass and in the one `before`.

    With it what the next pass has to be given. Of many that are lost at once none is believed: a wrong region
    or a policy that filters lists hides all of them.
    """
    listed = {one.reservation_id for one in reservations}
    kept = [c for c in claims if c.address and c.address.reservation_id and not c.deleting]
    missing = [c for c in kept if c.address and c.address.reservation_id not in listed]
    return believed(kept, missing, before=before)


def believed(
    kept: list[VpcIpClaim], missing: list[VpcIpClaim], *, before: Iterable[str]
) -> tuple[tuple[VpcIpClaim, ...], frozenset[str]]:
    """Return those of the claims that have lost what the cloud kept for them, and what is seen in this pass.

    Believed is what was missing `before` too, and is not many at once.
    """
    seen = frozenset(c.uid for c in missing)
    if len(missing) > max(_FEW, _SHARE * len(kept)):
        return (), seen
    again = frozenset(before)
    return tuple(c for c in missing if c.uid in again), seen


def lines_without_claim(
    lines: Iterable[VpcIp],
    claims: Iterable[VpcIpClaim],
    *,
    before: Mapping[str, float],
    age: float,
    now: float,
) -> tuple[tuple[VpcIp, ...], dict[str, float]]:
    """Return our lines of the book whose claim has been gone for so long, and the sightings of this pass.

    One that somebody has deleted as well is not waited for: two passes do.
    """
    uids = {claim.uid for claim in claims}
    stray = [line for line in lines if line.ours and line.claim_uid not in uids]
    sightings = {line.uid: before.get(line.uid, now) for line in stray}
    again = [line for line in stray if line.uid in before]
    ripe = tuple(line for line in again if line.deleting or now - sightings[line.uid] >= age)
    return ripe, sightings


def _answered_for(claims: Iterable[VpcIpClaim]) -> tuple[set[str], set[str]]:
    """Return the UIDs of the claims, and the reservations that they record."""
    claims = list(claims)
    recorded = {claim.address.reservation_id for claim in claims if claim.address}
    return {claim.uid for claim in claims}, recorded - {""}


def _verdict(one: Reservation) -> ReservationVerdict:
    return ReservationVerdict.RELEASE if one.state is ReservationState.UNBIND else ReservationVerdict.BOUND
