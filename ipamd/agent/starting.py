"""Bringing store, cloud and kernel in step after a start.

same boot       the ledger is true and so is the kernel; the cloud is compared
earlier boot    the kernel has nothing any more: every owner's address is held for its Pod
no store        the ledger is made from the cloud's listing and from what the kernel shows: who is wired
stays wired, and keeps address and EIP
"""

import logging
import threading
from collections.abc import Callable, Mapping

from ipamd.agent.address_book import AddressBook
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pods import PodSource
from ipamd.agent.wirings import owner
from ipamd.core import restart
from ipamd.core.addresses import Assigned, Occupied
from ipamd.core.deadline import Deadline
from ipamd.core.errors import CloudError
from ipamd.core.names import ip_of_host_mac
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import FoundLink, Snapshot
from ipamd.store.recovery import Past

log = logging.getLogger(__name__)

_PODS_SECONDS = 10.0
"""How long the Pods' addresses are waited for when the store was lost; they only add names to owners."""
_STOPPING_SECONDS = 0.2
"""How soon a stop is noticed."""


class Reconciler:
    """Knows what the store was worth at the start, and looks at the cloud accordingly.

    Invariant: an address that the kernel shows to be wired never comes into the ledger without an owner.
    Thread safety: any thread may look; one at a time.
    """

    def __init__(
        self,
        past: Past,
        *,
        settled: Callable[[], None],
        book: AddressBook,
        enis: NodeEnis,
        dataplane: DataPlane,
        pods: PodSource,
    ) -> None:
        """Take what the store knows of the time before, and what is to be compared.

        `settled` is called once the store is true again: it then speaks of this boot.
        """
        self._past = past
        self._settled = settled
        self._book = book
        self._enis = enis
        self._dataplane = dataplane
        self._pods = pods
        self._looking = threading.Lock()
        self._looked = threading.Event()

    def begin(self, spans: restart.Spans) -> None:
        """Take in a reboot, stored times, and the ENIs that are known already. Errors: StoreError."""
        if self._past is Past.EARLIER_BOOT:
            log.info("the node was rebooted: the addresses are held for their Pods")
        take_over = restart.rebooted if self._past is Past.EARLIER_BOOT else restart.restarted
        self._book.apply(lambda ledger: take_over(ledger, spans, self._book.now()))
        if self._past is not Past.NONE:
            self._settle()
        self._enis.recall()

    @property
    def is_restart(self) -> bool:
        """Whether an earlier process has left all that it knew, and the kernel is as it was left."""
        return self._past is Past.SAME_BOOT

    def wait_looked(self, stopping: threading.Event) -> None:
        """Wait until the cloud has been looked at, or could not be, for the first time; or for the stop."""
        while not stopping.is_set() and not self._looked.wait(_STOPPING_SECONDS):
            pass

    @property
    def is_settled(self) -> bool:
        """Whether the ledger can be true: after a lost store not before the first look at the cloud."""
        return self._past is not Past.NONE

    def look(self, deadline: Deadline) -> CloudError | None:
        """Compare with the cloud; return why it did not answer, if so. Errors: KernelError, StoreError."""
        with self._looking:
            try:
                self._enis.look(deadline, self._wired())
            except CloudError as e:
                log.warning("the ENIs cannot be listed, the pool stays as it is known: %s", e)
                return e
            finally:
                self._looked.set()
            if self._past is Past.NONE:
                self._settle()
            return None

    def _settle(self) -> None:
        self._settled()
        self._past = Past.SAME_BOOT

    def _wired(self) -> Mapping[str, Assigned | Occupied]:
        """Return who has addresses that the kernel shows and the ledger does not know; as a rule nobody."""
        known = self._book.ledger.addresses
        kernel = self._dataplane.snapshot()
        links = {ip: link for ip, link in _links_in_use(kernel).items() if ip not in known}
        if not links:
            return {}
        self._pods.wait_synced(_PODS_SECONDS)
        by_ip = {pod.pod_ip: pod.ref for pod in self._pods.all() if pod.pod_ip}
        now = self._book.now()
        found = {ip: owner(link, by_ip, eip=ip in kernel.eip_pods, now=now) for ip, link in links.items()}
        for ip, state in found.items():
            log.warning("%s is wired and the store does not know of it: %s", ip, state)
        return found


def _links_in_use(kernel: Snapshot) -> dict[str, FoundLink]:
    """Return the links of Pods by their addresses.

    An address that was just being taken over has two links: the one that its route leads to has it.
    """
    routed = {(route.destination, route.ifindex) for route in kernel.routes}
    links = [(ip_of_host_mac(link.mac), link) for link in kernel.links]
    return dict(sorted(links, key=lambda found: (f"{found[0]}/32", found[1].ifindex) in routed))
