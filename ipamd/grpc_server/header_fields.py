"""Header fields of HTTP/2 (RFC 7541): the library `hpack` reads them; what is written enters no table."""

from typing import Final, NamedTuple

from hpack import Decoder
from hpack.exceptions import HPACKError

LARGEST_LIST: Final = 16384
"""Octets of decoded headers in one block, counted as SETTINGS_MAX_HEADER_LIST_SIZE does."""
_MOST_DECODED: Final = 4 * LARGEST_LIST
"""Octets after which decoding ends: a few octets may refer to a large entry of the table many times."""
_ENTRY_OVERHEAD: Final = 32


class Header(NamedTuple):
    """One field."""

    name: bytes
    value: bytes


class HeaderCompressionError(Exception):
    """The block is not HPACK; the connection cannot go on, because the table is unknown from now on."""


class HeaderDecoder:
    """The decoding side of one connection; blocks must be given in the order of their arrival.

    Invariant: the dynamic table never holds more than the 4096 octets that HTTP/2 begins with.
    Not for more than one thread.
    """

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=_MOST_DECODED)

    def decode(self, block: bytes) -> list[Header] | None:
        """Return the fields of a whole block, or None when they are larger than LARGEST_LIST.

        Raises: HeaderCompressionError, also for fields that are far larger.
        """
        try:
            fields = [
                Header(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)
            ]
        except HPACKError as e:
            # Some of its messages end with the address of a piece of memory.
            raise HeaderCompressionError(str(e).partition(": <")[0]) from None
        size = sum(_ENTRY_OVERHEAD + len(name) + len(value) for name, value in fields)
        return fields if size <= LARGEST_LIST else None


def literal(name: bytes, value: bytes) -> bytes:
    """Return a field that enters no table; the name has fewer than 127 octets."""
    return b"\x00" + bytes((len(name),)) + name + _length(len(value)) + value


def _length(length: int) -> bytes:
    """Write the length of a string that is not Huffman-coded (sections 5.1 and 5.2)."""
    if length < 0x7F:
        return bytes((length,))
    out, rest = bytearray((0x7F,)), length - 0x7F
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)
