"""A small HTTP/1.1 server: keep-alive, one thread for each connection, any number of listening sockets.

The sockets are handed to it, so that they may live in another network namespace than the process. Each answer
leaves in one send with TCP_NODELAY: an unbuffered server costs its clients 40 ms a call (Nagle against
delayed ACK). A handler may drop the connection instead of answering. `close` ends all threads and closes all
sockets.
"""

import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

log = logging.getLogger(__name__)

MAX_BODY = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request; header names are lower case, path and query are as they came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str
    """Address of the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """The answer to a request."""

    status: int = 200
    content_type: str = "text/plain"
    body: bytes = b""
    dated: bool = True
    """Whether it has a Date header, which some proxies strip."""


Handler = Callable[[HttpRequest], HttpReply | None]
"""Answers a request; None closes the connection without an answer. Called from many threads."""


def loopback_socket(port: int = 0) -> socket.socket:
    """Make a listening socket on 127.0.0.1; port 0 is any free one."""
    return socket.create_server(("127.0.0.1", port))


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    server: "_Listener"

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self._send(HttpReply(status=411, body=b"Content-Length is needed\n"))
            self.close_connection = True
            return
        if int(length) > MAX_BODY:
            self._send(HttpReply(status=413, body=b"the request is too large\n"))
            self.close_connection = True
            return
        path, _mark, query = self.path.partition("?")
        reply = self.server.handler(
            HttpRequest(
                method=self.command,
                path=path,
                query=query,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(length)),
                peer=self.client_address[0],
            )
        )
        if reply is None:
            self.close_connection = True
        else:
            self._send(reply)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815 - names of http.server

    def _send(self, reply: HttpReply) -> None:
        if reply.dated:
            self.send_response(reply.status)
        else:
            self.send_response_only(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.wall() if timestamp is None else timestamp, usegmt=True)

    def version_string(self) -> str:
        return "nws_tcloud"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        log.debug("%s %s", self.client_address[0], format % args)


class _Listener(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Accepts on one socket; knows its open connections so that it can end them."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, listening: socket.socket, handler: Handler, wall: Callable[[], float]) -> None:
        super().__init__(listening.getsockname(), _Connection)
        self.handler = handler
        self.wall = wall
        self._listening = listening
        self._listening.listen(128)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="http-accept")
        self._thread.start()

    def _accept(self) -> None:
        # Not serve_forever: it polls, so that the end of a server takes half its interval.
        while not self._closing.is_set():
            try:
                connection, peer = self._listening.accept()
            except OSError as e:
                if not self._closing.wait(0.01):
                    log.warning("cannot accept a connection: %s", e)
                continue
            with self._lock:
                self._open.add(connection)
            self.process_request(connection, peer)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - of socketserver
        log.debug("the connection with %s broke: %r", client_address, sys.exception())

    def close(self) -> None:
        """Stop accepting, cut the open connections, wait for their threads."""
        self._closing.set()
        self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept
        self._thread.join()
        self._listening.close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    log.debug("a connection was closed by its client meanwhile")
        self.server_close()


class HttpServer:
    """Serves a handler on listening sockets, which it owns from then on. `endpoint` is where clients go."""

    def __init__(
        self, sockets: Sequence[socket.socket], handler: Handler, *, wall: Callable[[], float] = time.time
    ) -> None:
        """Start to accept at once; answers are dated by `wall`, in seconds since 1970."""
        self.stopping = threading.Event()
        """Set when the server is about to close; handlers that wait must wait on it."""
        self.addresses = [str(s.getsockname()[0]) + ":" + str(s.getsockname()[1]) for s in sockets]
        self._listeners = [_Listener(listening, handler, wall) for listening in sockets]

    @property
    def endpoint(self) -> str:
        """Address and port of the first socket, as a client's endpoint option wants it."""
        return self.addresses[0]

    def close(self) -> None:
        """End everything; idempotent."""
        self.stopping.set()
        while self._listeners:
            self._listeners.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
