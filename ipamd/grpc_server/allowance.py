"""How often a peer may send what asks for nothing: pings, settings, resets, empty or tiny frames.

Each costs us more than the peer. Attacks: CVE-2019-9512, -9515, -9518, CVE-2023-44487, CVE-2024-27316.
"""

from collections.abc import Callable
from typing import Final

from ipamd.grpc_server.frames import ConnectionBreachError, ErrorCode

_MOST: Final = 2000.0
_PER_SECOND: Final = 200.0
_PER_ANSWER: Final = 8.0
"""A client opens windows, measures the path by pings and acknowledges with each answer that it gets."""


class FrameAllowance:
    """Invariant: never more than `_MOST` is left. Not for more than one thread."""

    __slots__ = ("_clock", "_left", "_since")

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take a monotonic clock, in seconds."""
        self._clock = clock
        self._left = _MOST
        self._since = clock()

    def spend(self) -> None:
        """Pay for one frame. Raises: ConnectionBreachError when nothing is left."""
        self._left -= 1
        if self._left < 0:
            now = self._clock()
            self._left += min(_MOST, (now - self._since) * _PER_SECOND)
            self._since = now
            if self._left < 0:
                raise ConnectionBreachError(
                    ErrorCode.ENHANCE_YOUR_CALM, "too many frames that ask for nothing"
                )

    def earn(self) -> None:
        """Take in that the peer was sent a part of an answer."""
        self._left = min(_MOST, self._left + _PER_ANSWER)
