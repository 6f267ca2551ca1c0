"""ENIs made for VpcIPClaims that are not there, and claims whose ENI is gone. Pure.

As for reservations (`orphans`) none of it is believed at once: an ENI that is deleted was without claim in an
earlier pass too, for as long as the age says by our own clock, is attached to nothing and has no EIP.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ipamd.core import tags
from ipamd.core.model import Eni
from ipamd.core.vpc_ip import orphans, own_eni
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


class OwnEniVerdict(Enum):
    """What is to become of an ENI without claim; the value is what people read."""

    YOUNG = "waiting"
    """It may still get its claim, or its claim was seen to be gone only just now."""
    USED = "in use"
    DELETE = "unused"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanedEni:
    """An ENI with the cluster's and a claim's tags for which no claim answers."""

    eni: Eni
    verdict: OwnEniVerdict
    since: float
    """When it was first seen without claim, by the steady clock."""


def find(
    enis: Iterable[Eni], claims: Iterable[VpcIpClaim], *, before: Mapping[str, float], age: float, now: float
) -> tuple[OrphanedEni, ...]:
    """Return the ENIs that were made for claims that are not there, by id.

    `before` are the sightings of the last pass. They must have been listed before the claims were.
    """
    claims = list(claims)
    found = []
    for eni in sorted(enis, key=lambda one: one.eni_id):
        if not _is_orphan(eni, claims):
            continue
        since = before.get(eni.eni_id, now)
        ripe = eni.eni_id in before and now - since >= age
        verdict = OwnEniVerdict.DELETE if own_eni.may_delete(eni) else OwnEniVerdict.USED
        found.append(OrphanedEni(eni=eni, verdict=verdict if ripe else OwnEniVerdict.YOUNG, since=since))
    return tuple(found)


def may_delete(eni: Eni, claims: Iterable[VpcIpClaim]) -> bool:
    """Whether an orphan is still one and unused, in the light of a live look at itself and at all claims."""
    return _is_orphan(eni, claims) and own_eni.may_delete(eni)


def lost(
    claims: Iterable[VpcIpClaim], enis: Iterable[Eni], *, before: Iterable[str]
) -> tuple[tuple[VpcIpClaim, ...], frozenset[str]]:
    """Return the claims whose recorded ENI is not listed, as `orphans.lost` for reservations."""
    listed = {eni.eni_id for eni in enis}
    kept = [c for c in claims if c.address and c.address.eni_id and not c.deleting]
    missing = [c for c in kept if c.address and c.address.eni_id not in listed]
    return orphans.believed(kept, missing, before=before)


def _is_orphan(eni: Eni, claims: Iterable[VpcIpClaim]) -> bool:
    uid = eni.tags.get(tags.VPC_IP_CLAIM_UID, "")
    return bool(uid) and not any(
        claim.uid == uid or (claim.address is not None and claim.address.eni_id == eni.eni_id)
        for claim in claims
    )
