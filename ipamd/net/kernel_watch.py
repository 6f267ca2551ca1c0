"""Hears at once when somebody else changes what the data plane has made (`notices` says what that is)."""

import contextlib
import errno
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Final

from ipamd.net import nft_generation, rtnetlink
from ipamd.net.netlink import NETFILTER, ROUTE, NetlinkSocket, Refusal, kernel_error
from ipamd.net.notices import NFTABLES_GROUP, ROUTE_GROUPS, Notices

_SOL_NETLINK: Final = 270
_ADD_MEMBERSHIP: Final = 1
_SO_RCVBUFFORCE: Final = 33
_BUFFER: Final = 1 << 21
"""Bytes: a sync of kube-proxy with a few thousand Services; more is an overflow, itself a reason."""
_HEAP_SECONDS: Final = 0.05
_DATAGRAM: Final = 1 << 15
"""Notices are much smaller; 64 KiB would be mapped and unmapped again for each (`ipamd.agent.memory`)."""
_OVERFLOW: Final = "more changes than could be listened to"


class KernelWatch:
    """Two sockets in the network namespace of the thread that makes this, which also waits."""

    def __init__(self) -> None:
        """Listen from now on; KernelError when the kernel refuses."""
        namespace = nft_generation.current_namespace()
        self._notices = Notices(lambda generation: nft_generation.is_own(generation, namespace))
        with contextlib.ExitStack() as opened:
            self._interrupted = _eventfd()
            opened.callback(os.close, self._interrupted)
            self._route = opened.enter_context(_listening(ROUTE, ROUTE_GROUPS))
            self._nftables = opened.enter_context(_listening(NETFILTER, (NFTABLES_GROUP,)))
            with NetlinkSocket(ROUTE) as channel:
                for answer in channel.dump(rtnetlink.list_links(), "list links"):
                    self._notices.know_link(answer)
            self._opened = opened.pop_all()

    def wait(self, seconds: float | None = None) -> list[str]:
        """Return what was changed, by kind, of what matters; nothing when there was nothing, or in time."""
        poll = select.poll()
        for descriptor in (self._route.fileno(), self._nftables.fileno(), self._interrupted):
            poll.register(descriptor, select.POLLIN)
        if poll.poll(None if seconds is None else seconds * 1000):
            # Changes come in heaps: a flush of rules is one message for each.
            time.sleep(_HEAP_SECONDS)
        overflows = _read(self._route, self._notices.hear_routes)
        overflows |= _read(self._nftables, self._notices.hear_nftables)
        return [*self._notices.take(), *([_OVERFLOW] if overflows else [])]

    def interrupt(self) -> None:
        """End the waiting from now on; for any thread, before `close`."""
        os.eventfd_write(self._interrupted, 1)

    def close(self) -> None:
        """Stop listening; for the thread that waits."""
        self._opened.close()


def _eventfd() -> int:
    try:
        return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    except OSError as e:
        raise kernel_error("make an eventfd", Refusal(e.errno or 0, "")) from e


def _listening(protocol: int, groups: tuple[int, ...]) -> socket.socket:
    what = f"listen to netlink protocol {protocol}"
    try:
        channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    except OSError as e:
        raise kernel_error(what, Refusal(e.errno or 0, "")) from e
    try:
        channel.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        channel.bind((0, 0))
        for group in groups:
            channel.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    except OSError as e:
        channel.close()
        raise kernel_error(what, Refusal(e.errno or 0, "")) from e
    return channel


def _read(channel: socket.socket, hear: Callable[[bytes], None]) -> bool:
    """Read what waits; return whether there was an overflow (ENOBUFS), which may have hidden anything."""
    overflow = False
    while True:
        try:
            hear(channel.recv(_DATAGRAM, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return overflow
        except OSError as e:
            if e.errno != errno.ENOBUFS:
                raise kernel_error("listen to the kernel", Refusal(e.errno or 0, "")) from e
            overflow = True
