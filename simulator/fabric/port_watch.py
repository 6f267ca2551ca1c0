"""Hears when a link of the router is gone that nobody here has removed: its other end's namespace has ended.

The kernel ends a veth with the namespace of either end; the interface of a real CVM goes back to the CVM. Who
is told makes the link anew there (`vpc`). One thread in the router's namespace; it runs from `start` to
`close`, which may be called from any thread.
"""

import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from simulator.fabric import netns

_LINKS = 1
"""RTMGRP_LINK of linux/rtnetlink.h."""
_DELETED = 17
"""RTM_DELLINK, likewise."""
_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr of linux/netlink.h: length, type, flags, sequence, port."""
_LINK = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, device type, index, flags, change."""
_LARGEST = 65536


class PortWatch:
    """Tells of lost links by their index."""

    def __init__(self, netns_name: str, lost: Callable[[int], None]) -> None:
        """Take the namespace, and who hears of each link that is gone, also of those that were removed."""
        self._netns = netns_name
        self._lost = lost
        self._ready = threading.Event()
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, name=f"ports-of-{netns_name}", daemon=True)

    def start(self) -> None:
        """Begin to listen; what is lost after this returns is told."""
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        """End the thread."""
        os.write(self._waker, b"x")
        self._thread.join()
        os.close(self._wake)
        os.close(self._waker)

    def _run(self) -> None:
        try:
            netns.enter(self._netns)
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as channel:
                channel.bind((0, _LINKS))
                self._ready.set()
                while self._wake not in select.select([channel.fileno(), self._wake], [], [])[0]:
                    for index in _deleted(channel.recv(_LARGEST)):
                        self._lost(index)
        finally:
            self._ready.set()


def _deleted(datagram: bytes) -> Iterator[int]:
    """Yield the index of each link that the messages of a datagram call deleted."""
    offset = 0
    while offset + _HEADER.size + _LINK.size <= len(datagram):
        length, kind, *_ = _HEADER.unpack_from(datagram, offset)
        if kind == _DELETED:
            _, _, index, *_ = _LINK.unpack_from(datagram, offset + _HEADER.size)
            yield index
        offset += max(_HEADER.size, (length + 3) & ~3)
