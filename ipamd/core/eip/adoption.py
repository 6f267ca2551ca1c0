"""Which EIPs that TKE's own component has kept may be taken over, and why not the others. Pure.

TKE tags what it creates with the cluster's id and `tke-created-eip`, and keeps the EIPs of Pods with
`eip-claim-delete-policy: Never`. Nothing is taken from anybody: not what is bound, what another cluster's tag
names, or what an EIPClaim or EIPPool of ours has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ipamd.core import tags
from ipamd.core.model import Eip, EipStatus


class AdoptionVerdict(Enum):
    """What is to become of an EIP; the value is what people read."""

    ADOPT = "adopt"
    KEEP_BOUND = "refused: bound"
    KEEP_HELD = "refused: in use here"
    OTHER_CLUSTER = "refused: of another cluster"
    OWN = "refused: created by tke-eni"
    UNUSABLE = "refused: of no use"
    MISSING = "refused: does not exist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """One EIP, what was decided about it, and why."""

    eip_id: str
    eip: Eip | None
    verdict: AdoptionVerdict
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it is to be taken over."""
        return self.verdict is AdoptionVerdict.ADOPT


def kept_by_tke(eip: Eip) -> bool:
    """Whether TKE's component has created the EIP, by its tags and name."""
    return tags.CREATED_EIP in eip.tags and not _is_ours(eip)


def plan(
    wanted: Iterable[str], eips: Mapping[str, Eip], *, cluster_id: str, held_by: Mapping[str, str]
) -> tuple[Adoption, ...]:
    """Return what is to become of each wanted EIP, in their order.

    `held_by` names the EIPClaim or EIPPool that has an EIP.
    """
    found = []
    for eip_id in wanted:
        eip = eips.get(eip_id)
        verdict, reason = _verdict(eip_id, eip, cluster_id, held_by)
        found.append(Adoption(eip_id=eip_id, eip=eip, verdict=verdict, reason=reason))
    return tuple(found)


def _is_ours(eip: Eip) -> bool:
    return bool(tags.claim_of(eip.tags, eip.name) or eip.tags.get(tags.POOL_UID))


def _verdict(
    eip_id: str, eip: Eip | None, cluster_id: str, held_by: Mapping[str, str]
) -> tuple[AdoptionVerdict, str]:
    if eip is None or eip.status is EipStatus.OFFLINING:
        return AdoptionVerdict.MISSING, "correct its id, or --region"
    cluster = eip.tags.get(tags.CLUSTER_ID)
    if eip_id in held_by:
        return AdoptionVerdict.KEEP_HELD, f"{held_by[eip_id]} has it"
    if cluster not in (None, cluster_id):
        reason = f"its tag {tags.CLUSTER_ID} names {cluster}: remove the tag if that cluster does not need it"
        return AdoptionVerdict.OTHER_CLUSTER, reason
    if _is_ours(eip):
        return AdoptionVerdict.OWN, "it goes with its EIPClaim or EIPPool"
    if eip.status is not EipStatus.UNBIND:
        where = f" to {eip.place}" if eip.bound else ""
        return AdoptionVerdict.KEEP_BOUND, f"it is {eip.status.value}{where}: delete its Pod, or unbind it"
    if eip.cascade_release:
        return AdoptionVerdict.UNUSABLE, "the cloud releases it when it is unbound (CascadeRelease)"
    if eip.is_blocked or eip.is_arrears:
        return AdoptionVerdict.UNUSABLE, f"it is {'blocked' if eip.is_blocked else 'isolated for arrears'}"
    return AdoptionVerdict.ADOPT, ""
