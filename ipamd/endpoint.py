"""A small HTTP server for probes, for Prometheus and for the status page: a few paths, each a function.

It serves what is asked for and nothing about Pods that is secret, but it asks nobody who they are: bind it to
loopback unless the network around it is trusted. It reads only; a method that would write is refused.
Thread safety: `start` and `stop` are for one thread; pages are called on the server's threads.
"""

import ipaddress
import logging
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

from ipamd.core.errors import InvalidInputError
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task

log = logging.getLogger(__name__)

_TEXT = "text/plain; charset=utf-8"
_IDLE_SECONDS = 10.0
"""How long a connection may be silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a page says."""

    status: int
    body: bytes
    content_type: str = _TEXT
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What else is said of it."""


Page = Callable[[], Answer]


def probe(check: Callable[[], str]) -> Page:
    """Return the page of a probe: 200 while `check` returns nothing, 503 with the sentence it returns."""

    def page() -> Answer:
        problem = check()
        return Answer(status=503 if problem else 200, body=(problem or "ok").encode() + b"\n")

    return page


class Endpoint:
    """Pages by path on one address. Invariant: nothing listens before `start` and after `stop`."""

    def __init__(
        self, flag: str, address: tuple[str, int], pages: Mapping[str, Page], *, browsed: bool = False
    ) -> None:
        """Take the flag that names the address in errors, the address, and the pages.

        What is `browsed` is given only to who asks for it by IP address or as localhost: a page of somebody
        else's that has its own name point here (DNS rebinding) gets nothing.
        """
        self._flag = flag
        self._browsed = browsed
        self._address = address
        self._pages = pages
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1]) if self._server else 0

    def start(self) -> None:
        """Listen and serve; InvalidInputError when the address cannot be had."""
        host, port = self._address
        try:
            self._server = _Server(self._address, self._pages, browsed=self._browsed)
        except OSError as e:
            raise InvalidInputError(
                f"{self._flag}: cannot listen on {host}:{port}: {e.strerror or e}",
                advice="give an address of this host and a port that nobody has",
            ) from e
        name = self._flag.removeprefix("--").removesuffix("-address")
        Task(f"http-{name}", self._serve, policy=Survive()).start()
        log.info("%s on http://%s:%d", ", ".join(self._pages), host, self.port)

    def stop(self) -> None:
        """End, without waiting for pages that are being made."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _serve(self) -> bool:
        """Serve until `stop`; then there is nothing more to do."""
        if self._server is not None:
            self._server.serve_forever()
        return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Page], *, browsed: bool) -> None:
        self.pages = pages
        self.browsed = browsed
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own would ask DNS for the host's name.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "ipamd"
    sys_version = ""
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        if self.server.browsed and not _names_nobody(self.headers.get("Host", "")):
            self._send(Answer(status=421, body=b"ask for this page by its IP address or as localhost\n"))
            return
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self._send(Answer(status=404, body=b"".join(f"{path}\n".encode() for path in self.server.pages)))
            return
        try:
            answer = page()
        except Exception:  # a defect of one page must not look like a dead process
            log.exception("the page %s failed by a defect", self.path)
            answer = Answer(status=500, body=b"a defect; see the log\n")
        self._send(answer)

    do_HEAD = do_GET  # noqa: N815 - the base class's names

    def _refuse(self) -> None:
        self.close_connection = True  # what it sends is not read
        self._send(Answer(status=405, body=b"this is only for reading\n", headers={"Allow": "GET, HEAD"}))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
        log.debug("%s: %s", self.address_string(), format % args)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _names_nobody(host: str) -> bool:
    """Whether a Host header has an IP address or localhost, with or without a port."""
    found = re.fullmatch(r"(?:\[([^\]]*)\]|([^:]*))(?::\d+)?", host)
    if found is None:
        return False
    name = found[1] or found[2]
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
