"""Which ENIs of a cluster `ipamctl eni cleanup` gives back. Pure.

Tags decide what is looked at: that of the cluster, and that of the CVM it was created for, which only we set.
An ENI that is attached serves a node, perhaps one that lives, and is touched only when a person has said so.
One that was made for a VpcIPClaim is kept for its Pod also while no node has it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ipamd.core import tags
from ipamd.core.model import Eni, EniState


class EniVerdict(Enum):
    """What is to become of an ENI; the value is what people read."""

    DELETE = "delete"
    DETACH = "detach, delete"
    KEEP = "keep: attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class EniEntry:
    """One ENI of the cluster as it was listed, and what was decided about it."""

    eni: Eni
    fate: EniVerdict

    @property
    def doomed(self) -> bool:
        """Whether it is to be given back."""
        return self.fate is not EniVerdict.KEEP

    @property
    def eip_ids(self) -> tuple[str, ...]:
        """The EIPs that are bound to it, whosever they are: they have to be unbound first."""
        return tuple(sorted(address.eip_id for address in self.eni.addresses if address.eip_id))


def plan(enis: Iterable[Eni], cluster_id: str, *, detach: bool, kept: bool = False) -> tuple[EniEntry, ...]:
    """Return what is to become of each ENI that we made for the cluster, by id; others are left out.

    So are those that are kept for Pods, unless `kept` says that no Pod of the cluster comes again.
    """
    ours = sorted((eni for eni in enis if _is_ours(eni, cluster_id)), key=lambda eni: eni.eni_id)
    ours = [eni for eni in ours if kept or tags.VPC_IP_CLAIM_UID not in eni.tags]
    return tuple(EniEntry(eni=eni, fate=_fate(eni, detach=detach)) for eni in ours)


def obstacle(entry: EniEntry, now: Eni | None, cluster_id: str) -> str | None:
    """Return why the ENI is to be left as it is now; empty: it may go on; None: it is gone."""
    if now is None:
        return None
    if not _is_ours(now, cluster_id):
        return "its tags are not those of the cluster any more"
    if now.instance_id not in ("", entry.eni.instance_id):
        return f"it was attached to {now.instance_id} meanwhile"
    return ""


def _is_ours(eni: Eni, cluster_id: str) -> bool:
    made_by_us = {tags.NODE, tags.EXCLUSIVE_NODE, tags.VPC_IP_CLAIM_UID} & eni.tags.keys()
    return not eni.primary and eni.tags.get(tags.CLUSTER_ID) == cluster_id and bool(made_by_us)


def _fate(eni: Eni, *, detach: bool) -> EniVerdict:
    loose = not eni.instance_id and eni.state in (EniState.AVAILABLE, EniState.DELETING)
    if loose:
        return EniVerdict.DELETE
    return EniVerdict.DETACH if detach else EniVerdict.KEEP
