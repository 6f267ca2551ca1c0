"""The generation of nftables: a number that differs after any change of any table in the network namespace.

What was listed at a generation is still so as long as that generation lasts. Asking for it takes 0.02 ms,
listing our table at 250 Pods 15 ms; in a repair round everybody who wants the list gets the same one. (Names
of links are only nft's reading of a number: a link that goes or is renamed makes no generation.)

Who made a generation is told by the port of a socket where that is ours. libnftables opens one of its own,
so what this process has written by it is known by the generations that it has made.
"""

import contextlib
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Generic, TypeVar

from ipamd.net.message import REQUEST, Message, attributes
from ipamd.net.netlink import NETFILTER, NetlinkSocket

_GET_GENERATION: Final = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_REQUEST: Final = struct.pack("=IHHIIBBH", 20, _GET_GENERATION, REQUEST, 0, 0, 0, 0, 0)
_HEADERS: Final = 20
_GENERATION: Final = 1  # NFTA_GEN_ID
_MADE: Final = 10 << 8 | 15  # NFT_MSG_NEWGEN

_OWN_NAMESPACE: Final = Path("/proc/thread-self/ns/net")

_writing: Final = threading.Lock()
_own: Final[deque[tuple[int, int]]] = deque(maxlen=64)
"""The newest generations that were made here, each with the number of its network namespace."""

_Listed = TypeVar("_Listed")


def current() -> int:
    """Return the generation in the calling thread's namespace; KernelError without nftables."""
    with NetlinkSocket(NETFILTER) as channel:
        answers = channel.dump(_REQUEST, "read the generation of nftables")
    return next(map(_number, answers), 0)


def made(message: Message) -> int:
    """Return which generation a notice says was just made, 0 for any other notice."""
    return _number(message.data) if message.kind == _MADE else 0


@contextlib.contextmanager
def own_write() -> Iterator[None]:
    """Remember the generation that the block makes, which is to write once; only if nobody else wrote too."""
    with _writing:
        before = current()
        yield
        if current() == before + 1:
            _remember(current_namespace(), before + 1)


def _remember(namespace: int, generation: int) -> None:
    """Note an own generation.

    The kernel gives the number of a namespace that is gone to a new one, whose generations begin anew: what
    is known of generations as high is about the former.
    """
    kept = [(other, known) for other, known in _own if other != namespace or known < generation]
    _own.clear()
    _own.extend([*kept, (namespace, generation)])


def is_own(generation: int, namespace: int) -> bool:
    """Whether an `own_write` has made it in that namespace; waits for one that is under way."""
    with _writing:
        return (namespace, generation) in _own


def current_namespace() -> int:
    """Return the number of the network namespace that the calling thread is in."""
    return _OWN_NAMESPACE.stat().st_ino


def _number(answer: bytes) -> int:
    return int.from_bytes(dict(attributes(answer, _HEADERS)).get(_GENERATION, b""), "big")


class GenerationCache(Generic[_Listed]):
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
