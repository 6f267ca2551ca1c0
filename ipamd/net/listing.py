"""What rtnetlink lists, decoded by hand: links, addresses, routes, neighbours and policy rules, IPv4 only.

pyroute2 takes 0.1 to 0.3 ms for a message, and a node lists some for each of its Pods in every repair
round; this takes a tenth of that (docs/adr/0034). Numbers and layouts: linux/if_link.h, if_addr.h,
rtnetlink.h, neighbour.h, fib_rules.h. Pure.
"""

import ipaddress
import struct
from typing import Final, NamedTuple

from ipamd.net.message import attributes

_BODY: Final = 16
"""Where the message's own header begins, after nlmsghdr."""
_LINK: Final = struct.Struct("=BxHiII")
_ADDRESS: Final = struct.Struct("=BBBBI")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR: Final = struct.Struct("=BxxxiHBB")
_U32: Final = struct.Struct("=I")
_I32: Final = struct.Struct("=i")

IFF_UP: Final = 1
_IFF_LOWER_UP: Final = 0x10000
_NAME: Final = 3
_DOWNS: Final = 48
"""IFLA_IFNAME, IFLA_CARRIER_DOWN_COUNT."""
_ATTRIBUTE: Final = struct.Struct("=HH")
_FORWARDING: Final = 0
_ACCEPT_LOCAL: Final = 22
_SRC_VMARK: Final = 23
"""Indices in the array of a link's IPv4 settings (IPV4_DEVCONF_* - 1, linux/ip.h)."""
_DISABLE_IPV6: Final = 26
"""Index of disable_ipv6 in the array of a link's IPv6 settings (DEVCONF_DISABLE_IPV6, linux/ipv6.h)."""


class Link(NamedTuple):
    """A link as it is; MAC in lower case, MTU in bytes."""

    name: str
    ifindex: int
    mac: str
    mtu: int
    up: bool
    carrier: bool
    """Whether the other end is up too."""
    peer: int
    """The ifindex of a veth's other end, in the namespace where that is."""
    downs: int
    """How often the link has lost its carrier since it exists; 0 before Linux 4.16."""
    ipv6: bool
    """Whether it takes part in IPv6; false where the kernel has none."""
    alias: str
    forwards: bool = True
    """Whether the kernel forwards what comes in by it (net.ipv4.conf.<link>.forwarding)."""
    valid_mark: bool = False
    """Whether the reverse path filter heeds marks (src_valid_mark of the link itself)."""
    accepts_local: bool = False
    """Whether the kernel looks at no route to the source of what comes in by it (accept_local)."""


class LinkState(NamedTuple):
    """Of a link what changes while it is used; the fields are those of `Link`."""

    name: str
    ifindex: int
    up: bool
    carrier: bool
    downs: int


class LinkAddress(NamedTuple):
    """An IPv4 address of a link."""

    ifindex: int
    ip: str
    prefix_length: int


class KernelRoute(NamedTuple):
    """An IPv4 route; empty or 0 is what it does not have."""

    table: int
    protocol: int
    destination: str
    prefix_length: int
    gateway: str
    ifindex: int
    kind: int = 1
    """1 is unicast; others (blackhole) lead nowhere."""
    onlink: bool = False
    metric: int = 0
    source: str = ""
    """What the node's own packets get for their source if their sender has chosen none."""


class Neighbour(NamedTuple):
    """An IPv4 neighbour, or one that the link answers for in ARP (`proxy`)."""

    ifindex: int
    ip: str
    mac: str
    state: int
    proxy: bool


class Rule(NamedTuple):
    """An IPv4 policy rule; `action` 1 looks up a table, `source` and `destination` have prefix lengths."""

    priority: int
    protocol: int
    action: int
    table: int
    mark: int
    mask: int
    iif: str
    oif: str
    source: str
    destination: str
    inverted: bool
    suppressed: int = -1
    """Routes with a prefix of at most this length are not heeded; -1: all are."""

    @property
    def is_for_all(self) -> bool:
        """Whether every packet is looked up by it."""
        selects = self.mask or self.iif or self.oif or self.source or self.destination or self.inverted
        return self.action == 1 and self.suppressed < 0 and not selects


def link(message: bytes) -> Link:
    """Decode RTM_NEWLINK."""
    _, _, ifindex, flags, _ = _LINK.unpack_from(message, _BODY)
    found = dict(attributes(message, _BODY + _LINK.size))
    families = dict(attributes(found.get(26, b"")))
    ipv4 = dict(attributes(families.get(2, b""))).get(1, b"")  # AF_INET, IFLA_INET_CONF
    return Link(
        name=_text(found.get(_NAME, b"")),
        ifindex=ifindex,
        mac=found.get(1, b"").hex(":"),
        mtu=_u32(found.get(4)),
        up=bool(flags & IFF_UP),
        carrier=bool(flags & _IFF_LOWER_UP),
        peer=_u32(found.get(5)),
        downs=_u32(found.get(_DOWNS)),
        ipv6=_takes_ipv6(families.get(10, b"")),  # AF_INET6
        alias=_text(found.get(20, b"")),
        forwards=_setting(ipv4, _FORWARDING) != 0,
        valid_mark=_setting(ipv4, _SRC_VMARK) == 1,
        accepts_local=_setting(ipv4, _ACCEPT_LOCAL) == 1,
    )


def link_state(message: bytes) -> LinkState:
    """Decode what a notice is asked for, of RTM_NEWLINK or RTM_DELLINK; each ADD causes seven."""
    _, _, ifindex, flags, _ = _LINK.unpack_from(message, _BODY)
    name, downs = b"", 0
    unpack, offset, end = _ATTRIBUTE.unpack_from, _BODY + _LINK.size, len(message) - 4
    while offset <= end:
        length, kind = unpack(message, offset)
        if kind == _NAME:
            name = message[offset + 4 : offset + length]
        elif kind == _DOWNS:
            downs = _u32(message[offset + 4 : offset + length])
            break  # the name comes first, and the rest is four fifths of the message
        offset += (length + 3) & ~3 if length > 4 else 4
    return LinkState(
        name=_text(name),
        ifindex=ifindex,
        up=bool(flags & IFF_UP),
        carrier=bool(flags & _IFF_LOWER_UP),
        downs=downs,
    )


def address(message: bytes) -> LinkAddress:
    """Decode RTM_NEWADDR."""
    _, prefix_length, _, _, ifindex = _ADDRESS.unpack_from(message, _BODY)
    found = dict(attributes(message, _BODY + _ADDRESS.size))
    return LinkAddress(ifindex=ifindex, ip=_ip(found.get(2) or found.get(1)), prefix_length=prefix_length)


def route(message: bytes) -> KernelRoute:
    """Decode RTM_NEWROUTE."""
    _, prefix_length, _, _, table, protocol, _, kind, flags = _ROUTE.unpack_from(message, _BODY)
    found = dict(attributes(message, _BODY + _ROUTE.size))
    return KernelRoute(
        table=_u32(found.get(15)) or table,
        protocol=protocol,
        destination=_ip(found.get(1)) or "0.0.0.0",
        prefix_length=prefix_length,
        gateway=_ip(found.get(5)),
        ifindex=_u32(found.get(4)),
        kind=kind,
        onlink=bool(flags & 4),  # RTNH_F_ONLINK
        metric=_u32(found.get(6)),
        source=_ip(found.get(7)),
    )


def neighbour(message: bytes) -> Neighbour:
    """Decode RTM_NEWNEIGH."""
    _, ifindex, state, flags, _ = _NEIGHBOUR.unpack_from(message, _BODY)
    found = dict(attributes(message, _BODY + _NEIGHBOUR.size))
    return Neighbour(
        ifindex=ifindex,
        ip=_ip(found.get(1)),
        mac=found.get(2, b"").hex(":"),
        state=state,
        proxy=bool(flags & 8),  # NTF_PROXY
    )


def rule(message: bytes) -> Rule:
    """Decode RTM_NEWRULE."""
    _, destination, source, _, table, _, _, action, flags = _ROUTE.unpack_from(message, _BODY)
    found = dict(attributes(message, _BODY + _ROUTE.size))
    return Rule(
        priority=_u32(found.get(6)),
        protocol=found.get(21, b"\0")[0],
        action=action,
        table=_u32(found.get(15)) or table,
        mark=_u32(found.get(10)),
        mask=_u32(found.get(16)),
        iif=_text(found.get(3, b"")),
        oif=_text(found.get(17, b"")),
        source=f"{_ip(found.get(2))}/{source}" if source else "",
        destination=f"{_ip(found.get(1))}/{destination}" if destination else "",
        inverted=bool(flags & 2),  # FIB_RULE_INVERT
        suppressed=_I32.unpack(found[14])[0] if 14 in found else -1,
    )


def _takes_ipv6(family: bytes) -> bool:
    return _setting(dict(attributes(family)).get(2, b""), _DISABLE_IPV6) == 0  # IFLA_INET6_CONF


def _setting(settings: bytes, index: int) -> int:
    """Return a number of the array of a link's settings, -1 when it is not there."""
    offset = 4 * index
    return int(_U32.unpack_from(settings, offset)[0]) if len(settings) >= offset + 4 else -1


def _u32(value: bytes | None) -> int:
    return int(_U32.unpack_from(value)[0]) if value else 0


def _ip(value: bytes | None) -> str:
    return str(ipaddress.IPv4Address(value)) if value else ""


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
