"""Whether an address is kept for its Pod after a sandbox has ended, and for how long. Pure.

A runtime tears a sandbox down for two reasons: the Pod is going away, or the Pod stays and gets a new sandbox
(the old one died, or its ADD failed). Only in the second case is somebody coming back - and when the Pod's
EIPClaim is retained, or its address fixed, a later Pod of the same name. DEL may not wait for the API server,
so what the watch cache knows decides; when it knows nothing the address is held, which loses nothing but
time.

A kubelet reports that a Pod has finished after the DEL of its sandbox: such a hold ends when the watch tells.
On a node without a free address holds give way to Pods that wait (`ipamd.core.pool`).
"""

from dataclasses import dataclass

from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger.ledger import AddressHold
from ipamd.core.ledger.states import Address
from ipamd.core.timing.boottime import Boottime, after


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTimes:
    """Seconds for which addresses are held; 0 holds none."""

    pod: float = 120.0
    """For a Pod that still exists."""
    retained: float = 300.0
    """For a name whose EIPClaim is retained."""

    @property
    def of_fixed(self) -> float:
        """For a name that has a fixed address."""
        return self.retained or self.pod


def decide(
    address: Address, pod: PodView | None, times: HoldTimes, now: Boottime, *, cache_synced: bool
) -> AddressHold | None:
    """Return the hold that an address deserves whose sandbox has just ended; None to let it go.

    `pod` is what the cache has under the Pod's name: None, or possibly a Pod of another UID.
    """
    if address.fixed and times.of_fixed > 0:
        return AddressHold(until=after(now, times.of_fixed), by_name=True)
    if address.eip is not None and address.eip.retained and times.retained > 0:
        return AddressHold(until=after(now, times.retained), by_name=True)
    same = pod is not None and pod.ref == address.pod
    comes_back = pod.wants_sandbox if same and pod is not None else not cache_synced
    if comes_back and times.pod > 0:
        return AddressHold(until=after(now, times.pod), by_name=False)
    return None
