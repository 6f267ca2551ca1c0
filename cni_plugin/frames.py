"""HTTP/2 frames (RFC 9113, sections 4 and 6): found in the byte stream, put together, taken apart.

Knows what one frame may look like, not what it means for the call (`exchange`). Every length is bounded.
"""

from cni_plugin import status

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = 0, 1, 2, 3, 4, 5
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9

END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITIZED = 0x4, 0x8, 0x20

LARGEST_FRAME = 16384
"""SETTINGS_MAX_FRAME_SIZE both ways: the default, which we do not raise; a peer that does gets no more."""

LARGEST_NUMBER = (1 << 31) - 1
"""Of stream identifiers and of windows."""


class Reader:
    """Collects received bytes until frames are whole.

    Invariant: holds less than one frame between calls, apart from frames not yet asked for. The first frame
    has to be the peer's SETTINGS, which tells at once whether HTTP/2 is spoken at all.
    """

    __slots__ = ("_received", "_settled")

    def __init__(self) -> None:
        self._received = bytearray()
        self._settled = False

    def feed(self, data: bytes) -> None:
        """Add what the socket gave."""
        self._received += data

    def next(self) -> tuple[int, int, int, bytes] | None:
        """Return kind, flags, stream and payload of the next whole frame; raises RpcError."""
        received = self._received
        if len(received) < 9:
            return None
        length = int.from_bytes(received[:3], "big")
        kind, flags = received[3], received[4]
        if not self._settled and (kind != SETTINGS or flags & ACK or length > LARGEST_FRAME):
            raise broken("what listens there does not speak gRPC")
        if length > LARGEST_FRAME:
            raise broken(f"a frame of {length} octets")
        if len(received) < 9 + length:
            return None
        self._settled = True
        stream = int.from_bytes(received[5:9], "big") & LARGEST_NUMBER
        payload = bytes(received[9 : 9 + length])
        del received[: 9 + length]
        return kind, flags, stream, payload


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Put a frame together."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def number(payload: bytes) -> int:
    """Read a payload that is one 32-bit number (RST_STREAM, WINDOW_UPDATE)."""
    if len(payload) != 4:
        raise broken(f"a number in {len(payload)} octets")
    return int.from_bytes(payload, "big")


def settings(payload: bytes) -> list[tuple[int, int]]:
    """Read the identifiers and values of a SETTINGS frame."""
    if len(payload) % 6:
        raise broken("settings cut off")
    entries = [payload[start : start + 6] for start in range(0, len(payload), 6)]
    return [(int.from_bytes(entry[:2], "big"), int.from_bytes(entry[2:], "big")) for entry in entries]


def content(flags: int, payload: bytes, *, prioritized: int = 0) -> bytes:
    """Strip the padding, and the priority fields of a HEADERS frame that has them."""
    if flags & PADDED:
        if not payload or payload[0] >= len(payload):
            raise broken("more padding than frame")
        payload = payload[1 : len(payload) - payload[0]]
    if flags & prioritized:
        if len(payload) < 5:
            raise broken("priority fields cut off")
        payload = payload[5:]
    return payload


def broken(what: str) -> status.RpcError:
    """Make the error for a peer that breaks the protocol."""
    return status.RpcError(status.INTERNAL, f"broken answer: {what}")
