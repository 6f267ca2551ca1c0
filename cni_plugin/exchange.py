"""One unary gRPC exchange over HTTP/2 without a socket: bytes in, bytes out.

The client side of RFC 9113 for a connection that carries a single stream, and of "gRPC over HTTP2" on top.
Both receive windows are opened once, wide enough for the largest reply taken, so none has to be refilled.
Everything that the peer sends is bounded; whatever it sends, the outcome is a reply or an RpcError.
"""

from cni_plugin import frames, hpack, status, upload

LARGEST_REPLY = 16 << 20
"""Octets of DATA taken for one reply; a CNI result has a few hundred."""

LARGEST_HEADER_BLOCK = 65536

_STREAM = 1
_OF_THE_STREAM = (frames.DATA, frames.HEADERS, frames.RST_STREAM, frames.CONTINUATION)
_OF_THE_CONNECTION = (frames.SETTINGS, frames.PING, frames.GOAWAY)

_NO_PUSH = b"\x00\x02\x00\x00\x00\x00"
_INITIAL_WINDOW_SIZE = b"\x00\x04" + LARGEST_REPLY.to_bytes(4, "big")
_MAX_HEADER_LIST_SIZE = b"\x00\x06" + hpack.LARGEST_LIST.to_bytes(4, "big")
_REST_OF_WINDOW = (LARGEST_REPLY - upload.DEFAULT_WINDOW).to_bytes(4, "big")
_PREFACE = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frames.frame(frames.SETTINGS, 0, 0, _NO_PUSH + _INITIAL_WINDOW_SIZE + _MAX_HEADER_LIST_SIZE)
    + frames.frame(frames.WINDOW_UPDATE, 0, 0, _REST_OF_WINDOW)
)
# By static table entries: ":method POST", ":scheme http", and the names :authority, content-type, user-agent.
# All pseudo-header fields come before the regular ones (RFC 9113, 8.3).
_METHOD_AND_SCHEME = b"\x83\x86"
_AUTHORITY = b"\x01\x09localhost"
_REGULAR = b"\x0f\x10\x10application/grpc\x0f\x2b\x0dtke-route-eni\x00\x02te\x08trailers"


class Exchange:
    """The state of one call: give it what the socket received, send what it returns.

    Invariant: once `finished`, the stream has ended and `reply` says how. Not for more than one thread.
    """

    def __init__(self, path: bytes, message: bytes, timeout: float) -> None:
        """Prepare the call of `path` ("/package.Service/Method"), which has `timeout` seconds left."""
        self.finished = False
        milliseconds = max(1, min(int(timeout * 1000), 99_999_999))  # eight digits are what gRPC allows
        self._request_headers = (
            _METHOD_AND_SCHEME
            + _literal(b"\x04", path)
            + _AUTHORITY
            + _REGULAR
            + _literal(b"\x00\x0cgrpc-timeout", b"%dm" % milliseconds)
        )
        self._upload = upload.Upload(_STREAM, message)
        self._reader = frames.Reader()
        self._decoder = hpack.Decoder()
        self._header_block = bytearray()
        self._inside_headers = self._ends_after_headers = False
        self._headers: dict[bytes, bytes] = {}
        self._answered = False
        self._data_octets = 0
        self._body = bytearray()
        self._actions = {
            frames.DATA: self._take_data,
            frames.HEADERS: self._take_headers,
            frames.RST_STREAM: self._take_reset,
            frames.SETTINGS: self._take_settings,
            frames.PUSH_PROMISE: self._take_push,
            frames.PING: self._take_ping,
            frames.GOAWAY: self._take_goaway,
            frames.CONTINUATION: self._take_continuation,
        }

    def start(self) -> bytes:
        """Return the first bytes to send: preface, settings, headers and as much of the request as may go."""
        headers = frames.frame(frames.HEADERS, frames.END_HEADERS, _STREAM, self._request_headers)
        return _PREFACE + headers + self._upload.sendable()

    def receive(self, data: bytes) -> bytes:
        """Take received bytes and return those to send; raises RpcError when the call cannot succeed."""
        self._reader.feed(data)
        out = []
        while not self.finished and (received := self._reader.next()):
            out.append(self._take(*received))
        return b"".join(out)

    def reply(self) -> bytes:
        """Return the message of the finished exchange; raises RpcError if there is none."""
        _check_is_ok(self._headers)
        body = self._body
        if len(body) != _announced(body):
            raise status.RpcError(status.INTERNAL, "the answer does not hold exactly one message")
        if body[0]:
            raise status.RpcError(status.INTERNAL, "a compressed reply, though none was asked for")
        return bytes(body[5:])

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        """Act on one frame and return what it makes us send."""
        if self._inside_headers != (kind == frames.CONTINUATION):
            raise frames.broken("a header block that is interrupted, or continued where none is open")
        if (kind in _OF_THE_STREAM and stream != _STREAM) or (kind in _OF_THE_CONNECTION and stream != 0):
            raise frames.broken(f"a frame of kind {kind} for stream {stream}")
        if kind == frames.WINDOW_UPDATE:
            self._upload.widen(stream, frames.number(payload) & frames.LARGEST_NUMBER)
            return self._upload.sendable()
        action = self._actions.get(kind)
        # PRIORITY and frames of a kind that we do not know have to be ignored.
        return action(flags, payload) if action else b""

    def _take_data(self, flags: int, payload: bytes) -> bytes:
        if not self._answered:
            raise frames.broken("data before headers")
        self._data_octets += len(payload)
        self._body += frames.content(flags, payload)
        # What the windows do not hold would never come, so the length that is announced counts as well.
        if max(self._data_octets, _announced(self._body)) > LARGEST_REPLY:
            raise status.RpcError(status.RESOURCE_EXHAUSTED, f"a reply of more than {LARGEST_REPLY} octets")
        self.finished = bool(flags & frames.END_STREAM)
        return b""

    def _take_headers(self, flags: int, payload: bytes) -> bytes:
        self._ends_after_headers = bool(flags & frames.END_STREAM)
        fragment = frames.content(flags, payload, prioritized=frames.PRIORITIZED)
        return self._take_continuation(flags, fragment)

    def _take_continuation(self, flags: int, fragment: bytes) -> bytes:
        self._header_block += fragment
        if len(self._header_block) > LARGEST_HEADER_BLOCK:
            raise frames.broken(f"a header block of more than {LARGEST_HEADER_BLOCK} octets")
        self._inside_headers = not flags & frames.END_HEADERS
        if not self._inside_headers:
            self._take_header_block(bytes(self._header_block))
            self._header_block.clear()
        return b""

    def _take_header_block(self, block: bytes) -> None:
        try:
            headers = dict(self._decoder.decode(block))
        except hpack.HpackError as error:
            raise frames.broken(f"header compression: {error}") from None
        if not self._ends_after_headers:
            if self._answered:
                raise frames.broken("trailers that do not end the stream")
            if headers.get(b":status", b"").startswith(b"1"):
                return  # informational: the answer is still to come
        if not self._answered:
            _check_is_grpc(headers)
        self._headers.update(headers)
        self._answered = True
        self.finished = self._ends_after_headers

    def _take_reset(self, _flags: int, payload: bytes) -> bytes:
        code = frames.number(payload)
        raise status.RpcError(status.from_reset(code), f"the stream was reset with HTTP/2 error {code}")

    def _take_settings(self, flags: int, payload: bytes) -> bytes:
        if flags & frames.ACK:
            return b""
        self._upload.apply(frames.settings(payload))
        return frames.frame(frames.SETTINGS, frames.ACK, 0, b"") + self._upload.sendable()

    def _take_push(self, _flags: int, _payload: bytes) -> bytes:
        raise frames.broken("a pushed stream, though push is off")

    def _take_ping(self, flags: int, payload: bytes) -> bytes:
        if len(payload) != 8:
            raise frames.broken("a ping that has not 8 octets")
        return b"" if flags & frames.ACK else frames.frame(frames.PING, frames.ACK, 0, payload)

    def _take_goaway(self, _flags: int, payload: bytes) -> bytes:
        # A server that stops in good order names our stream as one that it still answers.
        if frames.number(payload[:4]) & frames.LARGEST_NUMBER < _STREAM:
            raise status.RpcError(status.UNAVAILABLE, "the agent is going away")
        return b""


def _check_is_grpc(headers: dict[bytes, bytes]) -> None:
    """Raise an RpcError for an answer of something that speaks HTTP only; a gRPC status settles it anyway."""
    http_status, content_type = headers.get(b":status", b""), headers.get(b"content-type", b"")
    if b"grpc-status" in headers or (http_status == b"200" and content_type.startswith(b"application/grpc")):
        return
    what = f"HTTP status {_quoted(http_status)}, content-type {_quoted(content_type)}"
    raise status.RpcError(status.from_http(http_status), f"an answer that is not gRPC's: {what}")


def _check_is_ok(headers: dict[bytes, bytes]) -> None:
    """Raise an RpcError for any status but OK."""
    code = headers.get(b"grpc-status", b"")
    if not code.isdigit() or len(code) > 9:
        raise status.RpcError(status.UNKNOWN, f"grpc-status is {_quoted(code)}, not a number")
    if int(code) != status.OK:
        raise status.RpcError(int(code), status.percent_decoded(headers.get(b"grpc-message", b"")))


def _announced(body: bytearray) -> int:
    """Return how many octets the first message has with its prefix: flag, length, content."""
    return 5 + int.from_bytes(body[1:5], "big") if len(body) >= 5 else 5


def _literal(name: bytes, value: bytes) -> bytes:
    """Encode a header field with a value shorter than 127 octets, outside the dynamic table."""
    return name + bytes((len(value),)) + value


def _quoted(value: bytes) -> str:
    return repr(value[:100])[1:]
