"""Requests to rtnetlink for links, addresses, routes and neighbours, and for lists of them: our own bytes.

These are the messages of each ADD and DEL and of each repair round. `struct` makes one in a tenth of the
time that pyroute2's classes take; what is made once for an ENI is left to pyroute2 (policy_requests.py,
docs/adr/0034). Constants have the names of the kernel's headers: linux/if_link.h, if_addr.h, rtnetlink.h,
neighbour.h, veth.h.

This module alone knows which refusals mean that a wish is fulfilled already: what is to be there exists
(EEXIST), what is to be gone does not (ENODEV, ESRCH). Nothing is sent here. Every route that we make carries
PROTOCOL, so that only our own are ever changed or removed.
"""

import errno
import struct
from socket import AF_INET, AF_UNSPEC, inet_pton
from typing import Final, NamedTuple

from ipamd.net.message import ACK, CREATE, DUMP, EXCL, REPLACE, attribute, message, text, u32
from ipamd.net.netlink import NetlinkRequest

PROTOCOL: Final = 116
"""Who made a route or rule ("t"); free in iproute2's rt_protos and in the kernel's list."""
MAIN_TABLE: Final = 254
_LOCAL_TABLE: Final = 255
KERNEL_PROTOCOL: Final = 2
PERMANENT: Final = 0x80
"""NUD_PERMANENT."""

_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK = 16, 17, 18
_RTM_NEWADDR, _RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_RTM_NEWROUTE, _RTM_DELROUTE, _RTM_GETROUTE = 24, 25, 26
_RTM_NEWNEIGH, _RTM_GETNEIGH = 28, 30
_RTM_GETRULE: Final = 34

_IFINFOMSG: Final = struct.Struct("=BxHiII")  # family, type, index, flags, change
_IFADDRMSG: Final = struct.Struct("=BBBBI")  # family, prefixlen, flags, scope, index
_RTMSG: Final = struct.Struct(
    "=BBBBBBBBI"
)  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
_NDMSG: Final = struct.Struct("=BxxxiHBB")  # family, ifindex, state, flags, type

_IFF_UP: Final = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_IFALIAS = 1, 3, 4, 18, 20
_IFLA_AF_SPEC, _IFLA_NET_NS_FD, _IFLA_EXT_MASK = 26, 28, 29
_IFLA_INET_CONF, _IPV4_DEVCONF_ACCEPT_LOCAL = 1, 23
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_SRC, _RTA_IIF, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 2, 3, 4, 5, 7
_RTA_TABLE, _RTA_MARK = 15, 16
_RTN_UNICAST: Final = 1
_RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK = 0, 253
_RTNH_F_ONLINK: Final = 4
_RTM_F_LOOKUP_TABLE, _RTM_F_FIB_MATCH = 0x1000, 0x2000
_NDA_DST, _NDA_LLADDR = 1, 2
_NTF_PROXY: Final = 8

_HOST_PREFIX: Final = 32
_ANY_LINK: Final = _IFINFOMSG.pack(AF_UNSPEC, 0, 0, 0, 0)
_UP: Final = _IFINFOMSG.pack(AF_UNSPEC, 0, 0, _IFF_UP, _IFF_UP)
_VETH: Final = text(_IFLA_INFO_KIND, "veth")
_IN_MAIN: Final = u32(_RTA_TABLE, MAIN_TABLE)
_ACCEPT_LOCAL: Final = attribute(
    _IFLA_AF_SPEC,
    attribute(AF_INET, attribute(_IFLA_INET_CONF, u32(_IPV4_DEVCONF_ACCEPT_LOCAL, 1))),
)
_SKIP_STATISTICS: Final = u32(_IFLA_EXT_MASK, 8)  # RTEXT_FILTER_SKIP_STATS


class VethEnd(NamedTuple):
    """One end of a veth pair that is to be made; MTU in bytes."""

    name: str
    mac: str
    mtu: int


def add_veth(host: VethEnd, pod: VethEnd, namespace: int, what: str) -> NetlinkRequest:
    """Make a veth: this end here and up at once, its peer directly in the namespace of the descriptor."""
    peer = _ANY_LINK + _end(pod) + u32(_IFLA_NET_NS_FD, namespace)
    kind = attribute(_IFLA_LINKINFO, _VETH + attribute(_IFLA_INFO_DATA, attribute(_VETH_INFO_PEER, peer)))
    made = message(_RTM_NEWLINK, ACK | CREATE | EXCL, _UP, _end(host), kind)
    return NetlinkRequest(made, what, frozenset({errno.EEXIST}))


def set_link(
    ifindex: int, what: str, *, mtu: int = 0, alias: str = "", accept_local: bool = False
) -> NetlinkRequest:
    """Bring a link up and set its MTU and what stands beside it, where they are given; see `accept_local`."""
    header = _IFINFOMSG.pack(AF_UNSPEC, 0, ifindex, _IFF_UP, _IFF_UP)
    given = (
        u32(_IFLA_MTU, mtu) if mtu else b"",
        text(_IFLA_IFALIAS, alias) if alias else b"",
        _ACCEPT_LOCAL if accept_local else b"",
    )
    return NetlinkRequest(message(_RTM_NEWLINK, ACK, header, *given), what)


def set_down(ifindex: int, what: str) -> NetlinkRequest:
    """Take a link down."""
    return NetlinkRequest(
        message(_RTM_NEWLINK, ACK, _IFINFOMSG.pack(AF_UNSPEC, 0, ifindex, 0, _IFF_UP)), what
    )


def rename_link(ifindex: int, name: str, what: str) -> NetlinkRequest:
    """Give a link, which has to be down, another name."""
    return NetlinkRequest(message(_RTM_NEWLINK, ACK, _of_index(ifindex), text(_IFLA_IFNAME, name)), what)


def move_link(ifindex: int, namespace: int, what: str) -> NetlinkRequest:
    """Move a link to the namespace of a descriptor; its addresses and routes do not come along."""
    return NetlinkRequest(
        message(_RTM_NEWLINK, ACK, _of_index(ifindex), u32(_IFLA_NET_NS_FD, namespace)), what
    )


def accept_local(ifindex: int, what: str) -> NetlinkRequest:
    """Set accept_local=1: where rp_filter is 0, the kernel then looks up no route to each packet's source.

    For links whose packets nftables lets in by their sources. In the same message as others it costs nothing.
    """
    header = _IFINFOMSG.pack(AF_UNSPEC, 0, ifindex, 0, 0)
    return NetlinkRequest(message(_RTM_NEWLINK, ACK, header, _ACCEPT_LOCAL), what)


def set_alias(name: str, alias: str) -> NetlinkRequest:
    """Write what stands beside a link; a link that does not exist is settled."""
    made = message(_RTM_NEWLINK, ACK, _ANY_LINK, text(_IFLA_IFNAME, name), text(_IFLA_IFALIAS, alias))
    return NetlinkRequest(made, f"set the alias of link {name}", frozenset({errno.ENODEV}))


def delete_link(name: str) -> NetlinkRequest:
    """Remove a link, and with a veth its other end wherever it is."""
    made = message(_RTM_DELLINK, ACK, _ANY_LINK, text(_IFLA_IFNAME, name))
    return NetlinkRequest(made, f"remove link {name}", frozenset({errno.ENODEV}), lingers=True)


def delete_link_index(ifindex: int) -> NetlinkRequest:
    """Remove the link with this index, whatever its name is by now."""
    made = message(_RTM_DELLINK, ACK, _of_index(ifindex))
    return NetlinkRequest(made, f"remove link {ifindex}", frozenset({errno.ENODEV}), lingers=True)


def add_address(ifindex: int, ip: str, what: str) -> NetlinkRequest:
    """Give a link an IPv4 address with prefix length 32."""
    header, packed = _IFADDRMSG.pack(AF_INET, _HOST_PREFIX, 0, 0, ifindex), _ip(ip)
    local, address = attribute(_IFA_LOCAL, packed), attribute(_IFA_ADDRESS, packed)
    return NetlinkRequest(message(_RTM_NEWADDR, ACK | CREATE | REPLACE, header, local, address), what)


def delete_address(ifindex: int, ip: str, prefix_length: int, what: str) -> NetlinkRequest:
    """Take an IPv4 address off a link."""
    header = _IFADDRMSG.pack(AF_INET, prefix_length, 0, 0, ifindex)
    made = message(_RTM_DELADDR, ACK, header, attribute(_IFA_LOCAL, _ip(ip)))
    return NetlinkRequest(made, what, frozenset({errno.EADDRNOTAVAIL, errno.ENODEV}))


def set_host_route(
    ip: str, ifindex: int, what: str, table: int = MAIN_TABLE, *, source: str = ""
) -> NetlinkRequest:
    """Make `ip/32 dev …` of a table what it has to be, in one step if there is one already.

    `source` is the address that the node's own packets get if their sender has chosen none; the node
    has to have it.
    """
    header, to_table = _to_host(table)
    attributes = [attribute(_RTA_DST, _ip(ip)), to_table, u32(_RTA_OIF, ifindex)]
    attributes += [attribute(_RTA_PREFSRC, _ip(source))] if source else []
    return NetlinkRequest(message(_RTM_NEWROUTE, ACK | CREATE | REPLACE, header, *attributes), what)


def delete_host_route(ip: str, table: int = MAIN_TABLE) -> NetlinkRequest:
    """Remove `ip/32` from a table, if it is ours."""
    header, of_table = _to_host(table)
    made = message(_RTM_DELROUTE, ACK, header, attribute(_RTA_DST, _ip(ip)), of_table)
    return NetlinkRequest(made, f"remove route {ip}/32", frozenset({errno.ESRCH}))


def set_default_route(gateway: str, ifindex: int, table: int, what: str) -> NetlinkRequest:
    """Make `default via … dev … onlink` of a table what it has to be."""
    header = _rtmsg(0, table, _RT_SCOPE_UNIVERSE, _RTNH_F_ONLINK)
    attributes = (attribute(_RTA_GATEWAY, _ip(gateway)), u32(_RTA_OIF, ifindex), u32(_RTA_TABLE, table))
    return NetlinkRequest(message(_RTM_NEWROUTE, ACK | CREATE | REPLACE, header, *attributes), what)


def set_route(cidr: str, gateway: str, ifindex: int, what: str) -> NetlinkRequest:
    """Make `cidr via … dev … onlink` of main what it has to be."""
    network, _, length = cidr.partition("/")
    header = _rtmsg(int(length), MAIN_TABLE, _RT_SCOPE_UNIVERSE, _RTNH_F_ONLINK)
    attributes = (
        attribute(_RTA_DST, _ip(network)),
        attribute(_RTA_GATEWAY, _ip(gateway)),
        u32(_RTA_OIF, ifindex),
        _IN_MAIN,
    )
    return NetlinkRequest(message(_RTM_NEWROUTE, ACK | CREATE | REPLACE, header, *attributes), what)


def set_neighbour(ip: str, mac: str, ifindex: int, what: str) -> NetlinkRequest:
    """Make a permanent neighbour entry."""
    header = _NDMSG.pack(AF_INET, ifindex, PERMANENT, 0, 0)
    attributes = (attribute(_NDA_DST, _ip(ip)), attribute(_NDA_LLADDR, _mac(mac)))
    return NetlinkRequest(message(_RTM_NEWNEIGH, ACK | CREATE | REPLACE, header, *attributes), what)


def set_proxy(ip: str, ifindex: int, what: str) -> NetlinkRequest:
    """Have a link answer ARP for an address that other links lead to, and for no other one."""
    header = _NDMSG.pack(AF_INET, ifindex, 0, _NTF_PROXY, 0)
    made = message(_RTM_NEWNEIGH, ACK | CREATE | REPLACE, header, attribute(_NDA_DST, _ip(ip)))
    return NetlinkRequest(made, what)


def get_link(name: str) -> bytes:
    """Ask for one link by name."""
    return message(_RTM_GETLINK, ACK, _ANY_LINK, text(_IFLA_IFNAME, name), _SKIP_STATISTICS)


def get_link_index(ifindex: int) -> bytes:
    """Ask for one link by its index."""
    return message(_RTM_GETLINK, ACK, _of_index(ifindex), _SKIP_STATISTICS)


def list_links() -> bytes:
    """Ask for all links."""
    return message(_RTM_GETLINK, DUMP, _ANY_LINK, _SKIP_STATISTICS)


def list_addresses() -> bytes:
    """Ask for all IPv4 addresses."""
    return message(_RTM_GETADDR, DUMP, _IFADDRMSG.pack(AF_INET, 0, 0, 0, 0))


def list_routes() -> bytes:
    """Ask for all IPv4 routes of all tables."""
    return message(_RTM_GETROUTE, DUMP, _ANY_ROUTE)


def get_route(destination: str, *, source: str = "", iif: int = 0, mark: int = 0) -> bytes:
    """Ask for the route of one packet: of the node's own, or with `iif` of one that comes in by that link."""
    asked = _RTM_F_LOOKUP_TABLE | _RTM_F_FIB_MATCH
    header = _RTMSG.pack(AF_INET, _HOST_PREFIX, _HOST_PREFIX if source else 0, 0, 0, 0, 0, 0, asked)
    given = [attribute(_RTA_DST, _ip(destination))]
    given += [attribute(_RTA_SRC, _ip(source))] if source else []
    given += [u32(kind, value) for kind, value in ((_RTA_IIF, iif), (_RTA_MARK, mark)) if value]
    return message(_RTM_GETROUTE, ACK, header, *given)


def list_neighbours() -> bytes:
    """Ask for all IPv4 neighbours."""
    return message(_RTM_GETNEIGH, DUMP, _NDMSG.pack(AF_INET, 0, 0, 0, 0))


def list_proxies() -> bytes:
    """Ask for all IPv4 addresses that links answer for."""
    return message(_RTM_GETNEIGH, DUMP, _NDMSG.pack(AF_INET, 0, 0, _NTF_PROXY, 0))


def list_rules() -> bytes:
    """Ask for all IPv4 policy rules."""
    return message(_RTM_GETRULE, DUMP, _ANY_ROUTE)


def protocol_of(route: bytes) -> int:
    """Return who made a listed route, before the effort of decoding it: rtm_protocol of the header."""
    return route[21]


def is_configured(route: bytes) -> bool:
    """Whether a listed route is not one of the table `local`, which the kernel fills by the addresses."""
    return route[20] != _LOCAL_TABLE


def prefix_length_of(route: bytes) -> int:
    """Return the length of a listed route's destination, before decoding it; 0 is a default route."""
    return route[17]


def small_table(table: int) -> int:
    """Return what the 8 bits of a header say of a table: 0 (RT_TABLE_UNSPEC) when they are too few."""
    return table if table < 256 else 0


def _end(end: VethEnd) -> bytes:
    return text(_IFLA_IFNAME, end.name) + attribute(_IFLA_ADDRESS, _mac(end.mac)) + u32(_IFLA_MTU, end.mtu)


def _of_index(ifindex: int) -> bytes:
    return _IFINFOMSG.pack(AF_UNSPEC, 0, ifindex, 0, 0)


def _rtmsg(prefix_length: int, table: int, scope: int, flags: int = 0) -> bytes:
    return _RTMSG.pack(AF_INET, prefix_length, 0, 0, small_table(table), PROTOCOL, scope, _RTN_UNICAST, flags)


_TO_HOST: Final = _rtmsg(_HOST_PREFIX, MAIN_TABLE, _RT_SCOPE_LINK)


def _to_host(table: int) -> tuple[bytes, bytes]:
    """Return header and table of a route to one address; almost all are of main."""
    if table == MAIN_TABLE:
        return _TO_HOST, _IN_MAIN
    return _rtmsg(_HOST_PREFIX, table, _RT_SCOPE_LINK), u32(_RTA_TABLE, table)


_ANY_ROUTE: Final = _RTMSG.pack(AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)


def _ip(ip: str) -> bytes:
    return inet_pton(AF_INET, ip)


def _mac(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
