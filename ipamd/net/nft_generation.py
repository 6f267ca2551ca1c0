"""The generation of nftables: a number that differs after any change of any table in the network namespace.

What was listed at a generation is still so as long as that generation lasts. Asking for it takes 0.02 ms,
listing our table at 250 Pods 15 ms; in a repair round everybody who wants the list gets the same one. (Names
of links are only nft's reading of a number: a link that goes or is renamed makes no generation.)
"""

import struct
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from ipamd.net.netlink import NETFILTER, REQUEST, NetlinkSocket, attributes

_GET_GENERATION: Final = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_REQUEST: Final = struct.pack("=IHHIIBBH", 20, _GET_GENERATION, REQUEST, 0, 0, 0, 0, 0)
_HEADERS: Final = 20
_GENERATION: Final = 1  # NFTA_GEN_ID

_Listed = TypeVar("_Listed")


def current() -> int:
    """Return the generation in the calling thread's namespace; KernelError without nftables."""
    with NetlinkSocket(NETFILTER) as channel:
        answers = channel.dump(_REQUEST, "read the generation of nftables")
    found = [dict(attributes(answer, _HEADERS)).get(_GENERATION, b"") for answer in answers]
    return next((int.from_bytes(number, "big") for number in found), 0)


class Remembered(Generic[_Listed]):
    """What a function lists, remembered for as long as the generation lasts.

    Invariant: `_known` was listed while `_generation` lasted. Thread safety: any thread may call; all of them
    in one network namespace.
    """

    def __init__(self, list_: Callable[[], _Listed]) -> None:
        """Take the function; what it returns is shared and must not be changed."""
        self._list = list_
        self._lock = threading.Lock()
        self._generation = -1
        self._known: _Listed | None = None

    def __call__(self) -> _Listed:
        """Return the list as it is now."""
        with self._lock:
            before = current()
            if self._known is None or before != self._generation:
                found = self._list()
                if current() != before:
                    self._generation, self._known = -1, None
                    return found
                self._generation, self._known = before, found
            return self._known
