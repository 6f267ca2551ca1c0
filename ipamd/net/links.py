"""Finding links of the namespace that the calling thread is in."""

import errno
import time
from collections.abc import Callable
from typing import Final

from ipamd.core import errors
from ipamd.net import listing, rtnetlink
from ipamd.net.listing import Link
from ipamd.net.netlink import ROUTE, NetlinkSocket

_POLL_SECONDS: Final = 0.1


def by_name(channel: NetlinkSocket, name: str) -> Link | None:
    """Return the link of this name, or None."""
    try:
        (answer,) = channel.dump(rtnetlink.get_link(name), f"look up link {name}")
    except errors.KernelError as e:
        if e.errno == errno.ENODEV:
            return None
        raise
    return listing.link(answer)


def by_index(channel: NetlinkSocket, ifindex: int) -> Link | None:
    """Return the link with this index, or None."""
    try:
        (answer,) = channel.dump(rtnetlink.get_link_index(ifindex), f"look up link {ifindex}")
    except errors.KernelError as e:
        if e.errno == errno.ENODEV:
            return None
        raise
    return listing.link(answer)


def by_mac(channel: NetlinkSocket, mac: str) -> Link | None:
    """Return the link with this MAC; the oldest one, when VLANs and the like on top of it share the MAC."""
    wanted = bytes.fromhex(mac.replace(":", ""))
    answers = channel.dump(rtnetlink.list_links(), "list links")
    # A node has a link for each Pod: look at the bytes before decoding.
    found = [listing.link(answer) for answer in answers if wanted in answer]
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
            waited = f" appeared on the node within {seconds:g} s" if seconds > 0 else " is on the node"
            raise errors.TryAgainError(
                f"no link with MAC {mac}{waited}",
                advice="compare `ip link` with the ENIs that the cloud lists for this instance; one that is "
                "attached there and not shown here needs a guest that supports hot-plug, or a restart",
            )
        time.sleep(min(_POLL_SECONDS, left))


def listed(channel: NetlinkSocket) -> list[Link]:
    """Return all links."""
    answers = channel.dump(rtnetlink.list_links(), "list links")
    return [listing.link(answer) for answer in answers]
