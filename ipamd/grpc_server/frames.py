"""HTTP/2 frames (RFC 9113, sections 3.4, 4 and 6), as a server sees them: found in the stream, put together.

Knows what one frame may look like, not what it means (`connection`). Every length is bounded.
"""

import enum
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = 0, 1, 2, 3, 4, 5
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITIZED: Final = 0x20

LARGEST_FRAME: Final = 16384
"""SETTINGS_MAX_FRAME_SIZE both ways: the default, which is never raised."""
LARGEST_NUMBER: Final = (1 << 31) - 1
"""Of stream identifiers and of windows."""
DEFAULT_WINDOW: Final = 65535

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS = 1, 2, 3
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 4, 5, 6

_HEADER = struct.Struct(">HBBBL")
_SETTING = struct.Struct(">HL")
_NUMBER = struct.Struct(">L")


class ErrorCode(enum.IntEnum):
    """Error codes of RFC 9113, section 7, that are sent."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class ConnectionBreachError(Exception):
    """The peer breaks the protocol, or asks for too much: its connection ends with this code."""

    def __init__(self, code: ErrorCode, what: str) -> None:
        """Take the code and what is wrong, for the peer's log and ours."""
        super().__init__(code, what)
        self.code = code
        self.what = what


class Frame(NamedTuple):
    """One frame as it came."""

    kind: int
    flags: int
    stream: int
    payload: bytes


class FrameReader:
    """Collects received octets until frames are whole.

    Invariant: holds less than one frame between calls, apart from frames not yet asked for. A peer that does
    not begin with the preface and SETTINGS gets no further. Not for more than one thread.
    """

    __slots__ = ("_data", "_position", "_prefaced", "_settled")

    def __init__(self, *, greeted: bool = False) -> None:
        """Take whether the preface has been seen: a client's reader waits for none."""
        self._data = b""
        self._position = 0
        self._prefaced = greeted
        self._settled = False

    @property
    def is_inside(self) -> bool:
        """Whether the preface or a frame has begun and is not complete."""
        return not self._settled or self._position < len(self._data)

    def feed(self, data: bytes) -> None:
        """Add what the socket gave."""
        self._data = self._data[self._position :] + data if self._position < len(self._data) else data
        self._position = 0

    def next(self) -> Frame | None:
        """Return the next whole frame. Raises: ConnectionBreachError."""
        if not self._prefaced and not self._take_preface():
            return None
        start = self._position + _HEADER.size
        if start > len(self._data):
            return None
        high, low, kind, flags, stream = _HEADER.unpack_from(self._data, self._position)
        length = high << 8 | low
        if not self._settled and (kind != SETTINGS or flags & ACK):
            raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        if length > LARGEST_FRAME:
            raise ConnectionBreachError(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} octets")
        if start + length > len(self._data):
            return None
        self._settled = True
        self._position = start + length
        return Frame(kind, flags, stream & LARGEST_NUMBER, self._data[start : start + length])

    def _take_preface(self) -> bool:
        begun = self._data[: len(PREFACE)]
        if not PREFACE.startswith(begun):
            raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, "this is not HTTP/2")
        if len(begun) < len(PREFACE):
            return False
        self._position = len(PREFACE)
        self._prefaced = True
        return True


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Put a frame together."""
    length = len(payload)
    return _HEADER.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


def number(payload: bytes) -> int:
    """Read a payload that is one 32-bit number (RST_STREAM, WINDOW_UPDATE)."""
    if len(payload) != _NUMBER.size:
        raise ConnectionBreachError(ErrorCode.FRAME_SIZE_ERROR, f"a number in {len(payload)} octets")
    value: int = _NUMBER.unpack(payload)[0]
    return value


def numbers(*values: int) -> bytes:
    """Write 32-bit numbers (RST_STREAM, WINDOW_UPDATE, GOAWAY)."""
    return b"".join(map(_NUMBER.pack, values))


def settings(payload: bytes) -> Iterator[tuple[int, int]]:
    """Yield identifier and value of each entry of a SETTINGS frame."""
    if len(payload) % _SETTING.size:
        raise ConnectionBreachError(ErrorCode.FRAME_SIZE_ERROR, "settings cut off")
    yield from _SETTING.iter_unpack(payload)


def settings_frame(entries: dict[int, int]) -> bytes:
    """Put a SETTINGS frame together."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*entry) for entry in entries.items()))


def content(flags: int, payload: bytes, *, may_be_prioritized: bool = False) -> bytes:
    """Strip the padding, and the priority fields of a HEADERS frame that has them."""
    if flags & PADDED:
        if not payload or payload[0] >= len(payload):
            raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, "more padding than frame")
        payload = payload[1 : len(payload) - payload[0]]
    if may_be_prioritized and flags & PRIORITIZED:
        if len(payload) < 5:
            raise ConnectionBreachError(ErrorCode.FRAME_SIZE_ERROR, "priority fields cut off")
        payload = payload[5:]
    return payload
