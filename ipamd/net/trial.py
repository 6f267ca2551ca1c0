"""Whether this kernel takes what the data plane asks of it: tried in a network namespace of its own.

The namespace ends with the trial, and with it all that was made. Nothing of the node changes.
"""

import os
from pathlib import Path
from typing import Final

from ipamd.net import netns, rtnetlink
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import DataPlaneConfig, Ranges
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.net.rtnetlink import VethEnd

_MACS: Final = ("02:00:00:00:00:01", "02:00:00:00:00:02")
_GATEWAY: Final = "192.0.2.1"
_NODE: Final = "192.0.2.2"
_POD: Final = "192.0.2.9"
_MTU: Final = 1500


def run(sysctl_root: Path) -> None:
    """Set up a node with two ENIs, which a pair of veth stands for, and one Pod's elements.

    Raises:
        NetnsError: nothing was tried.
        IpamError: what the kernel did not take.
    """
    netns.run_apart(lambda: _try_all(sysctl_root))


def _try_all(sysctl_root: Path) -> None:
    plane = DataPlane(DataPlaneConfig(sysctl_root=sysctl_root, link_wait=0.0))
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        first, second = (VethEnd(f"trial{i}", mac, _MTU) for i, mac in enumerate(_MACS))
        with NetlinkSocket(ROUTE) as channel:
            channel.change(rtnetlink.add_veth(first, second, own, "make a pair of veth links"))
        primary = plane.ensure_node(_MACS[0], Ranges(("198.51.100.0/24",)))
        with NetlinkSocket(ROUTE) as channel:
            # Without any address the kernel knows no gateway either.
            channel.change(rtnetlink.add_address(primary.ifindex, _NODE, "give the first link an address"))
        plane.ensure_eni(_MACS[1], _GATEWAY, wait=False)
        plane.set_eip_pod(_POD, wanted=True)
    finally:
        os.close(own)
        plane.close()
