"""What the data plane is told and what it answers: settings, ENIs, Pods and what is found in the kernel.

Values are checked when they are made (InvalidInputError), so that names and addresses that reach the kernel
are known to be harmless.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from ipamd.core import errors, names
from ipamd.net.marks import EXCLUSIVE_TABLE, MarkMask
from ipamd.net.sysctls import PROC_SYS

_IFNAME: Final = re.compile(r"[^/:\s\x00-\x1f\x7f]{1,15}")
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
SECOND_LINK: Final = "veth1"
"""In a Pod with an ENI of its own, the Pod's end of the link to the node."""
_MAIN_TABLE: Final = 254
_SMALLEST_MTU: Final = 68
_LARGEST_MTU: Final = 65535


class PodEgress(Enum):
    """By whom a Pod without EIP reaches what lies outside the VPC."""

    NODE = "node"
    """By the node's primary interface, where ip-masq-agent gives it the node's address."""
    ENI = "eni"
    """By its own ENI with its own address; a NAT gateway of the VPC does the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneConfig:
    """Settings of the node."""

    mark_mask: int = 0x3F000000
    """Bits of the packet and connection mark that are ours: none of kube-proxy's and kube-router's (`marks`),
    and none of Tailscale's 0xff0000."""
    pod_egress: PodEgress = PodEgress.NODE
    eip_source_nat_exemption: bool = True
    """Whether Pods with EIP escape all masquerading; if not, ip-masq-agent has to be told of each of them."""
    closed_to_pods: frozenset[str] = frozenset()
    """IPv4 addresses that no packet of a Pod gets to: the metadata service's, which tells the keys of the
    node's role to all who ask."""
    link_wait: float = 10.0
    """Seconds that `ensure_eni` waits for the link of an ENI that was just attached."""
    exclusive_source: str = ""
    """The node's address: with it leaves what Pods with an ENI of their own send by the node, and from it the
    node speaks to them. Empty: there are no such Pods."""
    sysctl_root: Path = PROC_SYS
    """Where the directory `net` of kernel settings is writable; elsewhere than /proc/sys in a container."""

    def __post_init__(self) -> None:
        MarkMask(self.mark_mask)
        for address in self.closed_to_pods:
            checked_ip(address, "address closed to Pods")
        if self.exclusive_source:
            checked_ip(self.exclusive_source, "address of the node")
        if not 0 <= self.link_wait <= 600:
            raise errors.InvalidInputError(
                f"link_wait is {self.link_wait}", advice="0 to 600 seconds are allowed"
            )


@dataclass(frozen=True, slots=True)
class Ranges:
    """Destinations that Pods reach by their own ENI and with their own address: IPv4 networks.

    Invariant: each list is in order and without overlaps. InvalidInputError for what is no network.
    """

    direct: tuple[str, ...]
    """In any case: the CIDRs of the VPC, the Service CIDR (IPVS routes by it), what an operator names."""
    unmasqueraded: tuple[str, ...] = ()
    """Where the node itself would use its primary ENI: what nobody masquerades, and the VPC would drop there.
    What the node reaches by another link (a bridge of containers, a tunnel) stays the node's."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "direct", _checked_cidrs(self.direct))
        object.__setattr__(self, "unmasqueraded", _checked_cidrs(self.unmasqueraded))


@dataclass(frozen=True, slots=True, kw_only=True)
class EniLink:
    """An ENI as the node's kernel knows it."""

    mac: str
    name: str
    ifindex: int
    table: int
    """The routing table of its Pods' packets: 4000 + ifindex, and main for the primary ENI."""
    mark: int
    """What its Pods' packets and the connections that arrived on it are marked with."""
    mtu: int
    gateway: str = ""
    """Where its table leads; empty for the primary ENI, whose routes are the node's own."""
    by_node: tuple[str, ...] = ()
    """Of an ENI that goes into a Pod: what that Pod reaches by its second link (`OwnEni`)."""
    node_ip: str = ""
    """Of such an ENI: from which address the node speaks to that Pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEni:
    """The ENI that a Pod has as a whole."""

    mac: str
    gateway: str
    """The subnet's."""
    by_node: tuple[str, ...]
    """What the Pod reaches by its second link: the node, Services, link-local addresses."""
    node_ip: str = ""
    """The node's address among these: what the node sends comes from it, wherever else it has addresses.
    Empty: the kernel chooses."""

    def __post_init__(self) -> None:
        checked_mac(self.mac)
        checked_ip(self.gateway, "gateway")
        if self.node_ip:
            checked_ip(self.node_ip, "address of the node")
        object.__setattr__(self, "by_node", _checked_cidrs(self.by_node))


@dataclass(frozen=True, slots=True, kw_only=True)
class PodWiring:
    """What one Pod is to have."""

    netns_path: str
    ifname: str
    ip: str
    host_veth: str
    host_mac: str
    eni_mark: int
    mtu: int
    eip: bool
    alias: str = ""
    """Stands beside the host's end and tells whose it is (`ipamd.core.link_alias`); at most 255 bytes."""
    own_eni: OwnEni | None = None
    """The ENI that becomes the Pod's interface; the veth is then a second link."""

    def __post_init__(self) -> None:
        checked_ip(self.ip)
        checked_host_end(self.host_end)
        if not _IFNAME.fullmatch(self.ifname) or self.ifname in (".", "..", "lo"):
            raise _refused("CNI_IFNAME", self.ifname, "1 to 15 characters without '/', ':' and white space")
        if len(self.ifname.encode()) > 15:
            raise _refused("CNI_IFNAME", self.ifname, "at most 15 bytes")
        if not _SMALLEST_MTU <= self.mtu <= _LARGEST_MTU:
            raise _refused("MTU", self.mtu, f"{_SMALLEST_MTU} to {_LARGEST_MTU} bytes")
        if self.eni_mark <= 0 and self.own_eni is None:
            raise _refused("ENI mark", self.eni_mark, "the mark that ensure_eni has returned")
        if len(self.alias.encode(errors="replace")) > 255 or "\0" in self.alias:
            raise _refused("alias", self.alias, "at most 255 bytes without NUL")

    @property
    def host_end(self) -> names.HostEnd:
        """The host's end of the veth."""
        return names.HostEnd(self.host_veth, self.host_mac)

    @property
    def pod_mac(self) -> str:
        """MAC of the Pod's end."""
        return names.pod_mac(self.host_mac)

    @property
    def veth(self) -> str:
        """Name of the Pod's end."""
        return self.ifname if self.own_eni is None else SECOND_LINK

    @property
    def table(self) -> int:
        """The routing table that leads to the Pod's end."""
        return _MAIN_TABLE if self.own_eni is None else EXCLUSIVE_TABLE

    @property
    def route_source(self) -> str:
        """From which address the node speaks to the Pod; empty where the Pod answers any by the node."""
        return "" if self.own_eni is None else self.own_eni.node_ip

    @property
    def interface_mac(self) -> str:
        """MAC of the Pod's interface."""
        return self.pod_mac if self.own_eni is None else self.own_eni.mac

    @property
    def gateway(self) -> str:
        """The Pod's default gateway."""
        return names.GATEWAY_IP if self.own_eni is None else self.own_eni.gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedLink:
    """What later plugins of the chain have made of the Pod's interface, as far as somebody says so."""

    mac: str = ""
    """Empty: nobody says, and any is right."""
    mtu: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLink:
    """The two ends of a Pod's veth."""

    host_mac: str
    pod_mac: str
    host_ifindex: int
    pod_ifindex: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRule:
    """A policy rule with our protocol number."""

    priority: int
    table: int
    mark: int
    mask: int
    iif: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRoute:
    """A route with our protocol number; `destination` with prefix length, `ifindex` 0 when it has no link."""

    table: int
    destination: str
    gateway: str
    ifindex: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLink:
    """A host's end of a Pod's veth."""

    name: str
    ifindex: int
    mac: str
    up: bool
    alias: str
    downs: int = 0
    """How often the Pod's end was down since the link exists."""
    carrier: bool = True
    """Whether the Pod's end is up."""
    ipv6: bool = False
    """Whether the link takes part in IPv6, which it should not."""
    answers: bool = True
    """Whether it answers ARP for the Pod's gateway."""

    @property
    def end(self) -> names.HostEnd:
        """What it is known by."""
        return names.HostEnd(self.name, self.mac)

    @property
    def whole(self) -> bool:
        """Whether the link is as ADD has left it."""
        return self.up and self.answers and not self.ipv6


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that is ours in the kernel, for repair and for showing that nothing was left."""

    rules: tuple[FoundRule, ...]
    routes: tuple[FoundRoute, ...]
    links: tuple[FoundLink, ...]
    table_exists: bool
    """Whether the nft table exists."""
    pod_marks: dict[str, int]
    """Pod IP to the mark of its ENI, as the nft map has it."""
    eip_pods: frozenset[str]
    pod_sources: Mapping[str, frozenset[int]]
    """Address to the indices of the links by which nft lets it in without a look at the routes."""
    eni_marks: frozenset[int]
    """Marks of the ENIs that nft chains exist for."""
    exclusive_pods: frozenset[str] = frozenset()
    """Addresses of Pods with an ENI of their own, as the nft set has them."""
    ipv6_guard: bool
    """Whether the nft table exists that drops what Pods send by IPv6."""

    @property
    def of_pods(self) -> frozenset[str]:
        """Every address that nftables has an element of."""
        return frozenset({*self.pod_marks, *self.eip_pods, *self.pod_sources, *self.exclusive_pods})

    @property
    def empty(self) -> bool:
        """Whether nothing of ours is left."""
        return not (self.rules or self.routes or self.links or self.table_exists or self.ipv6_guard)


def checked_ip(ip: str, field: str = "Pod IP") -> str:
    """Return the address, if it is an IPv4 address that a Pod, or one that Pods talk to, may have."""
    try:
        address = ipaddress.IPv4Address(ip)
    except ValueError as e:
        raise _refused(field, ip, "an IPv4 address") from e
    if address.is_multicast or address.is_loopback or address.is_unspecified or str(address) != ip:
        raise _refused(field, ip, "a unicast IPv4 address")
    return ip


def checked_host_end(end: names.HostEnd) -> names.HostEnd:
    """Return the host's end of a veth, if name and MAC are such as `names` gives."""
    if not names.HOST_VETH.fullmatch(end.name):
        raise _refused("host interface", end.name, '"eni" and 11 hex digits')
    if not names.HOST_MAC.fullmatch(end.mac):
        raise _refused(f"MAC of host interface {end.name}", end.mac, "0a:e2 and four hex bytes")
    return end


def checked_mac(mac: str) -> str:
    """Return the MAC in lower case."""
    lower = mac.lower()
    if not _MAC.fullmatch(lower):
        raise _refused("MAC", mac, "six hex bytes separated by ':'")
    return lower


def _checked_cidrs(cidrs: tuple[str, ...]) -> tuple[str, ...]:
    try:
        networks = [ipaddress.IPv4Network(cidr) for cidr in cidrs]
    except ValueError as e:
        raise errors.InvalidInputError(
            f"ranges of Pods are {', '.join(ascii(cidr) for cidr in cidrs)}: {e}",
            advice="IPv4 networks such as 10.0.0.0/16 are allowed",
        ) from e
    return tuple(str(network) for network in ipaddress.collapse_addresses(networks))


def _refused(field: str, value: object, allowed: str) -> errors.InvalidInputError:
    return errors.InvalidInputError(f"{field} is {ascii(value)[:100]}", advice=f"allowed: {allowed}")
