"""Keeps the links of exclusive ENIs where the ledger wants them: in their Pods, or put away on the node.

What the kernel has brought back from a namespace that has ended is put away; what a Pod should have, and the
node has, goes back into the Pod. A listing tells both, so a round that finds nothing costs nothing.
Thread safety: one thread at a time.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.exclusive_enis import ExclusiveEni, ExclusiveEnis
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.wiring import wiring
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.errors import IpamError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.core.ledger.states import Address, Assigned
from ipamd.core.timing.deadline import Deadline
from ipamd.net.dataplane import DataPlane
from ipamd.net.kernel_listing import KernelListing

log = logging.getLogger(__name__)

_LOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusiveRepair:
    """Compares and mends."""

    shared_ledger: SharedLedger
    enis: ExclusiveEnis
    dataplane: DataPlane
    locks: PodLocks
    pending: PendingAdds

    def mend(self, seen: KernelListing) -> int:
        """Mend what a listing shows; return how many Pods have their ENI back."""
        mended = 0
        for eni, address in self._misplaced(seen):
            try:
                mended += self._settle(eni.mac, address)
            except IpamError as e:
                log.warning("the link of ENI %s stays where it is: %s", eni.eni_id, e)
        return mended

    def differences(self, seen: KernelListing) -> Iterator[Difference]:
        """Yield what `mend` would mend by a listing; touches nothing."""
        for eni, address in self._misplaced(seen):
            state = address.state if address is not None else None
            if address is None or not isinstance(state, Assigned):
                text = f"the link of ENI {eni.eni_id}, which no Pod has, is not put away"
                yield Difference(code=FindingCode.LEFTOVER, subject=f"eni/{eni.eni_id}", text=text)
            elif not self.pending.are_under_way(state.key) and self.dataplane.namespace_of(state.netns):
                text = f"its ENI {eni.eni_id} is on the node, not in the Pod"
                yield Difference(
                    code=FindingCode.POD_INSIDE, subject=f"pod/{address.ip}", text=text, ip=address.ip
                )

    def _misplaced(self, seen: KernelListing) -> Iterator[tuple[ExclusiveEni, Address | None]]:
        """Yield the ENIs whose link is on the node and should not be as it is, each with its address."""
        known = self.enis.enis
        here = self.dataplane.links_of_enis([eni.mac for eni in known.values()], seen) if known else {}
        by_eni = {a.eni_id: a for a in self.shared_ledger.current.exclusive.addresses.values()}
        for eni_id, eni in known.items():
            address = by_eni.get(eni_id)
            is_of_pod = address is not None and isinstance(address.state, Assigned)
            if eni.mac in here and (is_of_pod or not here[eni.mac]):
                yield eni, address

    def _settle(self, mac: str, seen: Address | None) -> bool:
        """Put a link of the node away, or give it back to its Pod; say if it was given back."""
        if seen is None:
            self.dataplane.put_away_eni(mac)
            return False
        with self.locks.of_address(seen.ip, Deadline.after(_LOCK_SECONDS, time.monotonic)):
            address = self.shared_ledger.current.addresses.get(seen.ip)
            if address is None or address.state != seen.state:
                return False
            if not isinstance(address.state, Assigned):
                self.dataplane.put_away_eni(mac)
                return False
            return self._give_back(mac, address, address.state)

    def _give_back(self, mac: str, address: Address, state: Assigned) -> bool:
        link = self.enis.link(address.eni_id)
        if link is None or self.pending.are_under_way(state.key):
            return False
        if not self.dataplane.has_own_eni(mac):
            return False  # an ADD that has ended since the listing has moved it
        if self.dataplane.namespace_of(state.netns) is None:
            # Its sandbox has ended without a DEL, which comes, or `OrphanSandboxes` frees it.
            self.dataplane.put_away_eni(mac)
            return False
        self.dataplane.return_eni(wiring(address, link))
        text = f"the Pod at {address.ip} has its ENI {address.eni_id} back, which was on the node"
        self.dataplane.repaired(
            Difference(code=FindingCode.POD_INSIDE, subject=f"pod/{address.ip}", text=text, ip=address.ip)
        )
        return True
