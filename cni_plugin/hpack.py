"""Header decompression of HTTP/2 (RFC 7541).

Only decoding: the shim's own headers are written without the dynamic table (see `exchange`). Bounded in the
size of the table and of the decoded headers, because a few bytes may refer to a large entry many times.
"""

TABLE_SIZE = 4096
"""Octets of the dynamic table that the peer may use: the default of HTTP/2, never changed by our SETTINGS."""

LARGEST_LIST = 65536
"""Octets of decoded headers in one block, counted as SETTINGS_MAX_HEADER_LIST_SIZE does."""

_ENTRY_OVERHEAD = 32

_STATIC = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *[(b":status", code) for code in b"200 204 206 304 400 404 500".split()],
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    *[
        (name, b"")
        for name in (
            b"accept-language accept-ranges accept access-control-allow-origin age allow authorization "
            b"cache-control content-disposition content-encoding content-language content-length "
            b"content-location content-range content-type cookie date etag expect expires from host if-match "
            b"if-modified-since if-none-match if-range if-unmodified-since last-modified link location "
            b"max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server "
            b"set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate"
        ).split()
    ],
)


class HpackError(Exception):
    """The block is not HPACK, or larger than what is taken; the connection cannot go on."""


class Decoder:
    """The decoding side of one connection; blocks must be given in the order of their arrival.

    Invariant: the dynamic table never holds more octets than its current maximum, which never exceeds
    TABLE_SIZE. Not for more than one thread.
    """

    __slots__ = ("_dynamic", "_maximum", "_size")

    def __init__(self) -> None:
        self._dynamic: list[tuple[bytes, bytes]] = []
        self._size = 0
        self._maximum = TABLE_SIZE

    def decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """Return the header fields of one whole block; raises HpackError."""
        try:
            return self._decode(block)
        except IndexError:
            raise HpackError("the header block ends inside a field") from None

    def _decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = []
        room = LARGEST_LIST
        position = 0
        while position < len(block):
            first = block[position]
            if first & 0x80:
                index, position = _integer(block, position, 7)
                header = self._entry(index)
            elif first & 0xE0 == 0x20:
                if headers:
                    raise HpackError("a table size update after a header field")
                maximum, position = _integer(block, position, 5)
                self._resize(maximum)
                continue
            else:
                header, position = self._literal(block, position, indexed=bool(first & 0x40))
            room -= _ENTRY_OVERHEAD + len(header[0]) + len(header[1])
            if room < 0:
                raise HpackError(f"more than {LARGEST_LIST} octets of headers")
            headers.append(header)
        return headers

    def _literal(self, block: bytes, position: int, *, indexed: bool) -> tuple[tuple[bytes, bytes], int]:
        index, position = _integer(block, position, 6 if indexed else 4)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        if indexed:
            self._insert(name, value)
        return (name, value), position

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        if index == 0 or index > len(_STATIC) + len(self._dynamic):
            raise HpackError(f"no table entry {index}")
        return _STATIC[index - 1] if index <= len(_STATIC) else self._dynamic[index - len(_STATIC) - 1]

    def _insert(self, name: bytes, value: bytes) -> None:
        self._size += _ENTRY_OVERHEAD + len(name) + len(value)
        self._dynamic.insert(0, (name, value))
        self._evict()

    def _resize(self, maximum: int) -> None:
        if maximum > TABLE_SIZE:
            raise HpackError(f"a table of {maximum} octets, {TABLE_SIZE} are allowed")
        self._maximum = maximum
        self._evict()

    def _evict(self) -> None:
        while self._size > self._maximum:
            name, value = self._dynamic.pop()
            self._size -= _ENTRY_OVERHEAD + len(name) + len(value)


def _integer(block: bytes, position: int, prefix: int) -> tuple[int, int]:
    """Read an integer (section 5.1); four octets after the prefix are far more than any honest peer needs."""
    limit = (1 << prefix) - 1
    value = block[position] & limit
    position += 1
    if value < limit:
        return value, position
    for shift in range(0, 28, 7):
        octet = block[position]
        position += 1
        value += (octet & 0x7F) << shift
        if octet < 0x80:
            return value, position
    raise HpackError("an integer of more than five octets")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """Read a string (section 5.2)."""
    huffman_coded = block[position] & 0x80
    length, position = _integer(block, position, 7)
    end = position + length
    if end > len(block):
        raise HpackError("the header block ends inside a string")
    text = block[position:end]
    if huffman_coded:
        from cni_plugin import huffman  # noqa: PLC0415 - costs start-up time and is seldom needed

        try:
            text = huffman.decode(text)
        except huffman.HuffmanError as error:
            raise HpackError(f"Huffman: {error}") from None
    return text, end
