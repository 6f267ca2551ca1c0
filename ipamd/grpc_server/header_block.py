"""Header blocks of one connection: one HEADERS frame with its CONTINUATIONs, and what it decodes to."""

from typing import Final, NamedTuple

from ipamd.grpc_server import frames
from ipamd.grpc_server.frames import ConnectionBreachError, ErrorCode
from ipamd.grpc_server.header_fields import LARGEST_LIST, Header, HeaderCompressionError, HeaderDecoder

_LARGEST_BLOCK: Final = LARGEST_LIST


class HeaderFields(NamedTuple):
    """A whole block."""

    stream: int
    ends_stream: bool
    fields: list[Header] | None
    """None when they are larger than LARGEST_LIST."""


class HeaderBlocks:
    """Invariant: at most one block is open, of at most _LARGEST_BLOCK octets. For one thread."""

    __slots__ = ("_decoder", "_first_flags", "_fragments", "_stream")

    def __init__(self) -> None:
        self._decoder = HeaderDecoder()
        self._fragments = b""
        self._stream = 0
        self._first_flags = 0

    @property
    def is_open(self) -> bool:
        """Whether a block goes on: then nothing but CONTINUATION may come."""
        return bool(self._stream)

    def begin(self, flags: int, stream: int, payload: bytes) -> HeaderFields | None:
        """Take HEADERS; return the block if that is all of it. Raises: ConnectionBreachError."""
        if not stream & 1:
            raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, f"headers for stream {stream}")
        self._stream, self._first_flags = stream, flags
        return self._add(flags, frames.content(flags, payload, may_be_prioritized=True))

    def go_on(self, flags: int, stream: int, payload: bytes) -> HeaderFields | None:
        """Take CONTINUATION; return the block if that was the last of it. Raises: ConnectionBreachError."""
        if stream != self._stream:
            raise ConnectionBreachError(
                ErrorCode.PROTOCOL_ERROR, "a continuation of another stream's headers"
            )
        return self._add(flags, payload)

    def _add(self, flags: int, fragment: bytes) -> HeaderFields | None:
        block = self._fragments + fragment if self._fragments else fragment
        if len(block) > _LARGEST_BLOCK:
            raise ConnectionBreachError(
                ErrorCode.ENHANCE_YOUR_CALM, f"a header block of more than {_LARGEST_BLOCK} octets"
            )
        if not flags & frames.END_HEADERS:
            self._fragments = block
            return None
        stream, self._stream, self._fragments = self._stream, 0, b""
        try:
            decoded = self._decoder.decode(block)
        except HeaderCompressionError as e:
            raise ConnectionBreachError(ErrorCode.COMPRESSION_ERROR, str(e)) from None
        return HeaderFields(stream, bool(self._first_flags & frames.END_STREAM), decoded)
