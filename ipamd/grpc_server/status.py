"""gRPC's status codes, and the text that goes with one over the wire.

Codes: grpc.github.io/grpc/core/md_doc_statuscodes.html. Encoding: "gRPC over HTTP2", Status-Message.
"""

import enum
from typing import Final

_PLAIN: Final = frozenset(range(0x20, 0x7F)) - {0x25}
_LONGEST_TEXT: Final = 4096
"""Octets of a text before its encoding; a client's limit for all headers is 8 KiB at the least."""


class StatusCode(enum.IntEnum):
    """How a call has ended."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class RpcAbortError(Exception):
    """The call ends with this status instead of a message."""

    def __init__(self, code: StatusCode, text: str) -> None:
        """Take any code but OK, and a text for people."""
        super().__init__(code, text)
        self.code = code
        self.text = text


def encoded(text: str) -> bytes:
    """Return a text as the value of `grpc-message`: percent-encoded, not longer than a client takes."""
    octets = text.encode("utf-8", "replace")[:_LONGEST_TEXT]
    return b"".join(bytes((octet,)) if octet in _PLAIN else b"%%%02X" % octet for octet in octets)
