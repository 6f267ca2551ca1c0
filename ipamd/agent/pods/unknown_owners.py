"""Who has addresses that the ledger does not know: after the store was lost, the kernel tells.

Thread safety: any thread may ask.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ipamd.agent.pods.source import PodSource
from ipamd.agent.pods.wiring import addresses_of_links, owner, routed_addresses
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.ledger.states import Assigned, Occupied
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import FoundLink, Snapshot

log = logging.getLogger(__name__)

_PODS_SECONDS = 10.0
"""How long the Pods' addresses are waited for; they only add names to owners."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOwners:
    """Looks for them in the kernel."""

    shared_ledger: SharedLedger
    dataplane: DataPlane
    pods: PodSource

    def find(self) -> Mapping[str, Assigned | Occupied]:
        """Return them by address; as a rule there are none. Raises: KernelError."""
        known = self.shared_ledger.current.addresses
        kernel = self.dataplane.snapshot()
        links = {ip: link for ip, link in _links_in_use(kernel).items() if ip not in known}
        if not links:
            return {}
        self.pods.wait_synced(_PODS_SECONDS)
        pods, now = self.pods.all(), self.shared_ledger.now()
        found = {ip: owner(link, ip, pods, eip=ip in kernel.eip_pods, now=now) for ip, link in links.items()}
        for ip, state in found.items():
            log.warning("%s is wired and the store does not know of it: %s", ip, state)
        return found


def _links_in_use(kernel: Snapshot) -> dict[str, FoundLink]:
    """Return the links of Pods by their addresses.

    An address that was just being taken over has two links: the one that its route leads to has it.
    """
    routed, addresses = routed_addresses(kernel), addresses_of_links(kernel)
    last_wins = sorted(kernel.links, key=lambda link: link.ifindex in routed)
    return {ip: link for link in last_wins for ip in addresses[link.name]}
