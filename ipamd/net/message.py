"""Netlink messages as bytes: built from a header and attributes, and taken apart again. Pure.

    nlmsghdr   length, type, flags, sequence number, port          (linux/netlink.h)
    header     of the family: ifinfomsg, rtmsg, nfgenmsg …
    nlattr     length, type, payload, padded to a multiple of four; again and again

A number in an attribute is the machine's own, but in nftables the network's.
"""

import struct
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

REQUEST: Final = 0x1
ACK: Final = 0x4
DUMP: Final = 0x300
EXCL: Final = 0x200
REPLACE: Final = 0x100
CREATE: Final = 0x400

NESTED: Final = 0x8000
"""NLA_F_NESTED: the payload of the attribute consists of attributes. nftables asks for it."""
TYPE_OFFSET: Final = 4
FLAGS_OFFSET: Final = 6 if sys.byteorder == "little" else 7
"""Of the byte of a header's flags in which REQUEST and ACK are."""
SEQUENCE_OFFSET: Final = 8
HEADER: Final = struct.Struct("=IHHII")
_TYPE_MASK: Final = 0x3FFF
_ATTRIBUTE: Final = struct.Struct("=HH")
_NUMBER: Final = struct.Struct("=HHI")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""By the remainder of a length by four: what follows up to the next multiple of four."""


class Message(NamedTuple):
    """One received message; `data` is all of it, header included, `port` that of who has caused it."""

    kind: int
    flags: int
    sequence: int
    port: int
    data: bytes


def message(kind: int, flags: int, header: bytes, *found: bytes) -> bytes:
    """Return a message of encoded attributes, without its sequence number, which who sends it writes."""
    body = b"".join(found)
    length = HEADER.size + len(header) + len(body)
    return HEADER.pack(length, kind, REQUEST | flags, 0, 0) + header + body


def attribute(kind: int, payload: bytes) -> bytes:
    """Return an attribute, padded. Raises: struct.error when it is longer than the 16 bits of its length."""
    length = len(payload)
    return _ATTRIBUTE.pack(length + 4, kind) + payload + _PADDING[length & 3]


def u32(kind: int, value: int) -> bytes:
    """Return an attribute that is a number of 32 bits. Raises: struct.error when the number has more."""
    return _NUMBER.pack(8, kind, value)


def text(kind: int, value: str) -> bytes:
    """Return an attribute that is a text, with the NUL at its end."""
    return attribute(kind, value.encode() + b"\0")


def messages(datagram: bytes) -> Iterator[Message]:
    """Yield the messages that were received together."""
    offset, end = 0, len(datagram) - HEADER.size
    while offset <= end:
        length, kind, flags, sequence, port = HEADER.unpack_from(datagram, offset)
        yield Message(kind, flags, sequence, port, datagram[offset : offset + length])
        offset += max(HEADER.size, (length + 3) & ~3)


def attributes(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield type (without its flag bits) and payload of each attribute from an offset to the end."""
    # A repair round at 250 Pods comes by 15,000 times: nothing is called that need not be.
    unpack, end = _ATTRIBUTE.unpack_from, len(data) - 4
    while offset <= end:
        length, kind = unpack(data, offset)
        yield kind & _TYPE_MASK, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3 if length > 4 else 4
