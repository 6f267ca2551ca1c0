"""Links by netlink: finding one, waiting until it carries packets, and errors that name the object.

A link that is set up, or whose peer is, transmits only after the kernel's link watch has noticed its carrier;
until then every packet is dropped, for up to a second when the kernel takes the event for one of no urgency.
It does when both ends have the same index, so the router's ends are numbered apart (FIRST_PORT_INDEX).
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from simulator.fabric.api import FabricError

FIRST_PORT_INDEX = 1000
"""The router's links are numbered from here on; no CVM has so many links."""
PERMANENT = 0x80
"""NUD_PERMANENT of linux/neighbour.h."""
_PATIENCE = 5.0


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise FabricError "<what>: <cause>" for what the kernel refuses inside."""
    try:
        yield
    except NetlinkError as e:
        raise FabricError(f"{what}: {e.args[1]}") from e


def index_of(ipr: Any, name: str) -> int:
    """Give the index of a link by its name."""
    index: int = ipr.link("get", ifname=name)[0]["index"]
    return index


def wait_until_up(ipr: Any, index: int) -> None:
    """Wait until a link transmits; both ends must be up. Raises FabricError after 5 s."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        [link] = ipr.link("get", index=index)
        if link.get_attr("IFLA_OPERSTATE") == "UP":
            return
        if time.monotonic() > deadline:
            name = link.get_attr("IFLA_IFNAME")
            raise FabricError(f"link {name} has no carrier after {_PATIENCE:.0f} s; is its other end up?")
        time.sleep(0.001)
