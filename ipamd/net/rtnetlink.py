"""Requests to rtnetlink for links, addresses, routes, neighbours and policy rules, encoded by pyroute2.

This module alone knows which refusals mean that a wish is fulfilled already: what is to be there exists
(EEXIST), what is to be gone does not (ENODEV, ESRCH, ENOENT). Nothing is sent here. Every route and rule that
we make carries PROTOCOL, so that only our own are ever changed or removed.
"""

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ipamd.net.netlink import ACK, CREATE, DUMP, EXCL, REPLACE, REQUEST, NetlinkRequest

PROTOCOL: Final = 116
"""Who made a route or rule ("t"); free in iproute2's rt_protos and in the kernel's list."""
MAIN_TABLE: Final = 254
_LOCAL_TABLE: Final = 255
KERNEL_PROTOCOL: Final = 2
SCOPE_LINK: Final = 253
_ANY_SCOPE: Final = 255
IFF_UP: Final = 1
PERMANENT: Final = 0x80

_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_NEWNEIGH, _GETNEIGH = 28, 30
_NEWRULE, _DELRULE, _GETRULE = 32, 33, 34
_UNICAST: Final = 1
_ONLINK: Final = 4
_TO_TABLE: Final = 1
_SKIP_STATISTICS: Final = ("IFLA_EXT_MASK", 8)
_HOST_PREFIX: Final = 32
_PROXY: Final = 8  # NTF_PROXY
_TELL_TABLE, _TELL_ROUTE = 0x1000, 0x2000  # RTM_F_LOOKUP_TABLE, RTM_F_FIB_MATCH

Attributes = Sequence[tuple[str, Any]]


def add_veth(host: Attributes, pod: Attributes, namespace: int, what: str) -> NetlinkRequest:
    """Make a veth: this end here and up at once, its peer directly in the namespace of the descriptor."""
    peer = {"attrs": [*pod, ("IFLA_NET_NS_FD", namespace)]}
    kind = ("IFLA_INFO_KIND", "veth")
    information = {"attrs": [kind, ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", peer)]})]}
    return NetlinkRequest(
        _encode(
            ifinfmsg,
            _NEWLINK,
            CREATE | EXCL,
            [*host, ("IFLA_LINKINFO", information)],
            flags=IFF_UP,
            change=IFF_UP,
        ),
        what,
        frozenset({errno.EEXIST}),
    )


def set_link(ifindex: int, attributes: Attributes, what: str) -> NetlinkRequest:
    """Bring a link up and set its attributes."""
    return NetlinkRequest(
        _encode(ifinfmsg, _NEWLINK, 0, attributes, index=ifindex, flags=IFF_UP, change=IFF_UP), what
    )


def set_alias(name: str, alias: str) -> NetlinkRequest:
    """Write what stands beside a link; a link that does not exist is settled."""
    attributes = [("IFLA_IFNAME", name), ("IFLA_IFALIAS", alias)]
    return NetlinkRequest(
        _encode(ifinfmsg, _NEWLINK, 0, attributes), f"set the alias of link {name}", frozenset({errno.ENODEV})
    )


def delete_link(name: str) -> NetlinkRequest:
    """Remove a link, and with a veth its other end wherever it is."""
    return NetlinkRequest(
        _encode(ifinfmsg, _DELLINK, 0, [("IFLA_IFNAME", name)]),
        f"remove link {name}",
        frozenset({errno.ENODEV}),
        lingers=True,
    )


def delete_link_index(ifindex: int) -> NetlinkRequest:
    """Remove the link with this index, whatever its name is by now."""
    return NetlinkRequest(
        _encode(ifinfmsg, _DELLINK, 0, [], index=ifindex),
        f"remove link {ifindex}",
        frozenset({errno.ENODEV}),
        lingers=True,
    )


def add_address(ifindex: int, ip: str, what: str) -> NetlinkRequest:
    """Give a link an IPv4 address with prefix length 32."""
    return NetlinkRequest(
        _encode(
            ifaddrmsg,
            _NEWADDR,
            CREATE | REPLACE,
            [("IFA_LOCAL", ip), ("IFA_ADDRESS", ip)],
            family=socket.AF_INET,
            prefixlen=_HOST_PREFIX,
            index=ifindex,
        ),
        what,
    )


def delete_address(ifindex: int, ip: str, prefix_length: int, what: str) -> NetlinkRequest:
    """Take an IPv4 address off a link."""
    message = _encode(
        ifaddrmsg,
        _DELADDR,
        0,
        [("IFA_LOCAL", ip)],
        family=socket.AF_INET,
        prefixlen=prefix_length,
        index=ifindex,
    )
    return NetlinkRequest(message, what, frozenset({errno.EADDRNOTAVAIL, errno.ENODEV}))


def set_host_route(ip: str, ifindex: int, what: str) -> NetlinkRequest:
    """Make `ip/32 dev …` in main what it has to be."""
    return NetlinkRequest(_route(_NEWROUTE, CREATE | REPLACE, ip, MAIN_TABLE, [("RTA_OIF", ifindex)]), what)


def delete_host_route(ip: str) -> NetlinkRequest:
    """Remove `ip/32` from main, if it is ours."""
    return NetlinkRequest(
        _route(_DELROUTE, 0, ip, MAIN_TABLE, []),
        f"remove route {ip}/32",
        frozenset({errno.ESRCH}),
    )


def set_default_route(gateway: str, ifindex: int, table: int, what: str) -> NetlinkRequest:
    """Make `default via … dev … onlink` of a table what it has to be."""
    message = _encode(
        rtmsg,
        _NEWROUTE,
        CREATE | REPLACE,
        [("RTA_GATEWAY", gateway), ("RTA_OIF", ifindex), ("RTA_TABLE", table)],
        family=socket.AF_INET,
        table=_small(table),
        proto=PROTOCOL,
        type=_UNICAST,
        flags=_ONLINK,
    )
    return NetlinkRequest(message, what)


def delete_subnet_route(destination: str, prefix_length: int, ifindex: int, what: str) -> NetlinkRequest:
    """Remove a route that the kernel made for an address of a link from main, whatever its other fields."""
    message = _encode(
        rtmsg,
        _DELROUTE,
        0,
        [("RTA_DST", destination), ("RTA_OIF", ifindex), ("RTA_TABLE", MAIN_TABLE)],
        family=socket.AF_INET,
        dst_len=prefix_length,
        table=MAIN_TABLE,
        proto=KERNEL_PROTOCOL,
        scope=_ANY_SCOPE,
    )
    return NetlinkRequest(message, what, frozenset({errno.ESRCH}))


def delete_route(route: rtmsg, what: str) -> NetlinkRequest:
    """Remove a route as it was listed."""
    kept = ("RTA_DST", "RTA_OIF", "RTA_GATEWAY", "RTA_TABLE", "RTA_PRIORITY", "RTA_PREFSRC")
    attributes = [(name, route.get_attr(name)) for name in kept if route.get_attr(name) is not None]
    fields = {name: route[name] for name in ("family", "dst_len", "tos", "table", "proto", "scope", "type")}
    return NetlinkRequest(_encode(rtmsg, _DELROUTE, 0, attributes, **fields), what, frozenset({errno.ESRCH}))


def set_neighbour(ip: str, mac: str, ifindex: int, what: str) -> NetlinkRequest:
    """Make a permanent neighbour entry."""
    return NetlinkRequest(
        _encode(
            ndmsg,
            _NEWNEIGH,
            CREATE | REPLACE,
            [("NDA_DST", ip), ("NDA_LLADDR", mac)],
            family=socket.AF_INET,
            ifindex=ifindex,
            state=PERMANENT,
        ),
        what,
    )


def set_proxy(ip: str, ifindex: int, what: str) -> NetlinkRequest:
    """Have a link answer ARP for an address that other links lead to, and for no other one."""
    message = _encode(
        ndmsg,
        _NEWNEIGH,
        CREATE | REPLACE,
        [("NDA_DST", ip)],
        family=socket.AF_INET,
        ifindex=ifindex,
        flags=_PROXY,
    )
    return NetlinkRequest(message, what)


def add_rule(priority: int, table: int, match: Attributes) -> NetlinkRequest:
    """Add an IPv4 policy rule `… lookup table` of ours."""
    return NetlinkRequest(
        _rule(_NEWRULE, CREATE | EXCL, priority, table, match),
        f"add policy rule {priority} lookup {table}",
        frozenset({errno.EEXIST}),
    )


def delete_rule(priority: int, table: int, match: Attributes) -> NetlinkRequest:
    """Remove a policy rule of ours."""
    return NetlinkRequest(
        _rule(_DELRULE, 0, priority, table, match),
        f"remove policy rule {priority} lookup {table}",
        frozenset({errno.ENOENT}),
    )


def get_link(name: str) -> bytes:
    """Ask for one link by name."""
    return _encode(ifinfmsg, _GETLINK, 0, [("IFLA_IFNAME", name), _SKIP_STATISTICS])


def get_link_index(ifindex: int) -> bytes:
    """Ask for one link by its index."""
    return _encode(ifinfmsg, _GETLINK, 0, [_SKIP_STATISTICS], index=ifindex)


def list_links() -> bytes:
    """Ask for all links."""
    return _encode(ifinfmsg, _GETLINK, DUMP, [_SKIP_STATISTICS])


def list_addresses() -> bytes:
    """Ask for all IPv4 addresses."""
    return _encode(ifaddrmsg, _GETADDR, DUMP, [], family=socket.AF_INET)


def list_routes() -> bytes:
    """Ask for all IPv4 routes of all tables."""
    return _encode(rtmsg, _GETROUTE, DUMP, [], family=socket.AF_INET)


def get_route(destination: str, *, source: str = "", iif: int = 0, mark: int = 0) -> bytes:
    """Ask for the route of one packet: of the node's own, or with `iif` of one that comes in by that link."""
    given = (("RTA_SRC", source), ("RTA_IIF", iif), ("RTA_MARK", mark))
    return _encode(
        rtmsg,
        _GETROUTE,
        0,
        [("RTA_DST", destination), *((name, value) for name, value in given if value)],
        family=socket.AF_INET,
        dst_len=_HOST_PREFIX,
        src_len=_HOST_PREFIX if source else 0,
        flags=_TELL_TABLE | _TELL_ROUTE,
    )


def list_neighbours() -> bytes:
    """Ask for all IPv4 neighbours."""
    return _encode(ndmsg, _GETNEIGH, DUMP, [], family=socket.AF_INET)


def list_proxies() -> bytes:
    """Ask for all IPv4 addresses that links answer for."""
    return _encode(ndmsg, _GETNEIGH, DUMP, [], family=socket.AF_INET, flags=_PROXY)


def list_rules() -> bytes:
    """Ask for all IPv4 policy rules."""
    return _encode(fibmsg, _GETRULE, DUMP, [], family=socket.AF_INET)


def decode(message_class: Any, data: bytes) -> Any:
    """Return a received message as pyroute2's class shows it; attributes are decoded when they are read."""
    message = message_class(data)
    message.decode()
    return message


def protocol_of(route: bytes) -> int:
    """Return who made a listed route, before the effort of decoding it: rtm_protocol of the header."""
    return route[21]


def is_configured(route: bytes) -> bool:
    """Whether a listed route is not one of the table `local`, which the kernel fills by the addresses."""
    return route[20] != _LOCAL_TABLE


def prefix_length_of(route: bytes) -> int:
    """Return the length of a listed route's destination, before decoding it; 0 is a default route."""
    return route[17]


def table_of(route: Any) -> int:
    """Return the table of a listed route or rule; the header's field holds 8 bits only."""
    table = route.get_attr("RTA_TABLE" if isinstance(route, rtmsg) else "FRA_TABLE")
    return int(route["table"] if table is None else table)


def _route(kind: int, flags: int, ip: str, table: int, attributes: Attributes) -> bytes:
    return _encode(
        rtmsg,
        kind,
        flags,
        [("RTA_DST", ip), ("RTA_TABLE", table), *attributes],
        family=socket.AF_INET,
        dst_len=_HOST_PREFIX,
        table=_small(table),
        proto=PROTOCOL,
        scope=SCOPE_LINK,
        type=_UNICAST,
    )


def _rule(kind: int, flags: int, priority: int, table: int, match: Attributes) -> bytes:
    return _encode(
        fibmsg,
        kind,
        flags,
        [("FRA_PRIORITY", priority), ("FRA_TABLE", table), ("FRA_PROTOCOL", PROTOCOL), *match],
        family=socket.AF_INET,
        table=_small(table),
        action=_TO_TABLE,
    )


def _small(table: int) -> int:
    return table if table < 256 else 0


def _encode(message_class: Any, kind: int, header_flags: int, attributes: Attributes, **fields: int) -> bytes:
    message = message_class()
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = list(attributes)
    message["header"]["type"] = kind
    message["header"]["flags"] = REQUEST | header_flags | (0 if header_flags & DUMP == DUMP else ACK)
    message.encode()
    # The kernel looks for the next message of a datagram at a multiple of four.
    return bytes(message.data) + b"\0" * (-len(message.data) % 4)
