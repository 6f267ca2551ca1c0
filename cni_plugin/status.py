"""gRPC status: the codes, what HTTP/2 failures mean in them, and the text of grpc-message.

The mappings are those of gRPC's documents "gRPC over HTTP2" (RST_STREAM codes, percent-encoding) and "HTTP to
gRPC Status Code Mapping". No state, safe from any thread.
"""

OK = 0
CANCELLED = 1
UNKNOWN = 2
DEADLINE_EXCEEDED = 4
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
UNAUTHENTICATED = 16

_NAMES = (
    b"OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    b"RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE "
    b"DATA_LOSS UNAUTHENTICATED"
)
_FROM_HTTP = {
    400: INTERNAL,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: UNIMPLEMENTED,
    429: UNAVAILABLE,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}
_FROM_RESET = {
    7: UNAVAILABLE,  # REFUSED_STREAM
    8: CANCELLED,  # CANCEL
    11: RESOURCE_EXHAUSTED,  # ENHANCE_YOUR_CALM
    12: PERMISSION_DENIED,  # INADEQUATE_SECURITY
}


class RpcError(Exception):
    """The call has no reply: a gRPC status from the agent, or one made here for a broken connection."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"gRPC status {self.code} {name(self.code)}: {self.message}"


def name(code: int) -> str:
    """Name a status code as gRPC does; a code that gRPC does not know counts as UNKNOWN."""
    names = _NAMES.decode().split()
    return names[code if 0 <= code < len(names) else UNKNOWN]


def from_http(code: bytes) -> int:
    """Translate the :status of an answer that is not gRPC's."""
    return _FROM_HTTP.get(int(code), UNKNOWN) if code.isdigit() and len(code) == 3 else UNKNOWN


def from_reset(code: int) -> int:
    """Translate the error code of RST_STREAM."""
    return _FROM_RESET.get(code, INTERNAL)


def percent_decoded(value: bytes) -> str:
    """Return the text of a grpc-message; what is no valid escape or no UTF-8 stays as readable as it can."""
    head, *escapes = value.split(b"%")
    parts = [head]
    for escape in escapes:
        digits = escape[:2]
        # int() alone would also take "+1", "1_" and blanks for digits.
        if len(digits) == 2 and not digits.strip(b"0123456789abcdefABCDEF"):
            parts.append(bytes((int(digits, 16),)) + escape[2:])
        else:
            parts.append(b"%" + escape)
    return b"".join(parts).decode("utf-8", "replace")
