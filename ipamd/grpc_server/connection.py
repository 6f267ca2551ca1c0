"""The server's side of one HTTP/2 connection without a socket (RFC 9113): octets in, requests and octets out.

Whatever the peer sends, the outcome is a request, an answer that refuses it, or the end of the connection.
Everything that is kept is bounded: streams, header blocks, messages, and by an allowance the frames that cost
us something and the peer nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ipamd.grpc_server import frames, peer_settings
from ipamd.grpc_server.allowance import FrameAllowance
from ipamd.grpc_server.frames import ConnectionBreachError, ErrorCode, FrameReader
from ipamd.grpc_server.header_block import HeaderBlocks, HeaderFields
from ipamd.grpc_server.header_fields import LARGEST_LIST
from ipamd.grpc_server.request import LARGEST_MESSAGE, NotGrpcError, RequestHead, read_head
from ipamd.grpc_server.status import RpcAbortError, StatusCode
from ipamd.grpc_server.stream import SendWindow, ServerStream

MOST_STREAMS: Final = 128
"""Calls of one connection at a time."""
_STREAM_WINDOW: Final = LARGEST_MESSAGE + (64 << 10)
"""Holds one message, so that a stream's window is never refilled, but for padding."""
_CONNECTION_WINDOW: Final = 4 << 20
"""Refilled as data comes, so that no stream holds up another one; what is kept of it is bounded apart."""
_MOST_HELD: Final = 8 << 20
"""Octets of requests that are not complete, of one connection."""
_TINY: Final = 64
"""Octets of DATA below which a frame is not worth its header."""
_GREETING: Final = frames.settings_frame(
    {
        frames.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
        frames.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
        frames.MAX_HEADER_LIST_SIZE: LARGEST_LIST,
    }
) + frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.numbers(_CONNECTION_WINDOW - frames.DEFAULT_WINDOW))


@dataclass(frozen=True, slots=True)
class Requested:
    """A request is complete."""

    stream: int
    head: RequestHead
    message: bytes


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The peer waits no longer for the answer of a request that was handed on."""

    stream: int


class Http2Connection:
    """Invariant: `_streams` has the streams that are not closed on both sides; none after `has_ended`.

    Not for more than one thread at a time.
    """

    def __init__(self, knows: Callable[[str], bool], clock: Callable[[], float] = time.monotonic) -> None:
        """Take which methods there are (by path), and the clock of the allowance."""
        self._knows = knows
        self._reader = FrameReader()
        self._blocks = HeaderBlocks()
        self._streams: dict[int, ServerStream] = {}
        self._last = 0
        self._last_served = frames.LARGEST_NUMBER
        self._window = SendWindow()
        self._initial_credit = frames.DEFAULT_WINDOW
        self._unacknowledged = 0
        self._held = 0
        self._allowance = FrameAllowance(clock)
        self._out = [_GREETING]
        self._events: list[Requested | Cancelled] = []
        self.running = 0
        """Calls that were handed on and are still worked at, also those that the peer has cancelled."""
        self.has_ended = False
        """Whether the peer has broken the protocol: what is to be sent is the last."""
        self.ended_by = ""
        self._actions = {
            frames.DATA: self._take_data,
            frames.HEADERS: self._take_headers,
            frames.RST_STREAM: self._take_reset,
            frames.SETTINGS: self._take_settings,
            frames.PUSH_PROMISE: self._take_push,
            frames.PING: self._take_ping,
            frames.GOAWAY: self._take_goaway,
            frames.WINDOW_UPDATE: self._take_window,
            frames.CONTINUATION: self._take_continuation,
        }

    # ---- what comes

    def receive(self, data: bytes) -> list[Requested | Cancelled]:
        """Take what the socket gave; return what has become of requests."""
        try:
            self._reader.feed(data)
            while not self.has_ended and (frame := self._reader.next()) is not None:
                self._take(*frame)
        except ConnectionBreachError as e:
            self._break(e)
        events, self._events = self._events, []
        return events

    def output(self) -> bytes:
        """Return what is to be sent; once."""
        out, self._out = b"".join(self._out), []
        return out

    @property
    def has_incomplete(self) -> bool:
        """Whether the peer has begun something and not ended it: preface, frame, header block, request."""
        return (
            self._reader.is_inside
            or self._blocks.is_open
            or any(not stream.is_complete for stream in self._streams.values())
        )

    @property
    def has_streams(self) -> bool:
        """Whether any stream is open."""
        return bool(self._streams)

    # ---- what goes

    def send_headers(self, identifier: int) -> bool:
        """Send the headers of an answer; return whether the peer still waits for it."""
        stream = self._streams.get(identifier)
        if stream is None:
            return False
        self._out.append(stream.headers())
        return True

    def send_message(self, identifier: int, message: bytes) -> bool:
        """Send a message as far as flow control allows; return whether the peer still waits."""
        stream = self._streams.get(identifier)
        if stream is None:
            return False
        self._out.append(stream.message(message))
        self._allowance.earn()
        return True

    def end(self, identifier: int, code: StatusCode, text: str = "") -> None:
        """End an answer, after what is still to go of it; nothing for a stream that is gone."""
        stream = self._streams.get(identifier)
        if stream is not None:
            self._out.append(stream.end(code, text))
            self._allowance.earn()
            self._close_if_ended(stream)

    def backlog(self, identifier: int) -> int:
        """Return how many octets of an answer the peer's windows hold up."""
        stream = self._streams.get(identifier)
        return stream.backlog if stream is not None else 0

    def abandon(self, identifier: int, code: ErrorCode) -> None:
        """Reset a stream, whatever is still to go."""
        stream = self._streams.get(identifier)
        if stream is not None:
            self._drop(stream, code)

    def go_away(self) -> None:
        """Take no further streams; those that are there are answered."""
        if not self.has_ended:
            self._last_served = self._last
            self._out.append(_goaway(self._last, ErrorCode.NO_ERROR, b""))

    def refuse_incomplete(self, code: StatusCode, text: str) -> None:
        """End the streams whose requests are not complete."""
        for stream in [stream for stream in self._streams.values() if not stream.is_complete]:
            self._refuse(stream, RpcAbortError(code, text))

    # ---- frames

    def _take(self, kind: int, flags: int, identifier: int, payload: bytes) -> None:
        if self._blocks.is_open != (kind == frames.CONTINUATION):
            raise ConnectionBreachError(
                ErrorCode.PROTOCOL_ERROR,
                "a header block that is interrupted, or continued where none is open",
            )
        if kind != frames.HEADERS and not (kind == frames.DATA and len(payload) >= _TINY):
            self._allowance.spend()
        action = self._actions.get(kind)
        if action is not None:  # PRIORITY and frames of unknown kinds are to be ignored
            action(flags, identifier, payload)

    def _take_data(self, flags: int, identifier: int, payload: bytes) -> None:
        size = len(payload)
        self._unacknowledged += size
        if self._unacknowledged > _CONNECTION_WINDOW // 2:
            self._out.append(frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.numbers(self._unacknowledged)))
            self._unacknowledged = 0
        data = frames.content(flags, payload)
        stream = self._streams.get(identifier)
        if stream is None:
            self._check_was_open(identifier)
            return
        if stream.is_complete:
            self._drop(stream, ErrorCode.STREAM_CLOSED)
            return
        stream.receivable -= size
        if stream.receivable < 0:
            self._drop(stream, ErrorCode.FLOW_CONTROL_ERROR)
            return
        self._take_content(stream, data, ends=bool(flags & frames.END_STREAM))
        padding = size - len(data)
        if padding and identifier in self._streams and not flags & frames.END_STREAM:
            stream.receivable += padding
            self._out.append(frames.frame(frames.WINDOW_UPDATE, 0, identifier, frames.numbers(padding)))

    def _take_content(self, stream: ServerStream, data: bytes, *, ends: bool) -> None:
        try:
            self._held += len(data)
            stream.request.feed(data)
            self._check_held()
            if ends:
                self._complete(stream)
        except RpcAbortError as e:
            stream.is_complete = ends
            self._refuse(stream, e)

    def _check_held(self) -> None:
        if self._held > _MOST_HELD:
            raise RpcAbortError(StatusCode.RESOURCE_EXHAUSTED, "too many unfinished requests at once")

    def _complete(self, stream: ServerStream) -> None:
        """Hand on a request whose stream has ended."""
        stream.is_complete = True
        message = stream.request.message()
        self._held -= len(stream.request)
        stream.request = type(stream.request)()
        if stream.head is not None:
            stream.is_taken = True
            self.running += 1
            self._events.append(Requested(stream.identifier, stream.head, message))

    def _take_headers(self, flags: int, identifier: int, payload: bytes) -> None:
        self._take_block(self._blocks.begin(flags, identifier, payload))

    def _take_continuation(self, flags: int, identifier: int, payload: bytes) -> None:
        self._take_block(self._blocks.go_on(flags, identifier, payload))

    def _take_block(self, block: HeaderFields | None) -> None:
        if block is None:
            return
        if block.stream <= self._last:
            self._take_trailers(block.stream, ends=block.ends_stream)
            return
        self._last = block.stream
        if block.stream > self._last_served:
            return  # the peer has been told that it is not served
        if len(self._streams) >= MOST_STREAMS or len(self._streams) + self.running >= 2 * MOST_STREAMS:
            self._allowance.spend()
            self._out.append(_reset_frame(block.stream, ErrorCode.REFUSED_STREAM))
            return
        stream = ServerStream(
            block.stream, receivable=_STREAM_WINDOW, credit=self._initial_credit, shared=self._window
        )
        self._streams[block.stream] = stream
        self._open(stream, block)

    def _open(self, stream: ServerStream, block: HeaderFields) -> None:
        """Begin a request, or refuse it."""
        stream.is_complete = block.ends_stream
        try:
            stream.head = read_head(block.fields, self._knows)
            if block.ends_stream:
                self._complete(stream)
        except RpcAbortError as e:
            self._refuse(stream, e)
        except NotGrpcError as e:
            self._out.append(stream.end_as_http(e.http_status))
            self._close_if_ended(stream)

    def _take_trailers(self, identifier: int, *, ends: bool) -> None:
        """Take headers that follow a request's message: they say nothing that is used, but end it."""
        self._allowance.spend()
        stream = self._streams.get(identifier)
        if stream is None:
            return
        if stream.is_complete or not ends:
            self._drop(stream, ErrorCode.STREAM_CLOSED if stream.is_complete else ErrorCode.PROTOCOL_ERROR)
            return
        self._take_content(stream, b"", ends=True)

    def _take_reset(self, flags: int, identifier: int, payload: bytes) -> None:  # noqa: ARG002
        frames.number(payload)
        stream = self._streams.get(identifier)
        if stream is None:
            self._check_was_open(identifier)
            return
        self._cancel(stream)

    def _take_settings(self, flags: int, identifier: int, payload: bytes) -> None:
        if identifier:
            raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, "settings of a stream")
        if flags & frames.ACK:
            if payload:
                raise ConnectionBreachError(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement with settings")
            return
        window = peer_settings.initial_window(payload)
        if window is not None:
            for stream in self._streams.values():
                stream.credit += window - self._initial_credit
                _check_window(stream.credit)
            self._initial_credit = window
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))
        self._pump()

    def _take_push(self, flags: int, identifier: int, payload: bytes) -> None:  # noqa: ARG002
        raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, "a client does not push")

    def _take_ping(self, flags: int, identifier: int, payload: bytes) -> None:
        if identifier:
            raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, "a ping of a stream")
        if len(payload) != 8:
            raise ConnectionBreachError(ErrorCode.FRAME_SIZE_ERROR, f"a ping of {len(payload)} octets")
        if not flags & frames.ACK:
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _take_goaway(self, flags: int, identifier: int, payload: bytes) -> None:  # noqa: ARG002
        if identifier:
            raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, "GOAWAY of a stream")

    def _take_window(self, flags: int, identifier: int, payload: bytes) -> None:  # noqa: ARG002
        increment = frames.number(payload) & frames.LARGEST_NUMBER
        if identifier == 0:
            if increment == 0:
                raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, "a window update of 0")
            self._window.credit += increment
            _check_window(self._window.credit)
            self._pump()
            return
        stream = self._streams.get(identifier)
        if stream is None:
            self._check_was_open(identifier)
            return
        stream.credit += increment
        if increment == 0 or stream.credit > frames.LARGEST_NUMBER:
            self._drop(stream, ErrorCode.PROTOCOL_ERROR if increment == 0 else ErrorCode.FLOW_CONTROL_ERROR)
            return
        self._out.append(stream.pump())
        self._close_if_ended(stream)

    # ---- ends

    def _check_was_open(self, identifier: int) -> None:
        """Let pass what was under way for a stream that has ended; one that never was is a breach."""
        if identifier == 0 or identifier > self._last or not identifier & 1:
            raise ConnectionBreachError(
                ErrorCode.PROTOCOL_ERROR, f"a frame for stream {identifier}, never opened"
            )

    def _pump(self) -> None:
        for stream in [stream for stream in self._streams.values() if stream.backlog]:
            self._out.append(stream.pump())
            self._close_if_ended(stream)

    def _refuse(self, stream: ServerStream, error: RpcAbortError) -> None:
        self._out.append(stream.end(error.code, error.text))
        self._close_if_ended(stream)

    def _close_if_ended(self, stream: ServerStream) -> None:
        """Close a stream whose answer is out; a peer that is still sending is told to stop it."""
        if stream.has_ended:
            if not stream.is_complete:
                self._out.append(_reset_frame(stream.identifier, ErrorCode.NO_ERROR))
            self._forget(stream)

    def _drop(self, stream: ServerStream, code: ErrorCode) -> None:
        self._out.append(_reset_frame(stream.identifier, code))
        self._cancel(stream)

    def _cancel(self, stream: ServerStream) -> None:
        self._forget(stream)
        if stream.is_taken:
            self._events.append(Cancelled(stream.identifier))

    def _forget(self, stream: ServerStream) -> None:
        self._held -= len(stream.request)
        stream.request = type(stream.request)()
        self._streams.pop(stream.identifier, None)

    def _break(self, error: ConnectionBreachError) -> None:
        self.has_ended = True
        self.ended_by = error.what
        self._events += [Cancelled(stream.identifier) for stream in self._streams.values() if stream.is_taken]
        self._streams.clear()
        self._out.append(_goaway(self._last, error.code, error.what.encode()[:200]))


def _check_window(credit: int) -> None:
    if credit > frames.LARGEST_NUMBER:
        raise ConnectionBreachError(ErrorCode.FLOW_CONTROL_ERROR, "a window of more than 2^31 - 1 octets")


def _reset_frame(identifier: int, code: ErrorCode) -> bytes:
    return frames.frame(frames.RST_STREAM, 0, identifier, frames.numbers(code))


def _goaway(last: int, code: ErrorCode, text: bytes) -> bytes:
    return frames.frame(frames.GOAWAY, 0, 0, frames.numbers(last, code) + text)
