"""The node's data plane: what the agent calls, and nothing else of this package.

    ensure_node    once, then as repair: rules, forwarding, nft table
    ensure_eni     for each secondary ENI; ensure_enis for all at once, then as repair; forget_others after
                   the last one
    wire_pod       for each ADD; connect_pod mends its node side
    prepared_pod   for an ADD that takes an address over: its link; swap_pod leads the address there
    cut_pod        for each DEL
    unwire_pod     after a failed ADD, and as repair; clear_address, remove_link for its parts
    set_eip_pod    when an EIP is bound or lost while the Pod runs

Every call may be repeated: it makes what is missing, settles what is there and touches nothing that is not
ours. Nothing is kept on disk: what has to outlive the agent is read back from the kernel.

Thread safety: all methods may be called from many threads. Calls about the node and its ENIs take a lock;
calls about Pods take none and do not wait for those. All calls work in the network namespace of the calling
thread, which has to be the node's.
"""

import ipaddress
import logging
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from ipamd.core import errors
from ipamd.core.kernel.difference import Difference
from ipamd.core.kernel.foreign_chains import PodPacket
from ipamd.core.kernel.foreign_rules import RuleConflict
from ipamd.core.names import HostEnd
from ipamd.net import (
    check,
    enis,
    foreign_chains,
    host_addresses,
    kernel_listing,
    links,
    mend,
    netns,
    nft_table,
    node_side,
    pod_side,
    rtnetlink,
    snapshot,
    wiring,
)
from ipamd.net.host_addresses import HostAddress
from ipamd.net.ipv6_guard import Ipv6Guard
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.link_removal import LinkRemoval
from ipamd.net.listing import Link
from ipamd.net.marks import FIRST_TABLE, MarkMask
from ipamd.net.mend import Mend
from ipamd.net.model import (
    ChainedLink,
    DataPlaneConfig,
    EniLink,
    PodLink,
    PodWiring,
    Ranges,
    Snapshot,
    checked_mac,
)
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.nft_elements import Elements
from ipamd.net.sysctls import Sysctls

log = logging.getLogger(__name__)

_FORWARDING: Final = "ipv4/ip_forward"


class DataPlane:
    """The data plane of one node.

    Invariant: `_enis` holds the ENIs that the nft table was last written with, by MAC, the primary first; it
    is replaced as a whole, under `_lock`.
    """

    def __init__(self, config: DataPlaneConfig, repaired: Callable[[Difference], None] | None = None) -> None:
        """Take the settings, and who hears of what of the node and its ENIs was changed and is mended."""
        self._config = config
        self.repaired = repaired or _tell
        """Hears of each repair; also of those that callers of this class make."""
        self._mask = MarkMask(config.mark_mask)
        self._sysctls = Sysctls(config.sysctl_root)
        self._lock = threading.Lock()
        self._elements = Elements()
        self._removal = LinkRemoval()
        self._table = nft_table.NftTable(self._elements)
        self._ipv6_guard = Ipv6Guard(self._sysctls)
        self._enis: dict[str, EniLink] = {}
        self._ranges = Ranges(())
        self._mended = 0
        self._changes = 0

    @property
    def mended(self) -> int:
        """How many calls have found that something of the node or an ENI, once made, was gone or changed."""
        with self._lock:
            return self._mended

    @property
    def enis(self) -> tuple[EniLink, ...]:
        """The ENIs that Pods' packets may take, the primary first, as they were last set up."""
        return tuple(self._enis.values())

    def close(self) -> None:
        """Finish the removal of links and let go of the one socket that is kept open; what was made stays."""
        self._removal.close()
        self._elements.close()

    def ensure_node(self, primary_mac: str, ranges: Ranges, seen: KernelListing | None = None) -> EniLink:
        """Make what does not depend on secondary ENIs and Pods; return the primary ENI's link.

        What the ranges say takes effect for new connections. `seen` spares the kernel another listing.
        """
        mac = checked_mac(primary_mac)
        link, seen = self._found(mac, self._config.link_wait, seen)
        with self._lock:
            primary = EniLink(
                mac=mac,
                name=link.name,
                ifindex=link.ifindex,
                table=rtnetlink.MAIN_TABLE,
                mark=self._mask.primary,
                mtu=link.mtu,
            )
            known = self._enis.get(mac) == primary and self._ranges == ranges
            done = mend.carry_out(self._plan_node(primary, seen), self._sysctls)
            done += self._ipv6_guard.ensure()
            others = {other: eni for other, eni in self._enis.items() if other != mac}
            started = not self._enis
            done += self._write(ranges, {mac: primary, **others})
            if started:
                wiring.adopt(seen, self._elements)
            self._count(known, done)
            return primary

    def ensure_eni(
        self, mac: str, gateway: str, *, wait: bool = True, seen: KernelListing | None = None
    ) -> EniLink:
        """Make a secondary ENI usable for Pods; wait for its link for as long as configured, or not at all.

        `gateway` is the subnet's, as the metadata service gives it. `seen` spares the kernel another listing.
        TryAgainError when no link has this MAC.
        """
        mac, gateway = checked_mac(mac), _checked_gateway(gateway)
        with self._lock:
            primary = self._primary()
        if mac == primary.mac:
            return primary
        link, seen = self._found(mac, self._config.link_wait if wait else 0.0, seen)
        with self._lock:
            made = dict(self._enis)
            done = self._set_up(made, link, gateway, seen)
            known = self._enis.get(mac) == made[mac]
            self._count(known, done + self._write(self._ranges, made))
            return made[mac]

    def ensure_enis(
        self, wanted: Sequence[tuple[str, str]], seen: KernelListing
    ) -> list[EniLink | errors.IpamError]:
        """Do for many secondary ENIs, by MAC and gateway, what `ensure_eni` does; return what came of each.

        No link is waited for, and the nft table is written once for all: with 250 Pods in it that takes 30 ms
        of CPU, and a start of the agent has to write it for each of up to 14 ENIs.
        """
        outcomes: list[EniLink | errors.IpamError] = []
        lost: list[Difference] = []
        with self._lock:
            made = dict(self._enis)
            for mac, gateway in wanted:
                try:
                    link, now = self._found(checked_mac(mac), 0.0, seen)
                    done = self._set_up(made, link, _checked_gateway(gateway), now)
                except errors.IpamError as e:
                    outcomes.append(e)
                    continue
                outcomes.append(made[link.mac])
                # What is made for the first time has not been lost.
                lost += done if self._enis.get(link.mac) == made[link.mac] else []
                self._changes += bool(done)
            known = self._enis == made
            try:
                table = self._write(self._ranges, made)
            except errors.IpamError as e:
                return [e for _ in wanted]
            self._count(True, lost + (table if known else []))  # noqa: FBT003 - what is counted was known
        return outcomes

    def listing(self) -> KernelListing:
        """List each kind of object once."""
        return kernel_listing.taken()

    @property
    def changes(self) -> int:
        """How often anything of the node or an ENI was changed: since then a listing is old."""
        return self._changes

    def differences(self, seen: KernelListing) -> list[Difference]:
        """Return what `ensure_node` and `ensure_eni` would mend now, and what the node itself lacks.

        Changes nothing and waits for nobody who changes something: what is under way may show as different.
        """
        primary, *others = self._enis.values() or (None,)
        found = list(enis.lacking_rules(seen))
        if primary is None:
            return found
        found += [planned.difference for planned in self._plan_node(primary, seen)]
        for eni in others:
            link = seen.by_index.get(eni.ifindex)
            if link is None or link.mac != eni.mac:
                found.append(enis.without_link(eni))
                continue
            found += [
                planned.difference for planned in enis.plan(eni, link, primary.mtu, self._mask.mask, seen)
            ]
        table = self._table.differences(self._config, self._ranges, (primary, *others))
        return [*found, *self._ipv6_guard.differences(), *table]

    def has_eni(self, eni: EniLink) -> bool:
        """Whether an ENI's link is there and up, as it was set up; what hangs on it is not looked at."""
        link = self._known_link(eni.mac)
        return link is not None and link.ifindex == eni.ifindex and link.up

    def await_link(self, mac: str) -> None:
        """Wait for an ENI's link as long as configured; TryAgainError when it does not come."""
        links.await_mac(checked_mac(mac), self._config.link_wait)

    def forget_eni(self, mark: int) -> None:
        """Remove all that was made for a secondary ENI, known or left by an earlier run (`snapshot`)."""
        with self._lock:
            if mark == self._mask.primary:
                raise errors.IpamError(f"mark {mark:#x} is the primary ENI's, which cannot be forgotten")
            enis.forget(mark, self._mask.mask)
            self._table.forget(mark)
            self._write(self._ranges, {mac: eni for mac, eni in self._enis.items() if eni.mark != mark})

    def forget_others(self) -> list[int]:
        """Remove what was made for ENIs that this process has not set up and no Pod uses; return their marks.

        For a caller that has set up every ENI that there is: what is left is of ENIs that have been detached,
        in this process or before it, whose links and MACs are gone.
        """
        found = self.snapshot()
        with self._lock:
            known = {self._mask.primary, *(eni.mark for eni in self._enis.values() if self._exists(eni))}
        marks = {rule.mark for rule in found.rules if rule.mark} | found.eni_marks
        others = sorted(marks - known - set(found.pod_marks.values()))
        for mark in others:
            self.forget_eni(mark)
        return others

    def wire_pod(self, pod: PodWiring) -> PodLink:
        """Give a Pod its interface; nothing stays behind when it fails.

        NetnsError when CNI_NETNS is not a Pod's namespace; KernelError names the step that was refused.
        """
        return wiring.wire(pod, self._elements, self._sysctls)

    def prepared_pod(self, pod: PodWiring) -> AbstractContextManager[PodLink]:
        """Make a sandbox's link beside the one that its address has; it goes again if the block fails.

        Raises: as `wire_pod`; nothing of the other link has changed.
        """
        return wiring.prepared(pod, self._sysctls)

    def swap_pod(self, pod: PodWiring, made: PodLink) -> None:
        """Lead the address to the link that was prepared. KernelError: it leads to the other one still."""
        wiring.swap(pod, made, self._elements)

    def connect_pod(self, pod: PodWiring) -> bool:
        """Mend the node's side of a Pod; False when its link is gone, which only another ADD can mend."""
        return wiring.connect(pod, self._elements, self._sysctls)

    def unwire_pod(self, ip: str, end: HostEnd) -> None:
        """Take a Pod's interface away; what is gone already, its namespace included, is no error."""
        wiring.unwire(ip, end, self._elements)

    def cut_pod(self, ip: str, end: HostEnd) -> None:
        """Take a Pod off the network at once, and its link away a moment later."""
        ifindex = wiring.cut(ip, end, self._elements)
        if ifindex is not None:
            self._removal.remove(ifindex)

    def has_link(self, end: HostEnd) -> bool:
        """Whether a sandbox has its link."""
        return wiring.find(end) is not None

    def drop_link(self, end: HostEnd) -> None:
        """Have a sandbox's link removed soon, and nothing else."""
        ifindex = wiring.find(end)
        if ifindex is not None:
            self._removal.remove(ifindex)

    @property
    def leaving(self) -> frozenset[int]:
        """The indices of links that this process has begun to remove."""
        return self._removal.leaving

    def remove_link(self, ifindex: int) -> None:
        """Remove a link that `snapshot` has shown."""
        wiring.remove_link(ifindex)

    def clear_address(self, ip: str) -> None:
        """Take away what the node has of an address that has no link: route and nft elements."""
        wiring.clear(ip, self._elements)

    def namespace_of(self, path: str) -> int | None:
        """Return the number of the network namespace at a path, None when there is none (any more)."""
        return netns.number_of(path)

    def check_node_side(self, pod: PodWiring) -> list[Difference]:
        """Return what differs on the node; the Pod's namespace is not entered."""
        return check.differences_on_the_node(pod, self._elements)

    def check_pod(self, pod: PodWiring, chained: ChainedLink | None = None) -> list[str]:
        """Return what differs from how the Pod has to be wired, one sentence each.

        `chained` has what the runtime knows of later plugins; without it what they may change is not judged.
        """
        return check.differences(pod, self._elements, chained or ChainedLink())

    def pods_inside(self, pods: Iterable[PodWiring]) -> list[Difference]:
        """Return what differs in the namespaces of many Pods; one that is gone is left out."""
        return pod_side.differences_of_all(pods)

    def mend_pod_sides(self, pods: Iterable[PodWiring]) -> list[list[str] | errors.IpamError]:
        """Make again what each Pod has lost in its namespace because its link was down; return what it was.

        For a Pod that could not be looked at, the error says why: NetnsError when its namespace is gone.
        """
        return pod_side.mend(pods)

    def addresses_on_links(self, ips: Container[str], seen: KernelListing) -> list[HostAddress]:
        """Return those of the addresses that the node's own links have."""
        return host_addresses.among(seen, ips)

    def take_off_links(self, ips: Container[str], seen: KernelListing | None = None) -> list[HostAddress]:
        """Take addresses of Pods off the node's own links; return those that were there."""
        return host_addresses.take_off(host_addresses.among(seen or self.listing(), ips), self._sysctls)

    def foreign_rules(self, ips: Iterable[str], seen: KernelListing | None = None) -> list[RuleConflict]:
        """Return the policy rules of somebody else that take these addresses' packets."""
        return enis.foreign_rules(ips, seen or self.listing())

    def foreign_chains(self, ip: str, link: str, eni: EniLink) -> list[Difference]:
        """Return what chains of others do to the first packet of a Pod to the internet that they must not."""
        return foreign_chains.differences(PodPacket(source=ip, iif=link, oif=eni.name))

    def set_eip_pod(self, ip: str, *, wanted: bool) -> None:
        """Say whether a Pod has an EIP; connections that exist stay on their way."""
        wiring.set_eip(ip, self._elements, wanted=wanted)

    def snapshot(self, seen: KernelListing | None = None) -> Snapshot:
        """Return all that is ours in the kernel; nftables is listed now, the rest was if `seen` is given."""
        guard = self._ipv6_guard.listed() is not None
        seen = seen or self.listing()
        return snapshot.of(seen, self._elements, self._table.listed, ipv6_guard=guard)

    def remove_all(self) -> None:
        """Remove all that is ours, the links of running Pods included: for an uninstall."""
        with self._lock:
            self._table.remove()
            self._ipv6_guard.remove()
            enis.remove_all_rules_and_routes()
            with NetlinkSocket(ROUTE) as channel:
                links_of_pods = self.snapshot().links
                channel.change(*(rtnetlink.delete_link(link.name) for link in links_of_pods))
            self._enis, self._ranges = {}, Ranges(())

    def _found(self, mac: str, wait: float, seen: KernelListing | None) -> tuple[Link, KernelListing]:
        """Return an ENI's link and a listing that has it; wait for it if it is not there."""
        seen = seen or self.listing()
        link = seen.by_mac(mac)
        if link is not None:
            return link, seen
        return links.await_mac(mac, wait), self.listing()

    def _plan_node(self, primary: EniLink, seen: KernelListing) -> list[Mend]:
        """Return what the node itself lacks."""
        plan = []
        value = self._sysctls.read(_FORWARDING)
        if value != "1":
            plan.append(_setting(_FORWARDING, value or "not there"))
        link = seen.by_index.get(primary.ifindex)
        if link is not None and not link.forwards:
            plan.append(
                _setting(f"ipv4/conf/{link.name}/forwarding", "0", because_of=(node_side.FORWARDING,))
            )
        return [*plan, *enis.plan_pod_rule(self._mask.mask, seen)]

    def _primary(self) -> EniLink:
        primary = next(iter(self._enis.values()), None)
        if primary is None:
            raise errors.IpamError("ensure_node has to come before ensure_eni")
        return primary

    def _set_up(
        self, made: dict[str, EniLink], link: Link, gateway: str, seen: KernelListing
    ) -> list[Difference]:
        """Make an ENI's own side, but for the nft table, and add the ENI to those that are made."""
        mtu = self._primary().mtu
        eni = EniLink(
            mac=link.mac,
            name=link.name,
            ifindex=link.ifindex,
            table=FIRST_TABLE + link.ifindex,
            mark=self._mark_for(link, seen, made),
            mtu=mtu,
            gateway=gateway,
        )
        done = mend.carry_out(enis.plan(eni, link, mtu, self._mask.mask, seen), self._sysctls)
        made[link.mac] = eni
        return done

    def _write(self, ranges: Ranges, known: dict[str, EniLink]) -> list[Difference]:
        changed = self._table.ensure(self._config, ranges, tuple(known.values()))
        if changed is not None:
            log.info(
                "nft table written: ENIs %s, direct %s, not masqueraded %s",
                ", ".join(f"{eni.name}={eni.mark:#x}" for eni in known.values()),
                ", ".join(ranges.direct),
                ", ".join(ranges.unmasqueraded) or "unknown",
            )
        self._enis, self._ranges = known, ranges
        return changed or []

    def _count(self, known: bool, done: list[Difference]) -> None:  # noqa: FBT001
        """Tell what somebody else had taken away or changed: of something that was made before."""
        self._changes += bool(done)
        if known and done:
            self._mended += 1
            for difference in done:
                self.repaired(difference)

    def _known_link(self, mac: str) -> Link | None:
        """Return the link that an ENI has had, if it still has it: without a list of all links."""
        known = self._enis.get(mac)
        if known is None:
            return None
        with NetlinkSocket(ROUTE) as channel:
            link = links.by_index(channel, known.ifindex)
        return link if link is not None and link.mac == mac else None

    def _exists(self, eni: EniLink) -> bool:
        with NetlinkSocket(ROUTE) as channel:
            return links.by_mac(channel, eni.mac) is not None

    def _mark_for(self, link: Link, seen: KernelListing, made: dict[str, EniLink]) -> int:
        """Return the mark that this ENI has had, in this process or before it, or a free one."""
        known = made.get(link.mac)
        if known is not None:
            return known.mark
        ours = [rule for rule in seen.our_rules if rule.mask == self._mask.mask]
        table = FIRST_TABLE + link.ifindex
        mark = next((rule.mark for rule in ours if rule.table == table), 0)
        taken = {eni.mark for eni in made.values()} | {rule.mark for rule in ours}
        return mark or self._mask.free(taken)


def _tell(difference: Difference) -> None:
    log.warning("repaired: %s", difference)


def _setting(name: str, value: str, *, because_of: tuple[str, ...] = ()) -> Mend:
    difference = enis.of_setting(name, value, because_of=because_of)
    return Mend(difference=difference, settings=((name, "1"),))


def _checked_gateway(gateway: str) -> str:
    try:
        return str(ipaddress.IPv4Address(gateway))
    except ValueError as e:
        raise errors.InvalidInputError(
            f"gateway is {gateway!a}", advice="the subnet's gateway, an IPv4 address, is allowed"
        ) from e
