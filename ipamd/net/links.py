"""Finding links of the namespace that the calling thread is in."""

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from ipamd.core import errors
from ipamd.net import rtnetlink
from ipamd.net.netlink import ROUTE, NetlinkSocket

_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link as it is; MAC in lower case, MTU in bytes."""

    name: str
    ifindex: int
    mac: str
    mtu: int
    up: bool
    alias: str


def by_name(channel: NetlinkSocket, name: str) -> Link | None:
    """Return the link of this name, or None."""
    try:
        (answer,) = channel.dump(rtnetlink.get_link(name), f"look up link {name}")
    except errors.KernelError as e:
        if e.errno == errno.ENODEV:
            return None
        raise
    return _link(rtnetlink.decode(ifinfmsg, answer))


def by_mac(channel: NetlinkSocket, mac: str) -> Link | None:
    """Return the link with this MAC; the oldest one, when VLANs and the like on top of it share the MAC."""
    wanted = bytes.fromhex(mac.replace(":", ""))
    answers = channel.dump(rtnetlink.list_links(), "list links")
    # A node has a link for each Pod and decoding one costs 0.1 ms: look at the bytes first.
    found = [_link(rtnetlink.decode(ifinfmsg, answer)) for answer in answers if wanted in answer]
    return min((link for link in found if link.mac == mac), key=lambda link: link.ifindex, default=None)


def await_mac(mac: str, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Link:
    """Return the link with this MAC as soon as it is there; TryAgainError when it does not come in time.

    An ENI that the cloud calls attached is seen by the guest a little later.
    """
    until = monotonic() + seconds
    while True:
        with NetlinkSocket(ROUTE) as channel:
            link = by_mac(channel, mac)
        if link is not None:
            return link
        left = until - monotonic()
        if left <= 0:
            raise errors.TryAgainError(
                f"no link with MAC {mac} appeared on the node within {seconds:g} s",
                advice="compare `ip link` with the ENIs that the cloud lists for this instance; one that is "
                "attached there and not shown here needs a guest that supports hot-plug, or a restart",
            )
        time.sleep(min(_POLL_SECONDS, left))


def listed(channel: NetlinkSocket) -> list[Link]:
    """Return all links."""
    answers = channel.dump(rtnetlink.list_links(), "list links")
    return [_link(rtnetlink.decode(ifinfmsg, answer)) for answer in answers]


def _link(message: Any) -> Link:
    return Link(
        name=message.get_attr("IFLA_IFNAME"),
        ifindex=message["index"],
        mac=(message.get_attr("IFLA_ADDRESS") or "").lower(),
        mtu=message.get_attr("IFLA_MTU") or 0,
        up=bool(message["flags"] & rtnetlink.IFF_UP),
        alias=message.get_attr("IFLA_IFALIAS") or "",
    )
