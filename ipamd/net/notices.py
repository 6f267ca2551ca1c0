"""What the kernel says by multicast of links, addresses, routes, rules and nftables, read for what is ours.

The question is only whether a repair round is worth while: something of ours was changed by somebody else.
Changes of our own are told from others by the port of the socket that made them (`netlink.is_ours`), in
nftables also by the generation, which is told after its changes; what the kernel does by itself has port 0.
Of links nobody is named: they are told of by name, and who hears of it knows which are ours. Pure, but for
the memory of how each link was.
"""

from collections.abc import Callable
from typing import Final

from ipamd.core import names
from ipamd.net import listing, netlink, nft_generation, rtnetlink
from ipamd.net.message import REPLACE, Message, messages
from ipamd.net.nft_elements import TABLE

ROUTE_GROUPS: Final = (1, 5, 7, 8)
"""RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV4_RULE of linux/rtnetlink.h."""
NFTABLES_GROUP: Final = 7
"""NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h."""

_FAMILY_OFFSET: Final = 16
_NO_FAMILY: Final = 0
"""AF_UNSPEC: of links themselves. Bridges tell of their ports by the same messages, with AF_BRIDGE; a port
that leaves its bridge is an RTM_DELLINK to them."""
_NEW_LINK, _DELETE_LINK = 16, 17
_NEW_ADDRESS, _DELETE_ADDRESS = 20, 21
_NEW_ROUTE, _DELETE_ROUTE = 24, 25
_NEW_RULE, _DELETE_RULE = 32, 33
LINK: Final = "link"
"""What a reason begins with that is about a link; its name follows."""
_TABLE: Final = TABLE.encode() + b"\0"


class Notices:
    """Collects from datagrams of both groups what of ours somebody else has changed.

    Invariant: `_links` has each link as it was last heard of, but with the `downs` of when it last had a
    carrier, or was new; `_reasons` are of the time since they were last taken; `_changed` while changes of
    our tables were heard and not yet which generation they make. For one thread.
    """

    def __init__(self, is_own: Callable[[int], bool]) -> None:
        """Take what says whether this process has made a generation of nftables."""
        self._is_own = is_own
        self._changed = False
        self._links: dict[int, listing.LinkState] = {}
        self._reasons: dict[str, None] = {}

    def take(self) -> list[str]:
        """Return what was changed since the last time: rule, route, address, nftables, link and its name."""
        found, self._reasons = list(self._reasons), {}
        return found

    def know_link(self, listed: bytes) -> None:
        """Take in a link that was there before; if it has no carrier, its coming up will be a reason."""
        link = listing.link_state(listed)
        self._links[link.ifindex] = link if link.carrier else link._replace(downs=link.downs - 1)

    def hear_routes(self, datagram: bytes) -> None:
        """Take in a datagram of the route groups."""
        for message in messages(datagram):
            if message.kind in (_NEW_LINK, _DELETE_LINK):
                if message.data[_FAMILY_OFFSET] == _NO_FAMILY:
                    self._hear_link(message)
            elif not netlink.is_ours(message.port) and (reason := _reason(message)):
                self._reasons[reason] = None

    def hear_nftables(self, datagram: bytes) -> None:
        """Take in a datagram of nftables."""
        # Most are of kube-proxy, thousands at a time: look at the bytes before the messages.
        if not self._changed and _TABLE not in datagram:
            return
        for message in messages(datagram):
            if _TABLE in message.data and not netlink.is_ours(message.port):
                self._changed = True
            elif self._changed and (generation := nft_generation.made(message)):
                self._changed = False
                if not self._is_own(generation):
                    self._reasons["nftables"] = None

    def _hear_link(self, message: Message) -> None:
        """Heed links that go, are taken down or get another name, and Pods' links that were down and are up.

        A Pod's end that is down is the Pod's affair; what it has lost can be made again when it is up. The
        first carrier of a new link is no reason: that is how ADD makes them.
        """
        link = listing.link_state(message.data)
        before = self._links.pop(link.ifindex, None)
        if message.kind == _DELETE_LINK:
            self._note_link(link.name)
            return
        is_back = before is not None and link.carrier and link.downs > before.downs
        self._links[link.ifindex] = (
            link if before is None or link.carrier else link._replace(downs=before.downs)
        )
        if before is None:
            return
        if link.name != before.name:
            self._note_link(before.name)
            self._note_link(link.name)
        if (before.up and not link.up) or (is_back and names.HOST_VETH.fullmatch(link.name)):
            self._note_link(link.name)

    def _note_link(self, name: str) -> None:
        self._reasons[f"{LINK} {name}"] = None


def _reason(message: Message) -> str:
    """Return what of ours a message of somebody else may be about, or nothing."""
    if message.kind == _DELETE_ROUTE and rtnetlink.protocol_of(message.data) == rtnetlink.PROTOCOL:
        return "route"
    if message.kind == _NEW_ROUTE and message.flags & REPLACE:
        return "route"  # it may have been ours that was replaced: nothing is said of that one
    if message.kind in (_NEW_RULE, _DELETE_RULE):
        return "rule"
    return "address" if message.kind in (_NEW_ADDRESS, _DELETE_ADDRESS) else ""
