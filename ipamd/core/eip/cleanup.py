"""Which EIPs of a cluster `ipamctl eip cleanup` gives back, and what it does next about each of them. Pure.

A deleted cluster leaves its EIPs behind, and nothing but their tags says whose they were. So the tags decide
what is looked at at all, and the EIP's state decides the rest: what is bound serves somebody, perhaps a
cluster that still lives, and is touched only when a person has said that it may be. What an EIPClaim holds is
never touched: it goes with its claim.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ipamd.core import tags
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.model import Eip, EipStatus


class CleanupVerdict(Enum):
    """What is to become of an EIP; the value is what people read."""

    RELEASE = "release"
    UNBIND = "unbind, release"
    KEEP_BOUND = "keep: in use"
    KEEP_CLAIMED = "keep: claimed"
    KEEP_TKE = "keep: made by TKE"
    LEAVING = "leaving already"


_IN_USE = (EipStatus.BIND, EipStatus.BIND_ENI, EipStatus.BINDING, EipStatus.CREATING, EipStatus.UNKNOWN)
"""States that somebody has brought about and still relies on; one that is not known counts as such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One EIP of the cluster as it was listed, and what was decided about it."""

    eip: Eip
    fate: CleanupVerdict
    claim: str = ""
    """namespace/name of the EIPClaim that holds it, if the cluster was asked."""

    @property
    def claim_uid(self) -> str:
        """UID of the claim that it was created for."""
        return tags.claim_of(self.eip.tags, self.eip.name)

    @property
    def doomed(self) -> bool:
        """Whether it is to be given back."""
        return self.fate in (CleanupVerdict.RELEASE, CleanupVerdict.UNBIND, CleanupVerdict.LEAVING)


def holders(eips: Iterable[Eip], claims: Iterable[Claim]) -> dict[str, str]:
    """Return which claim (namespace/name) holds which EIP (id): by its record, or by its UID in the tags."""
    by_record: dict[str, str] = {}
    by_uid: dict[str, str] = {}
    for claim in claims:
        by_uid[claim.uid] = str(claim)
        if claim.address:
            by_record[claim.address.eip_id] = str(claim)
    held_by = {}
    for eip in eips:
        holder = by_record.get(eip.eip_id) or by_uid.get(tags.claim_of(eip.tags, eip.name))
        if holder:
            held_by[eip.eip_id] = holder
    return held_by


def plan(
    eips: Iterable[Eip],
    cluster_id: str,
    held_by: Mapping[str, str],
    *,
    unbind: bool,
    keep_tke: bool = False,
) -> tuple[Entry, ...]:
    """Return what is to become of each EIP with the cluster's tags, ordered by id; others are left out.

    With `keep_tke` only what was created for a claim or a pool of ours goes: TKE's component sets the same
    tags of the cluster, and what it has created may have been taken over by people.
    """
    ours = sorted((eip for eip in eips if is_of(eip, cluster_id)), key=lambda eip: eip.eip_id)
    return tuple(
        Entry(
            eip=eip,
            fate=CleanupVerdict.KEEP_TKE
            if keep_tke and not _made_by_us(eip)
            else _fate(eip, held_by, unbind=unbind),
            claim=held_by.get(eip.eip_id, ""),
        )
        for eip in ours
    )


def signs_of_life(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return those that are in use although no claim is known that holds them: the cluster may be alive."""
    return tuple(entry for entry in entries if entry.fate is CleanupVerdict.KEEP_BOUND)


class Step(Enum):
    """What to do next about an EIP that is to be given back."""

    UNBIND = "unbind"
    RELEASE = "release"
    WAIT = "wait"
    DONE = "done"
    LEAVE = "leave"
    """It is not what it was when it was listed: hands off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """A step, and why if it is LEAVE."""

    step: Step
    reason: str = ""


def next_step(entry: Entry, now: Eip | None, cluster_id: str, *, unbound: bool) -> Next:
    """Return what to do, given the EIP as the cloud shows it now (None: it does not exist).

    `unbound` says that we have unbound it once: whoever binds it after that relies on it.
    """
    if now is None:
        return Next(step=Step.DONE)
    if not is_of(now, cluster_id):
        return Next(step=Step.LEAVE, reason="its tags are not those of the cluster any more")
    if now.status is EipStatus.UNBIND:
        return Next(step=Step.RELEASE)
    if now.status in (EipStatus.OFFLINING, EipStatus.UNBINDING):
        return Next(step=Step.WAIT)
    if not now.bound:
        return Next(step=Step.LEAVE, reason=f"it is {now.status.value}: somebody works with it")
    if unbound:
        return Next(
            step=Step.LEAVE, reason=f"it was unbound and is bound again, to {place(now)}: an agent runs"
        )
    if entry.fate is not CleanupVerdict.UNBIND or place(now) != place(entry.eip):
        return Next(step=Step.LEAVE, reason=f"it has been bound meanwhile, to {place(now)}")
    return Next(step=Step.UNBIND)


def place(eip: Eip) -> str:
    """Return where an EIP is bound, in one word for people; empty when it is not."""
    return "/".join(part for part in (eip.instance_id, eip.eni_id, eip.private_ip) if part)


def _fate(eip: Eip, held_by: Mapping[str, str], *, unbind: bool) -> CleanupVerdict:
    if eip.eip_id in held_by:
        return CleanupVerdict.KEEP_CLAIMED
    if eip.status is EipStatus.OFFLINING:
        return CleanupVerdict.LEAVING
    if eip.bound and unbind:
        return CleanupVerdict.UNBIND
    return CleanupVerdict.KEEP_BOUND if eip.status in _IN_USE else CleanupVerdict.RELEASE


def is_of(eip: Eip, cluster_id: str) -> bool:
    """Whether the EIP was created for the cluster: for a claim (or by TKE's component), or for an EIPPool."""
    of_claim = all(eip.tags.get(key) == value for key, value in tags.of_cluster(cluster_id).items())
    return of_claim or (eip.tags.get(tags.CLUSTER_ID) == cluster_id and tags.POOL_UID in eip.tags)


def _made_by_us(eip: Eip) -> bool:
    return bool(tags.claim_of(eip.tags, eip.name)) or tags.POOL_UID in eip.tags
