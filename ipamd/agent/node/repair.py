"""Compares the kernel with the ledger and mends the difference, touching only what is ours.

What a Pod misses on the node's side is made again; what nobody owns is taken away; what cannot be mended (a
Pod whose link is gone) is reported. `plan` looks and touches nothing, `repair` carries it out: what looks
wrong is looked at again in the turn of its address, where no ADD, DEL or bind is in the middle of its work,
and only then touched. A Pod whose ADD is under way is left alone.
Thread safety: `repair` is for one thread at a time; ADDs and DELs may run beside it.
"""

import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.wiring import addresses_of_links, wiring
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.errors import IpamError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Address, Assigned, Occupied
from ipamd.core.timing.deadline import Deadline
from ipamd.net import node_side
from ipamd.net.dataplane import DataPlane
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.model import EniLink, FoundLink
from ipamd.net.node_side import NodeSides

log = logging.getLogger(__name__)

_LOCK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairResult:
    """The outcome of one comparison."""

    mended: int
    removed: int
    cut_off: tuple[Address, ...]
    """Addresses whose owner has no link any more: only a new sandbox helps, if the Pod still exists."""
    links: tuple[FoundLink, ...]
    """The links of all Pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongPod:
    """A Pod whose node's side is not as it has to be."""

    address: Address
    eni: EniLink | None
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftoverLink:
    """A link of ours that no sandbox had at the look, and the addresses that it carried."""

    link: FoundLink
    ips: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPlan:
    """What one look at the kernel found of Pods; nothing of it has been done."""

    pods: tuple[WrongPod, ...]
    vacated: tuple[Address, ...]
    """Addresses whose unknown occupant has left."""
    links: tuple[LeftoverLink, ...]
    elements: frozenset[str]
    """Every address that an nft element was found of and no link."""
    found: tuple[FoundLink, ...]
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
        shared_ledger: SharedLedger,
        enis: NodeEnis,
        dataplane: DataPlane,
        locks: PodLocks,
        pending: PendingAdds,
        cooldown: float,
    ) -> None:
        """Take what to compare and the seconds that freed addresses cool."""
        self._shared_ledger = shared_ledger
        self._enis = enis
        self._dataplane = dataplane
        self._locks = locks
        self._pending = pending
        self._cooldown = cooldown

    def plan(self, seen: KernelListing) -> RepairPlan:
        """Return what a listing shows to be wrong of Pods; touches nothing.

        What is under way may look wrong in it. Raises: KernelError when nftables cannot be listed.
        """
        # Who was settled before the kernel is listed has to be in the list; the others are left out.
        settled = [a for a in self._shared_ledger.current.in_state(Assigned) if not self._is_being_wired(a)]
        leaving = self._dataplane.leaving
        snapshot = self._dataplane.snapshot(seen)
        sides, links = NodeSides(seen, snapshot), {link.name: link for link in snapshot.links}
        carried = addresses_of_links(snapshot)
        recorded, going = links_of(self._shared_ledger.current), leaving | self._dataplane.leaving
        return RepairPlan(
            pods=tuple(filter(lambda found: found.differences, (self._compared(a, sides) for a in settled))),
            vacated=tuple(a for a in self._shared_ledger.current.in_state(Occupied) if _has_left(a, links)),
            # After a burst of DELs many links are leaving: those are no leftovers.
            links=tuple(
                LeftoverLink(link=link, ips=carried[link.name])
                for link in links.values()
                if link.name not in recorded and link.ifindex not in going
            ),
            elements=frozenset(snapshot.of_pods.difference(*carried.values())),
            found=snapshot.links,
        )

    def differences(self, seen: KernelListing) -> list[Difference]:
        """Return what `repair` would mend by a listing, or could not."""
        plan = self.plan(seen)
        found = [difference for pod in plan.pods for difference in pod.differences]
        found += [
            _leftover(f"link/{left.link.name}", f"link {left.link.name} is no sandbox's")
            for left in plan.links
            if self._is_removable(left)
        ]
        return found + [
            _leftover(f"address/{ip}", f"nftables has {ip}, which nobody owns")
            for ip in sorted(plan.elements)
            if not self._is_owned(ip)
        ]

    def repair(self, seen: KernelListing | None = None) -> RepairResult:
        """Compare once and mend; errors of single Pods are logged and left to the next time.

        Raises: KernelError when the kernel cannot be looked at.
        """
        plan = self.plan(seen or self._dataplane.listing())
        verdicts = [(pod.address, self._verdict(pod)) for pod in plan.pods]
        for address in plan.vacated:
            self._let_go(address)
        removed = sum(self._remove_link(left) for left in plan.links)
        return RepairResult(
            mended=sum(verdict is _Verdict.MENDED for _, verdict in verdicts),
            removed=removed + sum(self._clear(ip) for ip in plan.elements),
            cut_off=tuple(address for address, verdict in verdicts if verdict is _Verdict.CUT_OFF),
            links=plan.found,
        )

    def _compared(self, address: Address, sides: NodeSides) -> WrongPod:
        eni = self._enis.link(address.eni_id)
        if eni is None:
            return WrongPod(address=address, eni=None, differences=())
        pod = wiring(address, eni)
        found = tuple(node_side.differences(pod, sides.of(pod)))
        return WrongPod(address=address, eni=eni, differences=found)

    def _is_being_wired(self, address: Address) -> bool:
        return isinstance(address.state, Assigned) and self._pending.are_under_way(address.state.key)

    def _verdict(self, wrong: WrongPod) -> "_Verdict":
        """Make what the Pod misses on the node's side."""
        seen = wrong.address
        if wrong.eni is None:
            return _Verdict.RIGHT
        try:
            with self._turn(seen.ip):
                address = self._shared_ledger.current.addresses.get(seen.ip)
                if address is None or address.state != seen.state:
                    return _Verdict.RIGHT
                return self._mend(address, wrong.eni)
        except IpamError as e:
            log.warning("Pod %s at %s could not be connected again: %s", seen.pod, seen.ip, e)
            return _Verdict.RIGHT

    def _mend(self, address: Address, eni: EniLink) -> _Verdict:
        pod = wiring(address, eni)
        # An address on a link of the node is not this Pod's matter alone: `Intrusions` takes it off.
        found = self._dataplane.check_node_side(pod)
        differences = [d for d in found if d.code is not FindingCode.POD_ADDRESS_ON_LINK]
        if not differences:
            return _Verdict.RIGHT
        if not self._dataplane.connect_pod(pod):
            return _Verdict.CUT_OFF
        for difference in differences:
            self._dataplane.repaired(replace(difference, subject=f"pod/{address.pod}"))
        return _Verdict.MENDED

    def _let_go(self, address: Address) -> None:
        """Free an address whose unknown occupant has left the kernel."""
        try:
            with self._turn(address.ip):
                if self._shared_ledger.current.addresses.get(address.ip) != address:
                    return
                log.info("%s is occupied no more", address.ip)
                now = self._shared_ledger.now()
                self._shared_ledger.note(
                    lambda shared_ledger: ledger.vacate(shared_ledger, address.ip, self._cooldown, now)
                )
        except IpamError as e:
            log.warning("%s, whose occupant has left, could not be freed: %s", address.ip, e)

    def _remove_link(self, left: LeftoverLink) -> bool:
        """Take away a link that nobody has."""
        link, ips = left.link, left.ips
        if not self._is_removable(left):
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
        text = f"removed link {link.name} of {carried}: no sandbox has it"
        self._dataplane.repaired(_leftover(f"link/{link.name}", text))
        return True

    def _is_removable(self, left: LeftoverLink) -> bool:
        """Whether nobody has a link; one of an address that is in no ledger may be alive and stays."""
        return left.ips <= self._shared_ledger.current.addresses.keys() and not self._is_wanted(left.link)

    def _is_wanted(self, link: FoundLink) -> bool:
        """Whether a link that was listed belongs to a sandbox, or to one whose ADD makes it.

        The ADDs come first: one that ends in between has its link in the ledger, or has taken it away.
        """
        return link.name in self._pending.links() or link.name in links_of(self._shared_ledger.current)

    def _clear(self, ip: str) -> bool:
        """Take away what is left of an address that nobody owns, besides links."""
        try:
            if not self._clear_unowned(ip):
                return False
        except IpamError as e:
            log.warning("what is left of %s could not be removed: %s", ip, e)
            return False
        self._dataplane.repaired(_leftover(f"address/{ip}", f"removed what was left of {ip}: nobody owns it"))
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
        address = self._shared_ledger.current.addresses.get(ip)
        return address is not None and isinstance(address.state, Assigned | Occupied)

    def _turn(self, ip: str) -> contextlib.AbstractContextManager[None]:
        return self._locks.of_address(ip, Deadline.after(_LOCK_SECONDS, time.monotonic))


def links_of(shared_ledger: ledger.Ledger) -> set[str]:
    """Return the names of all links that somebody has."""
    states = (address.state for address in shared_ledger.addresses.values())
    return {state.host_interface for state in states if isinstance(state, Assigned | Occupied)}


def _has_left(address: Address, links: Mapping[str, FoundLink]) -> bool:
    return isinstance(address.state, Occupied) and address.state.host_interface not in links


def _leftover(subject: str, text: str) -> Difference:
    return Difference(code=FindingCode.LEFTOVER, subject=subject, text=text)
