"""Compares the kernel with the ledger and mends the difference, touching only what is ours.

What a Pod misses on the node's side is made again; what nobody owns is taken away; what cannot be mended (a
Pod whose link is gone) is reported. All of the kernel is listed once; what looks wrong is looked at again in
the turn of its address, where no ADD, DEL or bind is in the middle of its work, and only then touched. A Pod
whose ADD is under way is left alone.
Thread safety: `repair` is for one thread at a time; ADDs and DELs may run beside it.
"""

import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.wiring import addresses_of_links, wiring
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import link_alias
from ipamd.core.errors import IpamError
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Address, Assigned, Occupied
from ipamd.core.timing.deadline import Deadline
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import EniLink, FoundLink, PodWiring, Snapshot

log = logging.getLogger(__name__)

_TURN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairResult:
    """The outcome of one comparison."""

    mended: int
    removed: int
    cut_off: tuple[Address, ...]
    """Addresses whose owner has no link any more: only a new sandbox helps, if the Pod still exists."""
    links: tuple[FoundLink, ...]
    """The links of all Pods."""


class _Verdict(Enum):
    """What became of a Pod that looked wrong."""

    RIGHT = "right"
    MENDED = "mended"
    CUT_OFF = "cut off"


class Repair:
    """Compares and mends."""

    def __init__(
        self,
        *,
        book: SharedLedger,
        enis: NodeEnis,
        dataplane: DataPlane,
        turns: PodLocks,
        pending: PendingAdds,
        cooldown: float,
    ) -> None:
        """Take what to compare and the seconds that freed addresses cool."""
        self._book = book
        self._enis = enis
        self._dataplane = dataplane
        self._turns = turns
        self._pending = pending
        self._cooldown = cooldown

    def repair(self) -> RepairResult:
        """Compare once and mend; errors of single Pods are logged and left to the next time.

        Raises: KernelError when the kernel cannot be looked at.
        """
        # Who was settled before the kernel is listed has to be in the list; the others are left out.
        settled = [a for a in self._book.ledger.in_state(Assigned) if not self._is_being_wired(a)]
        leaving = self._dataplane.leaving
        snapshot = self._dataplane.snapshot()
        kernel = _Kernel.of(snapshot)
        verdicts = [(address, self._verdict(address, kernel)) for address in settled]
        for address in self._book.ledger.in_state(Occupied):
            self._let_go_if_left(address, kernel)
        return RepairResult(
            mended=sum(verdict is _Verdict.MENDED for _, verdict in verdicts),
            removed=self._remove_leftovers(kernel, leaving),
            cut_off=tuple(address for address, verdict in verdicts if verdict is _Verdict.CUT_OFF),
            links=snapshot.links,
        )

    def _is_being_wired(self, address: Address) -> bool:
        return isinstance(address.state, Assigned) and self._pending.are_under_way(address.state.key)

    def _verdict(self, seen: Address, kernel: "_Kernel") -> _Verdict:
        """Make what the Pod misses on the node's side."""
        eni = self._enis.link(seen.eni_id)
        if eni is None or kernel.has(wiring(seen, eni)):
            return _Verdict.RIGHT
        try:
            with self._turn(seen.ip):
                address = self._book.ledger.addresses.get(seen.ip)
                if address is None or address.state != seen.state:
                    return _Verdict.RIGHT
                return self._mend(address, eni)
        except IpamError as e:
            log.warning("Pod %s at %s could not be connected again: %s", seen.pod, seen.ip, e)
            return _Verdict.RIGHT

    def _mend(self, address: Address, eni: EniLink) -> _Verdict:
        pod = wiring(address, eni)
        differences = self._dataplane.check_node_side(pod)
        if not differences:
            return _Verdict.RIGHT
        if not self._dataplane.connect_pod(pod):
            return _Verdict.CUT_OFF
        log.warning("Pod %s at %s is connected again: %s", address.pod, address.ip, "; ".join(differences))
        return _Verdict.MENDED

    def _let_go_if_left(self, address: Address, kernel: "_Kernel") -> None:
        """Free an address whose unknown occupant has left the kernel."""
        state = address.state
        if not isinstance(state, Occupied) or state.host_interface in kernel.links:
            return
        try:
            with self._turn(address.ip):
                if self._book.ledger.addresses.get(address.ip) != address:
                    return
                log.info("%s is occupied no more", address.ip)
                now = self._book.now()
                self._book.note(lambda book: ledger.vacate(book, address.ip, self._cooldown, now))
        except IpamError as e:
            log.warning("%s, whose occupant has left, could not be freed: %s", address.ip, e)

    def _remove_leftovers(self, kernel: "_Kernel", leaving: frozenset[int]) -> int:
        """Take away links that no sandbox has, and what is left of addresses that nobody owns.

        After a burst of DELs many links are `leaving`: those are no leftovers.
        """
        recorded = links_of(self._book.ledger)
        going = leaving | self._dataplane.leaving
        links = [
            link for link in kernel.links.values() if link.name not in recorded and link.ifindex not in going
        ]
        removed = sum(self._remove_link(link, kernel.addresses[link.name]) for link in links)
        return removed + sum(self._clear(ip) for ip in kernel.elements)

    def _remove_link(self, link: FoundLink, ips: frozenset[str]) -> bool:
        """Take away a link that nobody has; one of an address that is in no ledger may be alive and stays."""
        if not ips <= self._book.ledger.addresses.keys() or self._is_wanted(link):
            return False
        try:
            for ip in sorted(ips):
                self._clear_unowned(ip)
            # By its index: whoever makes the sandbox's link anew meanwhile makes another one.
            self._dataplane.remove_link(link.ifindex)
        except IpamError as e:
            log.warning("link %s, which nobody has, could not be removed: %s", link.name, e)
            return False
        carried = ", ".join(sorted(ips)) or "no address"
        log.warning("removed link %s of %s: no sandbox has it", link.name, carried)
        return True

    def _is_wanted(self, link: FoundLink) -> bool:
        """Whether a link that was listed belongs to a sandbox, or to one whose ADD makes it.

        The ADDs come first: one that ends in between has its link in the ledger, or has taken it away.
        """
        return link.name in self._pending.links() or link.name in links_of(self._book.ledger)

    def _clear(self, ip: str) -> bool:
        """Take away what is left of an address that nobody owns, besides links."""
        try:
            if not self._clear_unowned(ip):
                return False
        except IpamError as e:
            log.warning("what is left of %s could not be removed: %s", ip, e)
            return False
        log.warning("removed what was left of %s: nobody owns it", ip)
        return True

    def _clear_unowned(self, ip: str) -> bool:
        if self._is_owned(ip):
            return False
        with self._turn(ip):
            if self._is_owned(ip):
                return False
            self._dataplane.clear_address(ip)
        return True

    def _is_owned(self, ip: str) -> bool:
        address = self._book.ledger.addresses.get(ip)
        return address is not None and isinstance(address.state, Assigned | Occupied)

    def _turn(self, ip: str) -> contextlib.AbstractContextManager[None]:
        return self._turns.of_address(ip, Deadline.after(_TURN_SECONDS, time.monotonic))


def links_of(book: ledger.Ledger) -> set[str]:
    """Return the names of all links that somebody has."""
    states = (address.state for address in book.addresses.values())
    return {state.host_interface for state in states if isinstance(state, Assigned | Occupied)}


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A snapshot of the data plane."""

    links: dict[str, FoundLink]
    """By name."""
    addresses: Mapping[str, frozenset[str]]
    """Those of each link."""
    routes: frozenset[tuple[str, int]]
    marks: dict[str, int]
    eip_pods: frozenset[str]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "_Kernel":
        return cls(
            links={link.name: link for link in snapshot.links},
            addresses=addresses_of_links(snapshot),
            routes=frozenset((route.destination, route.ifindex) for route in snapshot.routes),
            marks=snapshot.pod_marks,
            eip_pods=snapshot.eip_pods,
        )

    def has(self, pod: PodWiring) -> bool:
        """Whether the node's side of the Pod is complete."""
        link = self.links.get(pod.host_veth)
        if link is None or link.mac != pod.host_mac or not link.whole:
            return False
        if not link_alias.names_same_sandbox(link.alias, pod.alias):
            return False
        routed = (f"{pod.ip}/32", link.ifindex) in self.routes
        return routed and self.marks.get(pod.ip) == pod.eni_mark and (pod.ip in self.eip_pods) == pod.eip

    @property
    def elements(self) -> set[str]:
        """Every address that an nft element was found of and no link."""
        return {*self.marks, *self.eip_pods}.difference(*self.addresses.values())
