"""Keepers of addresses and lines of the book that no VpcIPClaim answers for, and keepers that are gone. Pure.

As for EIPs none of it is believed at once: what is given up was without claim in an earlier pass too, for as
long as the age says by our own clock, carries a claim's UID that no claim has, and is unused.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ipamd.core.vpc_ip.keepers import AddressKeeper
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress, VpcIpClaim

_FEW = 3
"""Keepers of one kind that may be lost at once in a cluster of any size."""
_SHARE = 0.03
"""Part of a cluster's keepers of one kind that may be lost at once."""


class KeeperVerdict(Enum):
    """What is to become of a keeper without claim; the value is what people read."""

    YOUNG = "waiting"
    """It may still get its claim, or its claim was seen to be gone only just now."""
    USED = "in use"
    """People read of reservations that they are `at an ENI`."""
    UNUSED = "unused"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanedKeeper:
    """A keeper with the cluster's and a claim's tags for which no claim answers."""

    keeper: AddressKeeper
    verdict: KeeperVerdict
    since: float
    """When it was first seen without claim, by the steady clock."""


def find(
    keepers: Iterable[AddressKeeper],
    claims: Iterable[VpcIpClaim],
    *,
    before: Mapping[str, float],
    age: float,
    now: float,
) -> tuple[OrphanedKeeper, ...]:
    """Return the keepers that were made for claims that are not there, by id.

    `before` are the sightings of the last pass. They must have been listed before the claims were.
    """
    answered = _answered_for(claims)
    found = []
    for one in sorted(keepers, key=lambda one: one.name):
        if not _is_orphan(one, answered):
            continue
        since = before.get(one.name, now)
        ripe = one.name in before and now - since >= age
        verdict = KeeperVerdict.UNUSED if one.unused else KeeperVerdict.USED
        found.append(
            OrphanedKeeper(keeper=one, verdict=verdict if ripe else KeeperVerdict.YOUNG, since=since)
        )
    return tuple(found)


def may_give_up(one: AddressKeeper, claims: Iterable[VpcIpClaim]) -> bool:
    """Whether an orphan is still one and unused, in the light of a live look at itself and at all claims."""
    return one.unused and _is_orphan(one, _answered_for(claims))


def lost(
    claims: Iterable[VpcIpClaim],
    keepers: Iterable[AddressKeeper],
    *,
    recorded: Callable[[FixedAddress], str],
    before: Iterable[str],
) -> tuple[tuple[VpcIpClaim, ...], frozenset[str]]:
    """Return the claims whose recorded keeper is not listed, in this pass and in the one `before`.

    With it what the next pass has to be given. `recorded` returns the id of the keeper of this kind that an
    address has, empty for none. Of many that are lost at once none is believed: a wrong region or a policy
    that filters lists hides all of them.
    """
    listed = {one.name for one in keepers}
    kept = [c for c in claims if c.address and recorded(c.address) and not c.deleting]
    missing = [c for c in kept if c.address and recorded(c.address) not in listed]
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
    """Return the UIDs of the claims, and the keepers that they record."""
    claims = list(claims)
    addresses = [claim.address for claim in claims if claim.address]
    recorded = {name for address in addresses for name in (address.reservation_id, address.eni_id)}
    return {claim.uid for claim in claims}, recorded - {""}


def _is_orphan(one: AddressKeeper, answered: tuple[set[str], set[str]]) -> bool:
    uids, recorded = answered
    return bool(one.claim_uid) and one.claim_uid not in uids and one.name not in recorded
