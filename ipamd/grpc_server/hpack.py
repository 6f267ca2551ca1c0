"""Header decompression of HTTP/2 (RFC 7541).

Only decoding: what the server sends is written without the dynamic table. Bounded in the size of the table
and of what a block may say, because a few octets may refer to a large entry many times.
"""

from collections import deque
from typing import Final

TABLE_SIZE: Final = 4096
"""Octets of the dynamic table that the peer may use: the default of HTTP/2, never changed by our SETTINGS."""
LARGEST_LIST: Final = 16384
"""Octets of decoded headers in one block, counted as SETTINGS_MAX_HEADER_LIST_SIZE does."""
_ENTRY_OVERHEAD: Final = 32
_MOST_SHIFTS: Final = 28

Header = tuple[bytes, bytes]


class HeaderCompressionError(Exception):
    """The block is not HPACK; the connection cannot go on, because the table is unknown from now on."""


class HeaderDecoder:
    """The decoding side of one connection; blocks must be given in the order of their arrival.

    Invariant: the dynamic table never holds more octets than its maximum, which never exceeds TABLE_SIZE.
    Not for more than one thread.
    """

    __slots__ = ("_dynamic", "_maximum", "_size")

    def __init__(self) -> None:
        self._dynamic: deque[Header] = deque()
        self._size = 0
        self._maximum = TABLE_SIZE

    def decode(self, block: bytes) -> list[Header] | None:
        """Return the fields of a whole block, or None when they are larger than LARGEST_LIST.

        Raises: HeaderCompressionError.
        """
        try:
            return self._decode(block)
        except IndexError:
            raise HeaderCompressionError("the header block ends inside a field") from None

    def _decode(self, block: bytes) -> list[Header] | None:
        headers: list[Header] = []
        remaining, position, fields, end = LARGEST_LIST, 0, 0, len(block)
        while position < end:
            first = block[position]
            if first & 0x80:
                index, position = _integer(block, position, 0x7F)
                header = self._entry(index)
            elif first & 0x40:
                header, position = self._literal(block, position, 0x3F)
                self._insert(header)
            elif first & 0x20:
                if fields:
                    raise HeaderCompressionError("a table size update after a header field")
                maximum, position = _integer(block, position, 0x1F)
                self._resize(maximum)
                continue
            else:
                header, position = self._literal(block, position, 0x0F)
            fields += 1
            remaining -= _ENTRY_OVERHEAD + len(header[0]) + len(header[1])
            if remaining >= 0:
                headers.append(header)
        return headers if remaining >= 0 else None

    def _literal(self, block: bytes, position: int, mask: int) -> tuple[Header, int]:
        index, position = _integer(block, position, mask)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        return (name, value), position

    def _entry(self, index: int) -> Header:
        if 0 < index <= len(_STATIC):
            return _STATIC[index - 1]
        if not len(_STATIC) < index <= len(_STATIC) + len(self._dynamic):
            raise HeaderCompressionError(f"no table entry {index}")
        return self._dynamic[index - len(_STATIC) - 1]

    def _insert(self, header: Header) -> None:
        self._size += _ENTRY_OVERHEAD + len(header[0]) + len(header[1])
        self._dynamic.appendleft(header)
        self._evict()

    def _resize(self, maximum: int) -> None:
        if maximum > TABLE_SIZE:
            raise HeaderCompressionError(f"a table of {maximum} octets, {TABLE_SIZE} are allowed")
        self._maximum = maximum
        self._evict()

    def _evict(self) -> None:
        while self._size > self._maximum:
            name, value = self._dynamic.pop()
            self._size -= _ENTRY_OVERHEAD + len(name) + len(value)


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


def _integer(block: bytes, position: int, mask: int) -> tuple[int, int]:
    """Read an integer (section 5.1); four octets after the first are far more than any honest peer needs."""
    value = block[position] & mask
    position += 1
    if value < mask:
        return value, position
    for shift in range(0, _MOST_SHIFTS, 7):
        octet = block[position]
        position += 1
        value += (octet & 0x7F) << shift
        if octet < 0x80:
            return value, position
    raise HeaderCompressionError("an integer of more than five octets")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """Read a string (section 5.2)."""
    is_coded = block[position] & 0x80
    length, position = _integer(block, position, 0x7F)
    end = position + length
    if end > len(block):
        raise HeaderCompressionError("the header block ends inside a string")
    text = block[position:end]
    if is_coded:
        from ipamd.grpc_server import huffman  # noqa: PLC0415 - the plugin, which calls most, codes nothing

        try:
            text = huffman.decode(text)
        except huffman.HuffmanCodeError as e:
            raise HeaderCompressionError(f"Huffman: {e}") from None
    return text, end


_STATIC: Final[tuple[Header, ...]] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *((b":status", code) for code in b"200 204 206 304 400 404 500".split()),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    *(
        (name, b"")
        for name in (
            b"accept-language accept-ranges accept access-control-allow-origin age allow authorization "
            b"cache-control content-disposition content-encoding content-language content-length "
            b"content-location content-range content-type cookie date etag expect expires from host if-match "
            b"if-modified-since if-none-match if-range if-unmodified-since last-modified link location "
            b"max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server "
            b"set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate"
        ).split()
    ),
)
"""Appendix A."""
