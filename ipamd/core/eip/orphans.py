"""EIPs that no EIPClaim answers for, and claims whose EIP is no more. Pure.

Both are found by comparing a listing of the cluster's EIPs with its claims, and neither is believed at once:
a listing may be old, and a claim may be on its way. An orphan is released only if
- it was created for a claim (it carries a claim's UID in tags or name), and no claim has that UID;
- no claim records it, whatever its tags say;
- it was an orphan in an earlier pass too, and for as long as the age says by our own clock;
- it is that old by the cloud's clock as well, so that neither clock alone can make it old;
- it is unbound. A bound one serves somebody and is only reported.
What was created for a living claim that records another EIP is reported, and goes with the claim.
What has the cluster's tags and no claim's UID was made by somebody else (TKE's own component sets the same
tags), and is only reported, too.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ipamd.core import tags
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.model import Eip, EipStatus

_FEW = 3
"""EIPs that may be lost at once in a cluster of any size."""
_SHARE = 0.03
"""Part of a cluster's EIPs that may be lost at once."""


class SweepMode(Enum):
    """What is done about EIPs without claim; the values are those of the flag --orphan-sweep."""

    OFF = "off"
    REPORT = "report"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTerms:
    """How the passes are made; times in seconds."""

    mode: SweepMode = SweepMode.REPORT
    interval: float = 60.0
    age: float = 3600.0
    """For how long an EIP must be without claim before it is spoken of."""


class OrphanVerdict(Enum):
    """What is to become of an EIP without claim; the value is what people read."""

    YOUNG = "waiting"
    """It may still get its claim, or its claim was seen to be gone only just now."""
    BOUND = "bound"
    UNSETTLED = "in transition"
    UNKNOWN_MAKER = "not created for an EIPClaim"
    SPARE = "created for an EIPClaim that has another EIP"
    """It goes with the claim; until then it is paid for."""
    RELEASE = "unused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An EIP with the cluster's tags for which no claim answers."""

    eip: Eip
    fate: OrphanVerdict
    since: float
    """When it was first seen without claim, by the steady clock."""

    @property
    def ripe(self) -> bool:
        """Whether it has been one for long enough to be spoken of."""
        return self.fate is not OrphanVerdict.YOUNG


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTime:
    """Now, by two clocks."""

    wall: float
    """Seconds since the epoch, to compare with the cloud's times."""
    steady: float
    """Seconds of a clock that nobody sets."""


def find(
    eips: Iterable[Eip],
    claims: Iterable[Claim],
    cluster_id: str,
    *,
    before: Mapping[str, float],
    age: float,
    now: SweepTime,
) -> tuple[Orphan, ...]:
    """Return the cluster's EIPs without claim, by id.

    `before` are the sightings of the last pass. The EIPs must have been listed before the claims were: then
    each of them that has a claim has it among these.
    """
    uids, recorded = _answered_for(claims)
    return tuple(
        Orphan(
            eip=eip,
            since=since,
            fate=_fate(
                eip, since, age=age, now=now, again=eip.eip_id in before, spare=uids.get(_uid(eip), False)
            ),
        )
        for eip in sorted(eips, key=lambda eip: eip.eip_id)
        if _is_of(eip, cluster_id) and uids.get(_uid(eip), True) and eip.eip_id not in recorded
        for since in [before.get(eip.eip_id, now.steady)]
    )


def sightings(orphans: Iterable[Orphan]) -> dict[str, float]:
    """Return what the next pass has to know: since when each EIP has been without claim."""
    return {orphan.eip.eip_id: orphan.since for orphan in orphans}


def may_release(eip: Eip | None, claims: Iterable[Claim], cluster_id: str) -> bool:
    """Whether an orphan is still one, in the light of a live look at itself and at all claims."""
    uids, recorded = _answered_for(claims)
    return (
        eip is not None
        and eip.status is EipStatus.UNBIND
        and _is_of(eip, cluster_id)
        and bool(_uid(eip))
        and _uid(eip) not in uids
        and eip.eip_id not in recorded
    )


def unlisted(
    claims: Iterable[Claim], eips: Iterable[Eip], *, also: Container[tuple[str, str]] = ()
) -> tuple[Claim, ...]:
    """Return the claims whose recorded EIP is not among these; a user's EIP has no tags and never is.

    Of deleted claims, whose EIPs go, those of `also` (UID and EIP).
    """
    listed = {eip.eip_id for eip in eips}
    return tuple(
        claim
        for claim in claims
        if claim.address and _counts(claim, also) and claim.address.eip_id not in listed
    )


def lost_at_once(lost: int, claims: Iterable[Claim], *, also: Container[tuple[str, str]] = ()) -> bool:
    """Whether so many claims have lost their EIPs that it is rather our sight of the cloud that is lost.

    A wrong region, another account's key or a policy that filters lists hides all of them. Deleted claims
    do not count, but those of `also`.
    """
    known = sum(1 for claim in claims if _counts(claim, also))
    return lost > max(_FEW, known * _SHARE) or (lost == known and lost > 1)


def _counts(claim: Claim, also: Container[tuple[str, str]]) -> bool:
    if claim.address is None:
        return False
    return not claim.deleting or (claim.uid, claim.address.eip_id) in also


def _answered_for(claims: Iterable[Claim]) -> tuple[dict[str, bool], set[str]]:
    """Return of each claim, by UID, whether it has its EIP and needs no other, and the recorded EIPs."""
    uids: dict[str, bool] = {}
    recorded: set[str] = set()
    for claim in claims:
        uids[claim.uid] = claim.address is not None and not claim.deleting
        if claim.address:
            recorded.add(claim.address.eip_id)
    return uids, recorded


def _fate(eip: Eip, since: float, *, age: float, now: SweepTime, again: bool, spare: bool) -> OrphanVerdict:
    old = eip.created_at is not None and now.wall - eip.created_at >= age
    if not again or now.steady - since < age or not old:
        return OrphanVerdict.YOUNG
    if spare:
        return OrphanVerdict.SPARE
    if not _uid(eip):
        return OrphanVerdict.UNKNOWN_MAKER
    if eip.bound:
        return OrphanVerdict.BOUND
    return OrphanVerdict.RELEASE if eip.status is EipStatus.UNBIND else OrphanVerdict.UNSETTLED


def _is_of(eip: Eip, cluster_id: str) -> bool:
    return all(eip.tags.get(key) == value for key, value in tags.of_cluster(cluster_id).items())


def _uid(eip: Eip) -> str:
    return tags.claim_of(eip.tags, eip.name)
