"""One stream of a connection: the request that comes, the answer that goes under the peer's flow control."""

from typing import Final

from ipamd.grpc_server import frames, header_fields
from ipamd.grpc_server.request import MessageReader, RequestHead
from ipamd.grpc_server.status import StatusCode, encoded

# By static table entries: ":status 200", and the name content-type.
_OK_HEADERS: Final = b"\x88\x0f\x10\x10application/grpc"
_STATUS_OK: Final = header_fields.literal(b"grpc-status", b"0")
_ACCEPTED: Final = header_fields.literal(b"grpc-accept-encoding", b"identity")


class SendWindow:
    """How much the peer takes on all streams together. Not for more than one thread."""

    __slots__ = ("credit",)

    def __init__(self) -> None:
        self.credit = frames.DEFAULT_WINDOW


class ServerStream:
    """Invariant: what is sent of messages never exceeds the windows, of the stream and of the connection.

    Not for more than one thread.
    """

    __slots__ = (
        "_headers_sent",
        "_shared",
        "_trailers",
        "_unsent",
        "credit",
        "has_ended",
        "head",
        "identifier",
        "is_complete",
        "is_taken",
        "receivable",
        "request",
    )

    def __init__(self, identifier: int, *, receivable: int, credit: int, shared: SendWindow) -> None:
        """Take the octets that may come, those that may go, and the window of the connection."""
        self.identifier = identifier
        self.receivable = receivable
        self.credit = credit
        self._shared = shared
        self.head: RequestHead | None = None
        self.request = MessageReader()
        self.is_complete = False
        """Whether the peer has ended its side."""
        self.is_taken = False
        """Whether the request was handed on."""
        self.has_ended = False
        """Whether our side has ended: everything of the answer is out."""
        self._headers_sent = False
        self._unsent = b""
        self._trailers = b""

    @property
    def backlog(self) -> int:
        """Octets of messages that the peer's windows hold up."""
        return len(self._unsent)

    def headers(self) -> bytes:
        """Return the headers of an answer, if they have not gone yet."""
        if self._headers_sent:
            return b""
        self._headers_sent = True
        return frames.frame(frames.HEADERS, frames.END_HEADERS, self.identifier, _OK_HEADERS)

    def message(self, message: bytes) -> bytes:
        """Queue a message; return the frames that may go now."""
        head = self.headers()
        prefixed = b"\x00" + len(message).to_bytes(4, "big") + message
        self._unsent = self._unsent + prefixed if self._unsent else prefixed
        return head + self.pump()

    def end(self, code: StatusCode, text: str = "") -> bytes:
        """End the answer with a status; return the frames that may go now."""
        block = _STATUS_OK if code is StatusCode.OK else header_fields.literal(b"grpc-status", b"%d" % code)
        if text:
            block += header_fields.literal(b"grpc-message", encoded(text))
        if code is StatusCode.UNIMPLEMENTED:
            block += _ACCEPTED
        if not self._headers_sent:
            self._headers_sent = True
            block = _OK_HEADERS + block
        if code is not StatusCode.OK:
            self._unsent = b""  # nobody waits for the rest of a message of a call that has failed
        flags = frames.END_HEADERS | frames.END_STREAM
        self._trailers = frames.frame(frames.HEADERS, flags, self.identifier, block)
        return self.pump()

    def end_as_http(self, http_status: bytes) -> bytes:
        """End the answer to what is no gRPC; return the frames."""
        self._headers_sent = self.has_ended = True
        block = b"\x08" + bytes((len(http_status),)) + http_status  # the name :status, literal value
        return frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, self.identifier, block)

    def pump(self) -> bytes:
        """Return what the windows let go now."""
        if not self._unsent:
            return self._finish()
        out = []
        position, unsent, shared = 0, self._unsent, self._shared
        while position < len(unsent):
            size = min(len(unsent) - position, self.credit, shared.credit, frames.LARGEST_FRAME)
            if size <= 0:
                break
            chunk = unsent[position : position + size]
            out.append(frames.frame(frames.DATA, 0, self.identifier, chunk))
            position += size
            self.credit -= size
            shared.credit -= size
        self._unsent = unsent[position:]
        if not self._unsent:
            out.append(self._finish())
        return b"".join(out)

    def _finish(self) -> bytes:
        trailers, self._trailers = self._trailers, b""
        if trailers:
            self.has_ended = True
        return trailers
