"""The request message under HTTP/2 flow control (RFC 9113, sections 5.2 and 6.9).

A GC request lists every valid attachment of the node and may outgrow the 65535 octets that any peer takes.
"""

from cni_plugin import frames

DEFAULT_WINDOW = 65535
_INITIAL_WINDOW_SIZE = 4


class Upload:
    """What is still to be sent on one stream.

    Invariant: never more octets are handed out than both windows, of the connection and of the stream, allow.
    Not for more than one thread.
    """

    __slots__ = ("_connection_credit", "_initial", "_message", "_sent", "_stream", "_stream_credit")

    def __init__(self, stream: int, message: bytes) -> None:
        """Prefix `message` as gRPC does: not compressed, its length."""
        self._stream = stream
        self._message = b"\x00" + len(message).to_bytes(4, "big") + message
        self._sent = 0
        self._connection_credit = self._stream_credit = self._initial = DEFAULT_WINDOW

    def sendable(self) -> bytes:
        """Return the DATA frames that may go now; the last one ends the stream."""
        out = []
        left = len(self._message) - self._sent
        while left:
            size = min(self._connection_credit, self._stream_credit, frames.LARGEST_FRAME, left)
            if size <= 0:
                break
            left -= size
            chunk = self._message[self._sent : self._sent + size]
            out.append(frames.frame(frames.DATA, 0 if left else frames.END_STREAM, self._stream, chunk))
            self._sent += size
            self._connection_credit -= size
            self._stream_credit -= size
        return b"".join(out)

    def widen(self, stream: int, increment: int) -> None:
        """Take a WINDOW_UPDATE."""
        if stream == 0:
            self._connection_credit += increment
        elif stream == self._stream:
            self._stream_credit += increment
        if increment == 0 or max(self._connection_credit, self._stream_credit) > frames.LARGEST_NUMBER:
            raise frames.broken("a window update out of range")

    def apply(self, settings: list[tuple[int, int]]) -> None:
        """Take the peer's SETTINGS; a new initial window counts for the open stream too, even below zero."""
        for identifier, value in settings:
            if identifier == _INITIAL_WINDOW_SIZE:
                self._stream_credit += value - self._initial
                self._initial = value
                if max(value, self._stream_credit) > frames.LARGEST_NUMBER:
                    raise frames.broken("an initial window out of range")
