"""Mends the Pods' ends of their links, and enters a Pod's namespace only when there is a reason to.

What a Pod loses inside it loses when its end goes down: the kernel then forgets its routes. The node's end
counts how often that was (carrier_down_count), and the list of links, which every round has, shows the
count. So a namespace is entered once for a new link and once after each time that it was down, and not 250
of them every 30 s. Thread safety: `mend` is for one thread at a time, `forget` for any.
"""

import logging
import threading
from collections.abc import Iterable, Mapping

from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pods.wiring import wiring
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.errors import IpamError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.core.ledger.states import Address, Assigned
from ipamd.core.names import HostEnd
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import FoundLink, PodWiring

log = logging.getLogger(__name__)


class PodSides:
    """Invariant: `_looked_at` says by ifindex how often a link had been down at the last look behind it."""

    def __init__(
        self, *, shared_ledger: SharedLedger, enis: NodeEnis, dataplane: DataPlane, pending: PendingAdds
    ) -> None:
        """Take what the Pods' ends are found and mended with, and the ADDs that are being served."""
        self._shared_ledger = shared_ledger
        self._enis = enis
        self._dataplane = dataplane
        self._pending = pending
        self._looked_at: dict[int, int] = {}
        self._forgotten = threading.Event()

    def forget(self) -> None:
        """Have every Pod looked at in the next round: somebody asks for it."""
        self._forgotten.set()

    def mend(self, links: Iterable[FoundLink]) -> int:
        """Look behind those of the listed links that give a reason; return how many Pods were mended."""
        if self._forgotten.is_set():
            self._forgotten.clear()
            self._looked_at = {}
        present = {link.ifindex: link for link in links}
        known = {ifindex: downs for ifindex, downs in self._looked_at.items() if ifindex in present}
        # Without a carrier the Pod's end is down, by the Pod's own wish; it is looked at when it is up again.
        due = [link for link in present.values() if link.carrier and known.get(link.ifindex) != link.downs]
        owned = self._owned_links() if due else {}
        owners = [(link, pod) for link in due if (pod := self._owner(link, owned)) is not None]
        pods = [pod for _, pod in owners]
        outcomes = self._dataplane.mend_pod_sides(pods) if pods else []
        self._looked_at = known | {link.ifindex: link.downs for link, _ in owners}
        return sum(self._tell(pod, outcome) for pod, outcome in zip(pods, outcomes, strict=True))

    def _owned_links(self) -> dict[HostEnd, Address]:
        owned = self._shared_ledger.current.in_state(Assigned)
        return {a.state.host_end: a for a in owned if isinstance(a.state, Assigned)}

    def _owner(self, link: FoundLink, owned: Mapping[HostEnd, Address]) -> PodWiring | None:
        """Return the wiring that the link belongs to; None while it is being made, and for nobody's."""
        address = owned.get(link.end)
        if address is None or not isinstance(address.state, Assigned):
            return None
        eni = self._enis.link(address.eni_id)
        if eni is None or self._pending.are_under_way(address.state.key):
            return None
        return wiring(address, eni)

    def _tell(self, pod: PodWiring, lost: list[str] | IpamError) -> bool:
        """Tell of what was made again in a Pod; return whether there was anything."""
        if isinstance(lost, IpamError):
            log.warning("the Pod at %s could not be looked at from inside: %s", pod.ip, lost)
            return False
        if lost:
            text = f"the Pod at {pod.ip} has back what its link had lost: {', '.join(lost)}"
            subject = f"pod/{pod.ip}"
            self._dataplane.repaired(
                Difference(code=FindingCode.POD_INSIDE, subject=subject, text=text, ip=pod.ip)
            )
        return bool(lost)
