"""Requests to rtnetlink for policy rules, and for routes that are to go, encoded by pyroute2.

They are made when an ENI comes or goes, or somebody has changed what it has; what every ADD, DEL and repair
round needs is encoded in rtnetlink.py. Every rule carries PROTOCOL, so that only our own are ever removed.
"""

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final

from ipamd.net.message import ACK, CREATE, EXCL, REQUEST
from ipamd.net.netlink import NetlinkRequest
from ipamd.net.pyroute2_messages import fibmsg, rtmsg
from ipamd.net.rtnetlink import KERNEL_PROTOCOL, MAIN_TABLE, PROTOCOL, small_table

_DELROUTE: Final = 25
_NEWRULE, _DELRULE = 32, 33
_ANY_SCOPE: Final = 255
_TO_TABLE: Final = 1

Attributes = Sequence[tuple[str, Any]]


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


def delete_subnet_route(destination: str, prefix_length: int, ifindex: int, what: str) -> NetlinkRequest:
    """Remove a route that the kernel made for an address of a link from main, whatever its other fields."""
    made = _encode(
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
    return NetlinkRequest(made, what, frozenset({errno.ESRCH}))


def delete_route(listed: bytes, what: str) -> NetlinkRequest:
    """Remove a route as it was listed."""
    route = rtmsg(listed)
    route.decode()
    kept = ("RTA_DST", "RTA_OIF", "RTA_GATEWAY", "RTA_TABLE", "RTA_PRIORITY", "RTA_PREFSRC")
    attributes = [(name, route.get_attr(name)) for name in kept if route.get_attr(name) is not None]
    fields = {name: route[name] for name in ("family", "dst_len", "tos", "table", "proto", "scope", "type")}
    return NetlinkRequest(_encode(rtmsg, _DELROUTE, 0, attributes, **fields), what, frozenset({errno.ESRCH}))


def _rule(kind: int, flags: int, priority: int, table: int, match: Attributes) -> bytes:
    return _encode(
        fibmsg,
        kind,
        flags,
        [("FRA_PRIORITY", priority), ("FRA_TABLE", table), ("FRA_PROTOCOL", PROTOCOL), *match],
        family=socket.AF_INET,
        table=small_table(table),
        action=_TO_TABLE,
    )


def _encode(message_class: Any, kind: int, flags: int, attributes: Attributes, **fields: int) -> bytes:
    message = message_class()
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = list(attributes)
    message["header"]["type"] = kind
    message["header"]["flags"] = REQUEST | ACK | flags
    message.encode()
    # The kernel looks for the next message of a datagram at a multiple of four.
    return bytes(message.data) + b"\0" * (-len(message.data) % 4)
