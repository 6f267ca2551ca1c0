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

import logging
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import AbstractContextManager

from ipamd.core import errors
from ipamd.core.kernel.difference import Difference
from ipamd.core.kernel.foreign_chains import PodPacket
from ipamd.core.kernel.foreign_rules import RuleConflict
from ipamd.core.names import HostEnd
from ipamd.net import (
    check,
    enis,
    exclusive_eni,
    foreign_chains,
    host_addresses,
    kernel_listing,
    links,
    netns,
    pod_side,
    wiring,
)
from ipamd.net.eni_setup import EniSetup
from ipamd.net.host_addresses import HostAddress
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.link_removal import LinkRemoval
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
from ipamd.net.nft_elements import Elements
from ipamd.net.sysctls import Sysctls

log = logging.getLogger(__name__)


class DataPlane:
    """The data plane of one node. Has no state but what its parts have."""

    def __init__(self, config: DataPlaneConfig, repaired: Callable[[Difference], None] | None = None) -> None:
        """Take the settings, and who hears of what of the node and its ENIs was changed and is mended."""
        self._link_wait = config.link_wait
        self.node_ip = config.exclusive_source
        """From which address the node speaks to Pods with an ENI of their own; empty: there are none."""
        self.repaired = repaired or _tell
        """Hears of each repair; also of those that callers of this class make."""
        self._sysctls = Sysctls(config.sysctl_root)
        self._elements = Elements()
        self._removal = LinkRemoval()
        self._setup = EniSetup(config, self._sysctls, self._elements, self.repaired)

    @property
    def mended(self) -> int:
        """How many calls have found that something of the node or an ENI, once made, was gone or changed."""
        return self._setup.mended

    @property
    def enis(self) -> tuple[EniLink, ...]:
        """The ENIs that Pods' packets may take, the primary first, as they were last set up."""
        return self._setup.enis

    def close(self) -> None:
        """Finish the removal of links and let go of the one socket that is kept open; what was made stays."""
        self._removal.close()
        self._elements.close()

    def ensure_node(self, primary_mac: str, ranges: Ranges, seen: KernelListing | None = None) -> EniLink:
        """Make what does not depend on secondary ENIs and Pods; return the primary ENI's link.

        What the ranges say takes effect for new connections. `seen` spares the kernel another listing.
        """
        return self._setup.ensure_node(primary_mac, ranges, seen)

    def ensure_eni(
        self, mac: str, gateway: str, *, wait: bool = True, seen: KernelListing | None = None
    ) -> EniLink:
        """Make a secondary ENI usable for Pods; wait for its link for as long as configured, or not at all.

        `gateway` is the subnet's, as the metadata service gives it. `seen` spares the kernel another listing.
        TryAgainError when no link has this MAC.
        """
        return self._setup.ensure_eni(mac, gateway, wait=wait, seen=seen)

    def ensure_enis(
        self, wanted: Sequence[tuple[str, str]], seen: KernelListing
    ) -> list[EniLink | errors.IpamError]:
        """Do the same for many secondary ENIs, by MAC and gateway; return what came of each."""
        return self._setup.ensure_enis(wanted, seen)

    def listing(self) -> KernelListing:
        """List each kind of object once."""
        return kernel_listing.taken()

    @property
    def changes(self) -> int:
        """How often anything of the node or an ENI was changed: since then a listing is old."""
        return self._setup.changes

    def differences(self, seen: KernelListing) -> list[Difference]:
        """Return what `ensure_node` and `ensure_eni` would mend now, and what the node itself lacks.

        Changes nothing and waits for nobody who changes something: what is under way may show as different.
        """
        return self._setup.differences(seen)

    def has_eni(self, eni: EniLink) -> bool:
        """Whether an ENI's link is there and up, as it was set up; what hangs on it is not looked at."""
        return self._setup.has_eni(eni)

    def await_link(self, mac: str) -> None:
        """Wait for an ENI's link as long as configured; TryAgainError when it does not come."""
        links.await_mac(checked_mac(mac), self._link_wait)

    def forget_eni(self, mark: int) -> None:
        """Remove all that was made for a secondary ENI, known or left by an earlier run (`snapshot`)."""
        self._setup.forget_eni(mark)

    def forget_others(self) -> list[int]:
        """Remove what was made for ENIs that this process has not set up and no Pod uses; return their marks.

        For a caller that has set up every ENI that there is: what is left is of ENIs that have been detached,
        in this process or before it, whose links and MACs are gone.
        """
        return self._setup.forget_others()

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
        """Lead the address to the link that was prepared. KernelError: it leads to the other one still.

        An ENI of the Pod's own has to be on the node (`bring_back_eni`).
        """
        wiring.swap(pod, made, self._elements, self._sysctls)

    def connect_pod(self, pod: PodWiring) -> bool:
        """Mend the node's side of a Pod; False when its link is gone, which only another ADD can mend."""
        return wiring.connect(pod, self._elements, self._sysctls)

    def unwire_pod(self, ip: str, end: HostEnd) -> None:
        """Take a Pod's interface away; what is gone already, its namespace included, is no error."""
        wiring.unwire(ip, end, self._elements)
        self._forget_exclusive(ip)

    def cut_pod(self, ip: str, end: HostEnd) -> None:
        """Take a Pod off the network at once, and its link away a moment later."""
        ifindex = wiring.cut(ip, end, self._elements)
        self._forget_exclusive(ip)
        if ifindex is not None:
            self._removal.remove(ifindex)

    def bring_back_eni(self, mac: str, netns_path: str) -> bool:
        """Take a Pod's own ENI back to the node; False: its namespace is gone, and the kernel brings it.

        Raises: KernelError.
        """
        return exclusive_eni.bring_back(checked_mac(mac), netns_path)

    def put_away_eni(self, mac: str) -> bool:
        """Have an ENI that no Pod has down and out of the way; False when it is not on the node."""
        return exclusive_eni.put_away(checked_mac(mac))

    def links_of_enis(self, macs: Iterable[str], seen: KernelListing) -> dict[str, bool]:
        """Return those of the MACs whose link is on the node by a listing, and whether it is put away."""
        wanted = frozenset(macs)
        return {
            link.mac: exclusive_eni.is_put_away(link)
            for link in sorted(seen.links, key=lambda link: -link.ifindex)  # the oldest one counts
            if link.mac in wanted
        }

    def has_own_eni(self, mac: str) -> bool:
        """Whether the link of an ENI for one Pod is on the node now."""
        return exclusive_eni.is_here(checked_mac(mac))

    def return_eni(self, pod: PodWiring) -> None:
        """Make an ENI that is on the node its Pod's interface again. Raises: IpamError."""
        wiring.return_eni(pod, self._sysctls)

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
        self._forget_exclusive(ip)

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
        return self._setup.snapshot(seen)

    def _forget_exclusive(self, ip: str) -> None:
        if self.node_ip:
            wiring.forget_exclusive(ip, self._elements)

    def remove_all(self) -> None:
        """Remove all that is ours, the links of running Pods included: for an uninstall."""
        self._setup.remove_all()


def _tell(difference: Difference) -> None:
    log.warning("repaired: %s", difference)
