"""Keeps the links of all Pods as the ledger says: the node's side, the Pods' own ends, and what is lost.

Thread safety: `mend` and `mend_ends` are for one thread at a time, the rest for any.
"""

from ipamd.agent.node.exclusive_repair import ExclusiveRepair
from ipamd.agent.node.lost_links import LostLinks
from ipamd.agent.node.pod_sides import PodSides
from ipamd.agent.node.repair import Repair, RepairResult
from ipamd.net.kernel_listing import KernelListing


class PodRepair:
    """Invariant: `mended` and `removed` only grow."""

    def __init__(
        self, repair: Repair, exclusive: ExclusiveRepair, pod_sides: PodSides, lost_links: LostLinks
    ) -> None:
        """Take who mends which side, and who tells of what cannot be mended."""
        self._repair = repair
        self._exclusive = exclusive
        self._pod_sides = pod_sides
        self._lost_links = lost_links
        self._found: RepairResult | None = None
        self.mended = 0
        """How many Pods had lost something, which was made again."""
        self.removed = 0
        """How much of nobody was taken away."""

    def mend(self, seen: KernelListing) -> None:
        """Compare the node's side of all Pods, as listed, and mend it. Raises: KernelError."""
        found = self._repair.repair(seen)
        self.mended += found.mended + self._exclusive.mend(seen)
        self.removed += found.removed
        self._found = found
        self._lost_links.report(found.cut_off)

    def mend_ends(self) -> None:
        """Look behind the links that `mend` has found, where there is a reason to."""
        found, self._found = self._found, None
        if found is not None:
            self.mended += self._pod_sides.mend(found.links)

    def look_behind_all(self) -> None:
        """Have the next round look at every Pod's own end: somebody asks for it."""
        self._pod_sides.forget()
