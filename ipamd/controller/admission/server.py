"""The HTTPS server that the API server calls for each new Pod.

One path, one method; sizes, times and connections are bounded, so that nobody who reaches the port can hold
more than a few threads of the controller. It serves whether or not this replica leads.
"""

import contextlib
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer

from ipamd.core.annotations import admission
from ipamd.core.errors import InvalidInputError
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task

log = logging.getLogger(__name__)

PATH = "/pods"
LONGEST_BODY = 4 << 20
"""Bytes; the API server takes no request above 3 MiB, and a review holds one Pod."""
MOST_CONNECTIONS = 64
IDLE_SECONDS = 120.0
"""After which a connection without a request is closed; also the longest that one read may wait.

Longer than Go's HTTP client keeps one (90 s), so that it is the API server that closes: a review sent into a
connection that is just being closed here would be lost, and is not sent again.
"""
_HANDSHAKE_SECONDS = 5.0
_ROOM_SECONDS = 1.0
"""How long a new connection waits for the seat of an idle one."""


class AdmissionServer:
    """Invariant: at most MOST_CONNECTIONS are served at once, each by a thread of its own.

    One more takes the seat of the connection that is idle for longest; when none is idle, it is closed.

    Thread safety: any thread may call `use`; `start` and `close` are for one.
    """

    def __init__(self, host: str, port: int, kept: admission.Kept) -> None:
        """Bind the address; OSError when that cannot be. Nothing is answered before `use` and `start`.

        `kept` is asked in each review, on its thread, and must not wait.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = _Listener(host, port, family, kept)
        self._task = Task("admission", self._serve, policy=Survive())

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listener.server_address[1])

    @property
    def has_certificate(self) -> bool:
        """Whether connections are served: before the first `use` they are closed."""
        return self._listener.context is not None

    def use(self, certificate: bytes, key: bytes) -> None:
        """Serve new connections with this certificate chain and key (PEM)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with _as_file(certificate + key) as path:
            context.load_cert_chain(path)
        self._listener.context = context

    def start(self) -> None:
        """Begin to answer."""
        self._task.start()

    def close(self) -> None:
        """Stop listening and reading; a request that is complete is still answered."""
        if self._task.has_started:
            self._listener.shutdown()
            self._task.join(None)
        self._listener.server_close()
        self._listener.end_connections()

    def _serve(self) -> bool:
        """Serve until `close`; then there is nothing more to do."""
        self._listener.serve_forever(poll_interval=0.2)
        return False


class _Listener(HTTPServer):
    """Accepts connections and gives each a thread: the TLS handshake must not hold up the next accept."""

    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, family: socket.AddressFamily, kept: admission.Kept) -> None:
        self.kept = kept
        self.address_family = family
        self.context: ssl.SSLContext | None = None
        self._seats = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._open: dict[ssl.SSLSocket, float | None] = {}  # idle since when; None with a request in hand
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        context = self.context
        if context is None or not self._take_seat():
            self.shutdown_request(request)
            return
        thread = threading.Thread(
            target=self._serve, args=(request, client_address, context), name="admission-call", daemon=True
        )
        thread.start()

    def end_connections(self) -> None:
        """Let every open connection come to its end as if the client had closed it."""
        with self._lock:
            for connection in self._open:
                _end(connection)

    def busy(self, connection: ssl.SSLSocket) -> None:
        """Note that a request has begun to come."""
        with self._lock:
            self._open[connection] = None

    def idle(self, connection: ssl.SSLSocket) -> None:
        """Note that the request is answered."""
        with self._lock:
            self._open[connection] = time.monotonic()

    def _take_seat(self) -> bool:
        if self._seats.acquire(blocking=False):
            return True
        with self._lock:
            idle = {connection: since for connection, since in self._open.items() if since is not None}
            if not idle:
                return False
            _end(min(idle, key=idle.__getitem__))
        return self._seats.acquire(timeout=_ROOM_SECONDS)

    @contextlib.contextmanager
    def _known(self, connection: ssl.SSLSocket) -> Iterator[None]:
        self.idle(connection)
        try:
            yield
        finally:
            with self._lock:
                del self._open[connection]

    def _serve(self, request: socket.socket, client_address: object, context: ssl.SSLContext) -> None:
        try:
            request.settimeout(_HANDSHAKE_SECONDS)
            with context.wrap_socket(request, server_side=True) as encrypted:
                encrypted.settimeout(IDLE_SECONDS)
                with self._known(encrypted):
                    _Handler(encrypted, client_address, self)
        except OSError as e:  # a scanner, a client that does not trust us, one that went away
            log.debug("a connection from %s ended: %s", client_address, e)
        except Exception:
            log.exception("a connection from %s ended by a defect", client_address)
        finally:
            self._seats.release()
            self.shutdown_request(request)


def _end(connection: ssl.SSLSocket) -> None:
    """Let a connection come to its end as if the client had closed it; an answer still goes out."""
    with contextlib.suppress(OSError):
        # Not the method of SSLSocket, which would give up the encryption of an answer as well.
        socket.socket.shutdown(connection, socket.SHUT_RD)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tke-eni-ipamd"
    sys_version = ""
    server: _Listener
    connection: ssl.SSLSocket

    def handle_one_request(self) -> None:
        """Wait for a request and answer it."""
        super().handle_one_request()
        self.server.idle(self.connection)

    def parse_request(self) -> bool:
        """Read the request, whose first line is there."""
        self.server.busy(self.connection)
        return super().parse_request()

    def do_POST(self) -> None:
        """Answer one review."""
        length = self._length()
        if length is None:
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing or no number")
            return
        if length > LONGEST_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the longest body is {LONGEST_BODY} bytes")
            return
        body = self.rfile.read(length)
        if len(body) < length:
            return  # the client has closed its side: nobody waits for an answer, and no request follows
        if self.path.partition("?")[0] != PATH:
            self._answer(HTTPStatus.NOT_FOUND, f"the only path is {PATH}".encode())
        elif self.headers.get_content_type() != "application/json":
            self._answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, b"the only content type is application/json")
        else:
            self._review(body)

    def _review(self, body: bytes) -> None:
        try:
            answer = admission.review(body, self.server.kept)
        except InvalidInputError as e:
            log.debug("a review is refused: %s", e)
            self._answer(HTTPStatus.BAD_REQUEST, str(e).encode())
        else:
            self._answer(HTTPStatus.OK, answer, "application/json")

    def _length(self) -> int | None:
        text = self.headers.get("Content-Length", "")
        chunked = "Transfer-Encoding" in self.headers
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 and not chunked else None

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer without having read the body, so the connection cannot be used again."""
        self.close_connection = True
        self._answer(status, reason.encode())

    def _answer(
        self, status: HTTPStatus, body: bytes, content_type: str = "text/plain; charset=utf-8"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log as the rest of the process does; a call for each Pod is no news."""
        log.debug(format, *args)


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Yield a path under which OpenSSL reads this content; it never reaches a disk."""
    descriptor = os.memfd_create("admission", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
