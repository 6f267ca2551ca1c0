"""An ENI that one Pod has as a whole: its link, moved into the Pod's namespace and back.

    on the node    down, without address, called "tke" and its MAC: no name that udev, or a Pod, has
    in the Pod     CNI_IFNAME, with the Pod's address, default route by the subnet's gateway

The link is always found by its MAC: its name changes with each move, its index may, and the kernel that
brings it back from a namespace that has ended gives a name of its own (default_device_exit, net/core/dev.c).
It is set down before it is renamed, as older kernels demand. Done again, each function finds what is done
already.
Thread safety: any thread, one at a time for one ENI (the address's lock of `ipamd.agent.pods.locks`).
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ipamd.core import errors
from ipamd.net import exclusive_side, links, netns, rtnetlink
from ipamd.net.listing import Link
from ipamd.net.model import OwnEni, PodWiring
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.sysctls import Sysctls

_OWN_NAMESPACE: Final = Path("/proc/thread-self/ns/net")
_PREFIX: Final = "tke"


def spare_name(mac: str) -> str:
    """Return what the link is called while no Pod has it: 15 characters, the most that a name may have."""
    return _PREFIX + mac.replace(":", "")


def enter(pod: PodWiring, own: OwnEni, namespace: int, sysctls: Sysctls) -> int:
    """Make the ENI the Pod's interface; return its index there.

    Raises: TryAgainError when the link is neither on the node nor in the namespace; KernelError.
    """
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_mac(channel, own.mac)
        if link is not None:
            _put_away(channel, link)
            what = f"move {own.mac} into {pod.netns_path}"
            channel.change(rtnetlink.move_link(link.ifindex, namespace, what))
    return netns.run_inside(namespace, lambda: exclusive_side.configure_eni(pod, own, sysctls))


def bring_back(mac: str, netns_path: str) -> bool:
    """Have the link on the node, down, whatever namespace had it; say whether it is there.

    It is not when its namespace is gone: then the kernel brings it, a moment later. Raises: KernelError.
    """
    if put_away(mac):
        return True
    if not netns_path:
        return False
    with contextlib.suppress(errors.NetnsError), _here() as home, netns.opened(netns_path) as namespace:
        netns.run_inside(namespace, lambda: _send(mac, home))
    return put_away(mac)


def put_away(mac: str) -> bool:
    """Have a link of the node that no Pod is to have down and out of the way; say whether it is here."""
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_mac(channel, mac)
        if link is not None:
            _put_away(channel, link)
    return link is not None


def is_here(mac: str) -> bool:
    """Whether the link is in the namespace of the calling thread now."""
    with NetlinkSocket(ROUTE) as channel:
        return links.by_mac(channel, mac) is not None


def is_put_away(link: Link) -> bool:
    """Whether a link of the node is as `put_away` leaves it."""
    return not link.up and link.name == spare_name(link.mac)


def _put_away(channel: NetlinkSocket, link: Link) -> None:
    if link.up:
        channel.change(rtnetlink.set_down(link.ifindex, f"set {link.name} down"))
    if link.name != spare_name(link.mac):
        what = f"rename {link.name} to {spare_name(link.mac)}"
        channel.change(rtnetlink.rename_link(link.ifindex, spare_name(link.mac), what))


def _send(mac: str, home: int) -> None:
    """Send the link home from the namespace of the calling thread."""
    with NetlinkSocket(ROUTE) as channel:
        link = links.by_mac(channel, mac)
        if link is not None:
            _put_away(channel, link)
            channel.change(rtnetlink.move_link(link.ifindex, home, f"move {mac} back to the node"))


@contextlib.contextmanager
def _here() -> Iterator[int]:
    descriptor = os.open(_OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
