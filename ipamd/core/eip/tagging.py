"""With how many tags EIPs are ordered: as many as the account takes.

All of them where it does, so that one call finds the EIPs of many claims. Else without the claim's UID, which
is a new value each time, or with none at all; such an EIP is known by its name. Pure.
"""

from enum import Enum

from ipamd.core import tags


class Tagging(Enum):
    """What an order's tags are."""

    FULL = 0
    CLUSTER = 1
    """Those that all EIPs of the cluster have."""
    NONE = 2

    @property
    def less(self) -> "Tagging":
        """The next that asks for less; of the last one itself."""
        return Tagging(min(self.value + 1, Tagging.NONE.value))

    def tags_of(self, cluster_id: str, claim_uid: str) -> dict[str, str]:
        """Return the tags of an EIP that is ordered for a claim."""
        if self is Tagging.FULL:
            return tags.of_claim(cluster_id, claim_uid)
        return tags.of_cluster(cluster_id) if self is Tagging.CLUSTER else {}
