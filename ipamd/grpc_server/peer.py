"""One connection: its socket, its protocol, and its calls.

The thread of the socket (`event_loop`) reads; whoever has an answer writes it at once, and what the peer does
not take now goes when it does. The calls run on the threads of their services.
"""

import contextlib
import logging
import math
import socket
import threading
import time
from collections.abc import Generator, Mapping
from typing import Final, NamedTuple, Protocol

from google.protobuf.message import Message

from ipamd.grpc_server.call import Call
from ipamd.grpc_server.connection import Cancelled, Http2Connection, Requested
from ipamd.grpc_server.frames import ErrorCode
from ipamd.grpc_server.methods import ServedMethod
from ipamd.grpc_server.status import RpcAbortError, StatusCode
from ipamd.runtime.request_threads import RequestThreads

log = logging.getLogger(__name__)

BEGIN_SECONDS: Final = 20.0
"""How long a peer may take for its preface, for a frame, or for a request that it has begun."""
STALL_SECONDS: Final = 30.0
"""How long a peer may not take what is sent to it."""
_GREETING_SECONDS: Final = 0.05
"""How long our settings may wait for the answer, if the request came together with the peer's."""
_CHUNK: Final = 1 << 15  # with 64 KiB each receive would map and unmap memory (`ipamd.agent.memory`)
_MOST_BACKLOG: Final = 1 << 16
"""Octets that may be held up by flow control before a stream of messages waits."""
_NEVER: Final = math.inf


class _UnderWay(NamedTuple):
    call: Call
    threads: RequestThreads


class Poller(Protocol):
    """Watches the sockets; every method may be called from any thread."""

    def watch_writing(self, descriptor: int, *, wanted: bool) -> None:
        """Tell, or tell no more, when the socket takes data again."""

    def look_at(self, at: float) -> None:
        """Call `Peer.look` of all at this time, by the monotonic clock, if not before."""

    def note_end(self) -> None:
        """Hear that a call has ended."""


class Peer:
    """Invariant: `_calls` has the calls that were begun and whose handlers have not returned.

    Thread safety: `receive` and `look` are for the thread of the socket; the rest is for any.
    """

    def __init__(
        self, connection: socket.socket, methods: Mapping[str, ServedMethod], poller: Poller
    ) -> None:
        """Take an accepted connection, what can be called, and who watches the socket."""
        self.descriptor = connection.fileno()
        self._socket = connection
        self._methods = methods
        self._poller = poller
        self._guard = threading.Condition(threading.Lock())
        self._http2 = Http2Connection(methods.__contains__)
        self._calls: dict[int, _UnderWay] = {}
        self._unsent = b""
        self._is_first = True
        self._stalled_at = _NEVER
        self.used_at = self._incomplete_at = time.monotonic()
        """When a call began or ended last."""
        self.is_closed = False

    @property
    def is_idle(self) -> bool:
        """Whether no call is under way, and nothing is still to be sent."""
        return not self._calls and not self._unsent and not self._http2.has_streams

    @property
    def is_stalled(self) -> bool:
        """Whether the peer does not take what is sent to it."""
        return bool(self._unsent)

    # ---- the thread of the socket

    def receive(self) -> bool:
        """Read what there is; return whether the connection goes on."""
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        now = time.monotonic()
        with self._guard:
            is_first = self._is_first
            self._is_first = False
            events = self._http2.receive(data)
            if is_first and events and not self._http2.has_ended:
                # Its answer follows, mostly before this time; one message wakes the peer once.
                self._poller.look_at(now + _GREETING_SECONDS)
            else:
                self._flush()
            if not self._http2.has_incomplete:
                self._incomplete_at = _NEVER
            elif (
                events or self._incomplete_at == _NEVER
            ):  # who completes one thing may be in the middle of the next
                self._incomplete_at = now
                self._poller.look_at(now + BEGIN_SECONDS)
            self._guard.notify_all()
        for event in events:
            if isinstance(event, Requested):
                self._begin(event, now)
            else:
                self._end_early(event)
        if self._http2.has_ended:
            log.warning("a connection to the socket was ended: %s", self._http2.ended_by)
        return not self._http2.has_ended

    def write(self) -> None:
        """Send what the peer takes now."""
        with self._guard:
            self._flush()

    def look(self, now: float) -> float | None:
        """Do what is due; return when to look again, None when the connection is to be closed."""
        with self._guard:
            if self._stalled_at + STALL_SECONDS <= now or self._begin_is_overdue(now):
                return None
            late = [
                stream
                for stream, (call, _) in self._calls.items()
                if call.deadline <= now and call.is_active()
            ]
            for stream in late:
                self._http2.end(stream, StatusCode.DEADLINE_EXCEEDED, "the deadline has passed")
                self._http2.abandon(stream, ErrorCode.CANCEL)
            self._flush()
            due = min((call.deadline for call, _ in self._calls.values() if call.is_active()), default=_NEVER)
            due = min(due, self._stalled_at + STALL_SECONDS, self._incomplete_at + BEGIN_SECONDS)
        for stream in late:
            self._end_early(Cancelled(stream))
        return due

    def _begin_is_overdue(self, now: float) -> bool:
        if self._incomplete_at + BEGIN_SECONDS > now:
            return False
        if not self._http2.has_streams:
            return True
        self._http2.refuse_incomplete(StatusCode.DEADLINE_EXCEEDED, "the request did not come in time")
        self._incomplete_at = _NEVER
        return self._http2.has_incomplete

    def go_away(self) -> None:
        """Take no further calls."""
        with self._guard:
            self._http2.go_away()
            self._flush()

    def close(self) -> None:
        """Close the connection; nobody waits for what is still under way."""
        with self._guard:
            self.is_closed = True
            with contextlib.suppress(OSError):  # a last word to who has broken the protocol
                self._socket.send(self._unsent + self._http2.output(), socket.MSG_DONTWAIT)
            self._socket.close()
            self._unsent = b""
            streams = list(self._calls)
            self._guard.notify_all()
        for stream in streams:
            self._end_early(Cancelled(stream))

    def cancel(self) -> None:
        """End the calls that are under way: the server goes."""
        with self._guard:
            streams = [stream for stream, (call, _) in self._calls.items() if call.is_active()]
            for stream in streams:
                self._http2.end(stream, StatusCode.UNAVAILABLE, "the agent stops")
            self._flush()
        for stream in streams:
            self._end_early(Cancelled(stream))

    # ---- calls

    def send_headers(self, stream: int) -> None:
        """Send the headers of an answer."""
        with self._guard:
            self._http2.send_headers(stream)
            self._flush()

    def _begin(self, event: Requested, now: float) -> None:
        method = self._methods[event.head.path]
        call = Call(self, event.stream, now + event.head.timeout)
        with self._guard:
            self._calls[event.stream] = _UnderWay(call, method.threads)
            self.used_at = now
        self._poller.look_at(call.deadline)
        method.threads.submit(lambda: self._serve(method, event.message, call))

    def _serve(self, method: ServedMethod, message: bytes, call: Call) -> None:
        """Serve one call to its end."""
        code, text = StatusCode.OK, ""
        answer = None
        try:
            if call.is_active():
                reply = method.serve(method.request(message), call)
                if method.is_stream:
                    self._stream(reply, call)
                else:
                    answer = reply.SerializeToString()
        except RpcAbortError as e:
            code, text = e.code, e.text
        except Exception as e:  # the caller is owed an answer, whatever is wrong with us
            log.exception("%s failed by a defect", method.path)
            code, text = StatusCode.UNKNOWN, f"a defect of the agent: {type(e).__name__}: {e}"
        finally:
            call.end()
            with self._guard:
                if answer is not None:
                    self._http2.send_message(call.stream, answer)
                self._http2.end(call.stream, code, text)
                self._http2.running -= 1
                del self._calls[call.stream]
                self.used_at = time.monotonic()
                self._flush()
            self._poller.note_end()

    def _stream(self, messages: Generator[Message, None, None], call: Call) -> None:
        """Send message after message, no faster than the peer takes them, until nobody waits."""
        with contextlib.closing(messages):
            for message in messages:
                with self._guard:
                    self._http2.send_message(call.stream, message.SerializeToString())
                    self._flush()
                    while call.is_active() and self._http2.backlog(call.stream) > _MOST_BACKLOG:
                        if not self._guard.wait(STALL_SECONDS):
                            self._http2.abandon(call.stream, ErrorCode.CANCEL)
                            return
                if not call.is_active():
                    return

    def _end_early(self, event: Cancelled) -> None:
        """Tell who serves a call that nobody waits for it; on a thread of its service, for that may wait."""
        with self._guard:
            under_way = self._calls.get(event.stream)
            self._guard.notify_all()
        if under_way is not None:
            for listener in under_way.call.end():
                under_way.threads.submit(listener)

    def _flush(self) -> None:
        """Send what the peer takes now; the guard is held."""
        data = self._unsent + self._http2.output() if self._unsent else self._http2.output()
        if not data or self.is_closed:
            return
        try:
            sent = self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError:  # it has gone, and reading tells
            self._unsent = b""
            return
        was_stalled = bool(self._unsent)
        self._unsent = data[sent:]
        if not self._unsent:
            if was_stalled:
                self._poller.watch_writing(self.descriptor, wanted=False)
            self._stalled_at = _NEVER
            return
        if sent or not was_stalled:
            self._stalled_at = time.monotonic()
            self._poller.look_at(self._stalled_at + STALL_SECONDS)
        if not was_stalled:
            self._poller.watch_writing(self.descriptor, wanted=True)
