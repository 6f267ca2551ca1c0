"""Which way the first packet of a Pod's connection goes: asked of the kernel, hook by hook; nothing is sent.

Routes are the kernel's own answers (RTM_GETROUTE with the Pod's link, source and mark); what nftables does is
read from its listing (`ipamd.core.kernel.nft_walk`). Of iptables-legacy the chain FORWARD is read; of its nat
is only noted that it is there. Works in the network namespace of the calling thread; changes nothing.
"""

import errno
import ipaddress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from ipamd.core.errors import KernelError
from ipamd.core.kernel.foreign_chains import PodPacket
from ipamd.core.kernel.nft_expressions import TracedPacket
from ipamd.core.kernel.nft_ruleset import NftRuleset
from ipamd.core.kernel.nft_walk import Fate, HookResult, WalkStep, walk
from ipamd.net import iptables_legacy, libnftables, links, listing, netns, rtnetlink
from ipamd.net.listing import LinkAddress
from ipamd.net.netlink import ROUTE, NetlinkSocket

INTERNET: Final = "192.0.2.1"
"""An address of the internet that nobody has (RFC 5737), where none is given."""
_KIND_OFFSET: Final = 23
_UNICAST, _LOCAL = 1, 2
_INSIDE: Final = "route in the Pod"
_BACK: Final = frozenset({"saddr", "iif"})


class Ending(Enum):
    """Where a packet ends, as far as the node has a say."""

    LEAVES = "leaves"
    ON_THE_NODE = "on the node"
    """It is for the node itself, or for another Pod of it."""
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketTrace:
    """What the kernel does with the packet."""

    steps: tuple[WalkStep, ...]
    ending: Ending
    reason: str
    """Why it is dropped; empty if it is not."""
    source: str
    """The address that it has at last."""
    link: str
    """By which it leaves."""
    gateway: str
    to_backend: bool
    """Whether the destination was translated to one that cannot be told; it is taken for one of the VPC."""
    unread: tuple[str, ...]
    """What could not be read and counts as not met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    kind: int
    table: int
    link: str
    gateway: str

    def __str__(self) -> str:
        if self.kind == _LOCAL:
            return "for the node itself"
        via = f"via {self.gateway} " if self.gateway else ""
        return f"table {'main' if self.table == rtnetlink.MAIN_TABLE else self.table}: {via}dev {self.link}"


def traced(source: str, link: str, destination: str, *, backend: str, port: int | None = None) -> PacketTrace:
    """Trace a packet that comes from a Pod by its link on the node.

    backend: an address of the VPC that stands for a Service's backend.
    port: of TCP, at the destination; without it what looks at ports counts as not met.
    Raises: KernelError.
    """
    return _Trace(source, link, backend).run(destination, port)


def traced_inside(netns_path: str, source: str, destination: str) -> PacketTrace:
    """Trace a packet as far as the Pod's own network namespace decides: by which of its links it leaves.

    For a Pod with an ENI of its own, whose packets do not all pass the node. Raises: NetnsError, KernelError.
    """

    def ask() -> PacketTrace:
        with NetlinkSocket(ROUTE) as channel:
            try:
                way = _Routes(channel).of_source(source, destination)
            except KernelError as e:
                return _ended((WalkStep(_INSIDE, why := _why_unroutable(e)),), Ending.DROPPED, source, why)
        ending = Ending.LEAVES if way.kind == _UNICAST else Ending.ON_THE_NODE
        return _ended((WalkStep(_INSIDE, str(way)),), ending, source, link=way.link, gateway=way.gateway)

    with netns.opened(netns_path) as namespace:
        return netns.run_inside(namespace, ask)


def _ended(
    steps: tuple[WalkStep, ...],
    ending: Ending,
    source: str,
    reason: str = "",
    *,
    link: str = "",
    gateway: str = "",
) -> PacketTrace:
    return PacketTrace(
        steps=steps,
        ending=ending,
        reason=reason,
        source=source,
        link=link,
        gateway=gateway,
        to_backend=False,
        unread=(),
    )


class _Trace:
    def __init__(self, source: str, link: str, backend: str) -> None:
        self._packet = TracedPacket(source=source, destination="", iif=link)
        self._backend = backend
        self._to_backend = False
        self._steps: list[WalkStep] = []
        self._unread: list[str] = []

    def run(self, destination: str, port: int | None) -> PacketTrace:
        self._packet = replace(self._packet, destination=destination, port=port)
        ruleset = NftRuleset(libnftables.run([{"list": {"ruleset": None}}], "list nftables", "list_ruleset"))
        with NetlinkSocket(ROUTE) as channel:
            found = links.by_name(channel, self._packet.iif)
            if found is None or not found.up or not found.carrier:
                state = "does not exist" if found is None else "is down"
                return self._dropped("link", f"{self._packet.iif} {state}")
            asking = _Routes(channel)
            if not asking.fib(self._packet, "oif", _BACK):
                why = f"its answers find no way back: main has no route {self._packet.source}/32"
                return self._dropped("route back", f"{why} dev {self._packet.iif}")
            return self._prerouting(ruleset, asking)

    def _prerouting(self, ruleset: NftRuleset, asking: "_Routes") -> PacketTrace:
        result = self._at(ruleset, "prerouting", asking)
        if result.fate is Fate.DROPPED:
            return self._end(Ending.DROPPED, reason=result.steps[-1].text)
        self._to_backend = result.fate is Fate.DESTINATION_TRANSLATED and not result.address
        return self._forward(ruleset, asking)

    def _forward(self, ruleset: NftRuleset, asking: "_Routes") -> PacketTrace:
        try:
            way = asking.of_packet(self._packet)
        except KernelError as e:
            return self._dropped("route", _why_unroutable(e))
        self._steps.append(WalkStep("route", str(way)))
        if way.kind == _LOCAL:
            return self._end(Ending.ON_THE_NODE)
        if way.kind != _UNICAST:
            return self._end(Ending.DROPPED, reason="the route says that it is not to be forwarded")
        self._packet = replace(self._packet, oif=way.link)
        if self._at(ruleset, "forward", asking).fate is Fate.DROPPED:
            return self._end(Ending.DROPPED, reason=f"{self._steps[-1].chain}: {self._steps[-1].text}")
        packet = self._packet
        if iptables_legacy.forward_drops(PodPacket(source=packet.source, iif=packet.iif, oif=packet.oif)):
            self._steps.append(WalkStep(iptables_legacy.FORWARD_CHAIN, "dropped"))
            return self._end(Ending.DROPPED, reason=f"{iptables_legacy.FORWARD_CHAIN}: dropped")
        return self._postrouting(ruleset, asking, way)

    def _postrouting(self, ruleset: NftRuleset, asking: "_Routes", way: _Way) -> PacketTrace:
        result = self._at(ruleset, "postrouting", asking)
        if result.fate is Fate.DROPPED:
            return self._end(Ending.DROPPED, reason=result.steps[-1].text)
        source = self._packet.source
        if result.fate is Fate.PASSES and iptables_legacy.has_table("nat") and not way.link.startswith("eni"):
            self._steps.append(
                WalkStep("iptables-legacy nat", "cannot be read: taken for the masquerade of ip-masq-agent")
            )
            source = asking.address_of(way)
        elif result.fate is Fate.MASQUERADED:
            source = asking.address_of(way)
        elif result.fate is Fate.SOURCE_TRANSLATED:
            source = result.address or asking.address_of(way)
        to_pod = not way.gateway and way.link.startswith("eni")
        return self._end(Ending.ON_THE_NODE if to_pod else Ending.LEAVES, source=source, way=way)

    def _at(self, ruleset: NftRuleset, hook: str, asking: "_Routes") -> HookResult:
        result = walk(ruleset, hook, self._packet, asking.fib, self._backend)
        self._packet = result.packet
        self._steps += result.steps
        self._unread += result.unread
        return result

    def _dropped(self, where: str, why: str) -> PacketTrace:
        self._steps.append(WalkStep(where, why))
        return self._end(Ending.DROPPED, reason=why)

    def _end(
        self, ending: Ending, *, reason: str = "", source: str = "", way: _Way | None = None
    ) -> PacketTrace:
        return PacketTrace(
            steps=tuple(self._steps),
            ending=ending,
            reason=reason,
            source=source or self._packet.source,
            link=way.link if way else "",
            gateway=way.gateway if way else "",
            to_backend=self._to_backend,
            unread=tuple(dict.fromkeys(self._unread)),
        )


class _Routes:
    """Questions about routes, over one socket."""

    def __init__(self, channel: NetlinkSocket) -> None:
        self._channel = channel
        self._names: dict[int, str] = {}

    def of_source(self, source: str, destination: str) -> _Way:
        """Ask for the route of what the namespace itself sends. Raises: KernelError."""
        return self._ask(destination, source=source)

    def of_packet(self, packet: TracedPacket) -> _Way:
        """Ask for the route of a packet that comes in by a link. Raises: KernelError."""
        found = links.by_name(self._channel, packet.iif)
        ifindex = found.ifindex if found else 0
        return self._ask(packet.destination, source=packet.source, iif=ifindex, mark=packet.mark)

    def fib(self, packet: TracedPacket, result: str, flags: frozenset[str]) -> str:
        """Answer an expression `fib`: as nftables asks, with the address in the place of a destination."""
        address = packet.source if "saddr" in flags else packet.destination
        mark = packet.mark if "mark" in flags else 0
        try:
            way = self._ask(address, mark=mark)
        except KernelError:
            return ""
        if result == "type":
            return {_UNICAST: "unicast", _LOCAL: "local"}.get(way.kind, "unreachable")
        if "iif" in flags and way.link != packet.iif:
            return ""
        return way.link

    def address_of(self, way: _Way) -> str:
        """Return the address that masquerading gives: of the link in its gateway's subnet, else any.

        So does the kernel (inet_select_addr). An ENI's link has no address of its own as a rule.
        """
        answers = self._channel.dump(rtnetlink.list_addresses(), "list addresses")
        found = [listing.address(answer) for answer in answers]
        of_link = [address for address in found if self._name(address.ifindex) == way.link]
        near = [address for address in of_link if way.gateway and _is_near(way.gateway, address)]
        others = [address for address in found if not ipaddress.IPv4Address(address.ip).is_loopback]
        return next((address.ip for address in (*near, *of_link, *others)), "")

    def _ask(self, destination: str, *, source: str = "", iif: int = 0, mark: int = 0) -> _Way:
        request = rtnetlink.get_route(destination, source=source, iif=iif, mark=mark)
        (answer,) = self._channel.dump(request, f"look up the route to {destination}")
        found = listing.route(answer)
        return _Way(
            kind=answer[_KIND_OFFSET],
            table=found.table,
            link=self._name(found.ifindex),
            gateway=found.gateway,
        )

    def _name(self, ifindex: int) -> str:
        if ifindex and ifindex not in self._names:
            link = links.by_index(self._channel, ifindex)
            self._names[ifindex] = link.name if link else str(ifindex)
        return self._names.get(ifindex, "")


def _is_near(ip: str, address: LinkAddress) -> bool:
    network = ipaddress.IPv4Network(f"{address.ip}/{address.prefix_length}", strict=False)
    return ipaddress.IPv4Address(ip) in network


def _why_unroutable(error: KernelError) -> str:
    why = {
        errno.EXDEV: "the reverse path filter refuses its source (rp_filter), or the source is no Pod's",
        errno.EHOSTUNREACH: "nothing is forwarded: net.ipv4.ip_forward is 0, or a route says unreachable",
        errno.ENETUNREACH: "there is no route: the table of the ENI is empty, or main has no default route",
        errno.EACCES: "a route prohibits it",
        errno.EINVAL: "a route drops it (blackhole), or the source is one that no packet may have",
    }
    return why.get(error.errno, str(error))
