"""Compares the kernel with the ledger and mends the difference, touching only what is ours.

What a Pod misses on the node's side is made again; what nobody owns is taken away; what cannot be mended (a
Pod whose link is gone) is reported. Young Pods are left alone, they are just being wired; what an earlier
process of the agent has begun is not young, because nobody goes on with it.
Thread safety: `repair` is for one thread at a time; ADDs and DELs may run beside it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.address_book import AddressBook
from ipamd.agent.enis import NodeEnis
from ipamd.agent.turns import Turns
from ipamd.agent.wirings import wiring
from ipamd.core import ledger, model, names
from ipamd.core.addresses import Address, Assigned, BindStage, Occupied
from ipamd.core.deadline import Deadline
from ipamd.core.errors import IpamError
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import FoundLink, PodWiring, Snapshot

log = logging.getLogger(__name__)

_YOUNG = 10.0
"""Seconds for which a sandbox is left alone after it got its address."""
_TURN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The outcome of one comparison."""

    mended: int
    removed: int
    cut_off: tuple[Address, ...]
    """Addresses whose owner has no link any more: only a new sandbox helps, if the Pod still exists."""


class Repairing:
    """Compares and mends."""

    def __init__(
        self,
        *,
        book: AddressBook,
        enis: NodeEnis,
        dataplane: DataPlane,
        turns: Turns,
        is_under_way: Callable[[model.SandboxKey], bool],
        cooldown: float,
    ) -> None:
        """Take what to compare and the seconds that freed addresses cool."""
        self._book = book
        self._enis = enis
        self._dataplane = dataplane
        self._turns = turns
        self._is_under_way = is_under_way
        self._cooldown = cooldown
        self._born = book.now()

    def repair(self) -> Found:
        """Compare once and mend; errors of single Pods are logged and left to the next time.

        Errors: KernelError when the kernel cannot be looked at.
        """
        # The kernel first: what the ledger got after that is young, what it lost is looked at again.
        kernel = _Kernel.of(self._dataplane.snapshot())
        book = self._book.ledger
        settled = [a for a in book.in_state(Assigned) if not self._is_young(a)]
        cut_off = tuple(a for a in settled if a.ip not in kernel.links)
        mended = sum(self._mend(a, kernel) for a in settled if a.ip in kernel.links)
        for address in book.in_state(Occupied):
            if address.ip not in kernel.links:
                self._let_go(address.ip)
        leftovers = {ip: veth for ip, veth in kernel.traces().items() if self._is_leftover(ip, kernel)}
        removed = sum(self._remove(ip, veth) for ip, veth in leftovers.items())
        return Found(mended=mended, removed=removed, cut_off=cut_off)

    def _is_leftover(self, ip: str, kernel: "_Kernel") -> bool:
        """Whether nobody can have the address; a link of one that the ledger does not know may be alive."""
        return self._owner(ip) is None and (ip in self._book.ledger.addresses or ip not in kernel.links)

    def _is_young(self, address: Address) -> bool:
        state = address.state
        if not isinstance(state, Assigned):
            return False
        ours = state.since >= self._born
        return (ours and self._book.now() - state.since < _YOUNG) or self._is_under_way(state.key)

    def _mend(self, address: Address, kernel: "_Kernel") -> bool:
        """Make what the Pod misses on the node's side; return whether it missed something."""
        eni = self._enis.link(address.eni_id)
        if eni is None:
            return False
        pod = wiring(address, eni, eip=_has_eip(address, kernel))
        if kernel.has(pod):
            return False
        try:
            connected = self._dataplane.connect_pod(pod)
        except IpamError as e:
            log.warning("Pod %s at %s could not be connected again: %s", address.pod, address.ip, e)
            return False
        if connected:
            log.warning("Pod %s at %s is connected again, something was gone", address.pod, address.ip)
        return connected

    def _let_go(self, ip: str) -> None:
        """Free an address whose unknown occupant has left the kernel."""
        log.info("%s is occupied no more", ip)
        self._book.apply(lambda book: ledger.vacate(book, ip, self._cooldown, self._book.now()))

    def _remove(self, ip: str, veth: str) -> bool:
        """Take away what is left of an address that nobody owns; return whether it was done."""
        address = self._book.ledger.addresses.get(ip)
        name = str(address.pod) if address is not None and address.pod is not None else ip
        try:
            with self._turns.taken(name, Deadline.after(_TURN_SECONDS, time.monotonic)):
                if self._owner(ip) is not None:
                    return False
                self._dataplane.unwire_pod(ip, veth)
                log.warning("removed what was left of %s (%s): nobody owns it", ip, veth)
                owner = self._owner(ip)
                if owner is not None and isinstance(owner.state, Assigned):
                    # It was given to a Pod in the very moment in which it was cleaned.
                    self._mend(owner, _Kernel.of(self._dataplane.snapshot()))
        except IpamError as e:
            log.warning("what is left of %s (%s) could not be removed: %s", ip, veth, e)
            return False
        return True

    def _owner(self, ip: str) -> Address | None:
        address = self._book.ledger.addresses.get(ip)
        return address if address is not None and isinstance(address.state, Assigned | Occupied) else None


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A snapshot of the data plane, by Pod IP."""

    links: dict[str, FoundLink]
    routes: frozenset[tuple[str, int]]
    marks: dict[str, int]
    eip_pods: frozenset[str]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "_Kernel":
        return cls(
            links={names.ip_of_host_mac(link.mac): link for link in snapshot.links},
            routes=frozenset((route.destination, route.ifindex) for route in snapshot.routes),
            marks=snapshot.pod_marks,
            eip_pods=snapshot.eip_pods,
        )

    def has(self, pod: PodWiring) -> bool:
        """Whether the node's side of the Pod is complete."""
        link = self.links[pod.ip]
        routed = link.up and not link.accepts_ra and (f"{pod.ip}/32", link.ifindex) in self.routes
        return routed and self.marks.get(pod.ip) == pod.eni_mark and (pod.ip in self.eip_pods) == pod.eip

    def traces(self) -> dict[str, str]:
        """Return every IP that the kernel has something of, and the host interface to remove with it."""
        # Where there is no link to name, a name that no Pod has stands in.
        found = {ip: names.host_veth("", ip) for ip in (*self.marks, *self.eip_pods)}
        return {**found, **{ip: link.name for ip, link in self.links.items()}}


def _has_eip(address: Address, kernel: _Kernel) -> bool:
    """Whether the Pod is to be treated as one with EIP; before it is known, as it was wired."""
    if address.eip is None:
        return address.ip in kernel.eip_pods
    return address.eip.stage is not BindStage.UNBINDING
