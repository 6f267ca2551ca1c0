"""A gRPC request on one stream: what its headers ask for, and its one message ("gRPC over HTTP2", Requests).

The order of the header fields does not matter here: plugins of earlier releases put `:path` behind a regular
field, which RFC 9113 forbids (8.3), and an agent has to serve those until they are replaced.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from ipamd.grpc_server.header_fields import LARGEST_LIST, Header
from ipamd.grpc_server.status import RpcAbortError, StatusCode

LARGEST_MESSAGE: Final = 2 << 20
"""Octets of a request; the GC of a full node has a few ten thousand."""
PREFIX: Final = 5
"""Octets before a message: whether it is compressed, and its length."""

_CONTENT_TYPE: Final = b"application/grpc"
_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MOST_DIGITS: Final = 8


class NotGrpcError(Exception):
    """The request is HTTP and not gRPC: it is answered with this HTTP status and no gRPC one."""

    def __init__(self, http_status: bytes) -> None:
        """Take the status, three digits."""
        super().__init__(http_status)
        self.http_status = http_status


class RequestHead(NamedTuple):
    """What the headers of a request ask for."""

    path: str
    timeout: float
    """Seconds from the arrival; infinite when the caller sets no deadline."""


def read_head(headers: list[Header] | None, knows: Callable[[str], bool]) -> RequestHead:
    """Return what is asked for; None are headers that are too large. Raises: RpcAbortError, NotGrpcError."""
    if headers is None:
        raise RpcAbortError(StatusCode.RESOURCE_EXHAUSTED, f"headers of more than {LARGEST_LIST} octets")
    fields = dict(headers)
    if fields.get(b":method") != b"POST":
        raise NotGrpcError(b"405")
    kind = fields.get(b"content-type", b"")
    # "application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"; not grpc-web.
    if kind[: len(_CONTENT_TYPE)] != _CONTENT_TYPE or kind[len(_CONTENT_TYPE) :][:1] not in (b"", b"+", b";"):
        raise NotGrpcError(b"415")
    path = fields.get(b":path", b"").decode("utf-8", "replace")
    if not knows(path):
        raise RpcAbortError(StatusCode.UNIMPLEMENTED, f"there is no method {path[:200]} here")
    coding = fields.get(b"grpc-encoding", b"identity")
    if coding != b"identity":
        text = f"grpc-encoding {coding[:40]!r} is not supported; send messages uncompressed (identity)"
        raise RpcAbortError(StatusCode.UNIMPLEMENTED, text)
    return RequestHead(path, _timeout(fields.get(b"grpc-timeout")))


def _timeout(value: bytes | None) -> float:
    if value is None:
        return math.inf
    digits, unit = value[:-1], _UNITS.get(value[-1:])
    if unit is None or not digits.isdigit() or len(digits) > _MOST_DIGITS:
        raise RpcAbortError(
            StatusCode.INTERNAL, f"grpc-timeout is {value[:40]!r}; it must be digits and a unit"
        )
    return int(digits) * unit


class MessageReader:
    """Collects the one message of a request.

    Invariant: holds no more than one message of LARGEST_MESSAGE octets. Not for more than one thread.
    """

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """Add content of the stream. Raises: RpcAbortError as soon as it cannot be one message."""
        held = self._data
        held += data  # in place: a peer that sends in tiny pieces must not make us copy all of it each time
        if not held:
            return
        if held[0]:
            raise RpcAbortError(
                StatusCode.INTERNAL, "a compressed message, and no grpc-encoding that says how"
            )
        if len(held) < PREFIX:
            return
        length = int.from_bytes(held[1:PREFIX], "big")
        if length > LARGEST_MESSAGE:
            raise RpcAbortError(
                StatusCode.RESOURCE_EXHAUSTED, f"a message of {length} octets; {LARGEST_MESSAGE} are taken"
            )
        if len(held) > PREFIX + length:
            raise RpcAbortError(StatusCode.INTERNAL, "more than one message in the request")

    def message(self) -> bytes:
        """Return the message of the stream that has ended. Raises: RpcAbortError."""
        held = self._data
        if len(held) < PREFIX or len(held) < PREFIX + int.from_bytes(held[1:PREFIX], "big"):
            raise RpcAbortError(StatusCode.INTERNAL, "the request has ended before its message")
        return bytes(memoryview(held)[PREFIX:])
