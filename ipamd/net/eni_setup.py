"""The node's ENIs, and what of the node itself their Pods need: made, compared, mended, forgotten.

What one ENI needs is in `enis`, what the nft table has in `ruleset`; here is which ENIs there are.
"""

import ipaddress
import logging
import threading
from collections.abc import Callable, Iterator, Sequence

from ipamd.core import errors
from ipamd.core.kernel.difference import Difference
from ipamd.net import enis, kernel_listing, links, mend, node_plan, rtnetlink, snapshot, wiring
from ipamd.net.ipv6_guard import Ipv6Guard
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.listing import Link
from ipamd.net.marks import FIRST_TABLE, MarkMask
from ipamd.net.mend import Mend
from ipamd.net.model import DataPlaneConfig, EniLink, Ranges, Snapshot, checked_mac
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.nft_elements import Elements
from ipamd.net.nft_table import NftTable
from ipamd.net.sysctls import Sysctls

log = logging.getLogger(__name__)


class EniSetup:
    """The ENIs of one node, as they were last set up; may be called from many threads.

    Invariant: `_enis` holds the ENIs that the nft table was last written with, by MAC, the primary first; it
    is replaced as a whole, under `_lock`.
    """

    def __init__(
        self,
        config: DataPlaneConfig,
        sysctls: Sysctls,
        elements: Elements,
        repaired: Callable[[Difference], None],
    ) -> None:
        """Take the settings, what is shared with the data plane of Pods, and who hears of each repair."""
        self._config = config
        self._sysctls = sysctls
        self._elements = elements
        self._repaired = repaired
        self._mask = MarkMask(config.mark_mask)
        self._lock = threading.Lock()
        self._table = NftTable(elements)
        self._ipv6_guard = Ipv6Guard(sysctls)
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
    def changes(self) -> int:
        """How often anything of the node or an ENI was changed."""
        return self._changes

    @property
    def enis(self) -> tuple[EniLink, ...]:
        """The ENIs that Pods' packets may take, the primary first."""
        return tuple(self._enis.values())

    def ensure_node(self, primary_mac: str, ranges: Ranges, seen: KernelListing | None = None) -> EniLink:
        """Make what does not depend on secondary ENIs and Pods; return the primary ENI's link."""
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
                self._changes += wiring.adopt(seen, self._elements, self._config.exclusive_source)
            self._count(known, done)
            return primary

    def ensure_eni(
        self, mac: str, gateway: str, *, wait: bool = True, seen: KernelListing | None = None
    ) -> EniLink:
        """Make a secondary ENI usable for Pods. TryAgainError when no link has this MAC."""
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
        """Do the same for many secondary ENIs, by MAC and gateway; return what came of each.

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

    def differences(self, seen: KernelListing) -> list[Difference]:
        """Return what would be mended now, and what the node itself lacks; takes no lock."""
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

    def forget_eni(self, mark: int) -> None:
        """Remove all that was made for a secondary ENI, known or left by an earlier run (`snapshot`)."""
        with self._lock:
            if mark == self._mask.primary:
                raise errors.IpamError(f"mark {mark:#x} is the primary ENI's, which cannot be forgotten")
            enis.forget(mark, self._mask.mask)
            self._table.forget(mark)
            self._write(self._ranges, {mac: eni for mac, eni in self._enis.items() if eni.mark != mark})

    def forget_others(self) -> list[int]:
        """Remove what was made for ENIs that are not set up and that no Pod uses; return their marks."""
        found = self.snapshot()
        with self._lock:
            known = {self._mask.primary, *(eni.mark for eni in self._enis.values() if self._exists(eni))}
        marks = {rule.mark for rule in found.rules if rule.mark} | found.eni_marks
        others = sorted(marks - known - set(found.pod_marks.values()))
        for mark in others:
            self.forget_eni(mark)
        return others

    def snapshot(self, seen: KernelListing | None = None) -> Snapshot:
        """Return all that is ours in the kernel; nftables is listed now, the rest was if `seen` is given."""
        guard = self._ipv6_guard.listed() is not None
        seen = seen or kernel_listing.taken()
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
        seen = seen or kernel_listing.taken()
        link = seen.by_mac(mac)
        if link is not None:
            return link, seen
        return links.await_mac(mac, wait), kernel_listing.taken()

    def _plan_node(self, primary: EniLink, seen: KernelListing) -> Iterator[Mend]:
        exclusive = bool(self._config.exclusive_source)
        return node_plan.plan(primary, self._mask.mask, self._sysctls, seen, exclusive=exclusive)

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
                self._repaired(difference)

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


def _checked_gateway(gateway: str) -> str:
    try:
        return str(ipaddress.IPv4Address(gateway))
    except ValueError as e:
        raise errors.InvalidInputError(
            f"gateway is {gateway!a}", advice="the subnet's gateway, an IPv4 address, is allowed"
        ) from e
