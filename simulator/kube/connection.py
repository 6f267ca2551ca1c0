"""One HTTP/1.1 connection: reads requests, applies faults, writes answers and watch streams.

The rules are elsewhere (dispatch, access, faults); this is how they look on the wire: keep-alive, JSON bodies
with a length, chunked watch streams with one JSON event per line. Each connection has its own thread.
"""

import http.server
import json
import logging
import socket
import uuid
from typing import TYPE_CHECKING

from simulator.kube import requests, status
from simulator.kube.dispatch import Answer
from simulator.kube.faults import FaultKind
from simulator.kube.objects import Obj
from simulator.kube.requests import Request
from simulator.kube.streaming import PATIENCE_SECONDS, StreamEnds, WatchStream
from simulator.kube.watching import Watch, WatchOptions

if TYPE_CHECKING:
    from simulator.kube.server import KubeServer

_LOG = logging.getLogger(__name__)


class Connection(http.server.BaseHTTPRequestHandler):
    """Serves one connection; `kube` is the API server that it belongs to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # head and body leave in one segment; the base class flushes after each answer
    server_version = "kube-simulator"

    def __init__(self, sock: socket.socket, address: tuple[str, int], kube: "KubeServer") -> None:
        """Serve the connection until it ends."""
        self.kube = kube
        super().__init__(sock, address, kube)  # type: ignore[arg-type]  # only kept by the base class

    def do_GET(self) -> None:
        """Answer any method: what it means is decided by the request parser."""
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - names set by http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing: requests are counted, not printed."""

    def _serve(self) -> None:
        request = requests.parse(self.command, self.path)
        agent = self.headers.get("User-Agent", "")
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            self._send(Answer(400, "400 Bad Request: the length of the body cannot be read\n"), {})
            return
        self.kube.traffic.record(request.verb, request.counted_as, agent)
        if not self._survives(request, agent):
            self.close_connection = True
            return
        try:
            user = self.kube.access.user(self.headers.get("Authorization", ""))
            self.kube.access.authorize(user, request)
            self._fail_on_demand(request, agent)
            if request.verb == "watch" and request.resource:
                opened = self.kube.dispatcher.open_watch(request)
                if not isinstance(opened, Answer):
                    self._stream(request, agent, *opened)
                    return
            stale = self.kube.faults.take(request, agent, FaultKind.STALE)
            behind = stale.revisions if stale else 0
            answer = self.kube.dispatcher.respond(request, body, self._content_type(), behind=behind)
        except status.ApiError as error:
            self._send(Answer(error.code, error.status), error.headers)
            return
        except Exception as error:  # noqa: BLE001 - a defect here must look like one of a server: logged, 500
            _LOG.exception("%s %s failed", self.command, self.path)
            self._send(Answer(500, status.internal(f"{type(error).__name__}: {error}").status), {})
            return
        if self.kube.faults.take(request, agent, FaultKind.LOST_ANSWER):
            self.close_connection = True
            return
        self._send(answer, {})

    def _fail_on_demand(self, request: Request, agent: str) -> None:
        fault = self.kube.faults.take(request, agent, FaultKind.STATUS, FaultKind.CONFLICT)
        if fault:
            raise fault.error(request)

    def _survives(self, request: Request, agent: str) -> bool:
        """Apply the faults of the transport; says whether the request is still to be handled."""
        faults = self.kube.faults
        if faults.take(request, agent, FaultKind.CLOSE):
            return False
        if faults.take(request, agent, FaultKind.HANG):
            tick = self.kube.store.tick
            while faults.active(FaultKind.HANG, request, agent) and not self._client_gone():
                self.kube.store.wait(tick, PATIENCE_SECONDS)
                tick = self.kube.store.tick
            return False
        slow = faults.take(request, agent, FaultKind.LATENCY)
        if slow:
            self.kube.sleep(slow.seconds)
        return True

    def _client_gone(self) -> bool:
        """Say whether nobody is left to answer: the connection is closed, by either side."""
        if self.kube.closing:
            return True
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._read_chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _read_chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _content_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip()

    def _send(self, answer: Answer, headers: dict[str, str]) -> None:
        if isinstance(answer.body, str):
            data, kind = answer.body.encode(), "text/plain; charset=utf-8"
        else:
            data, kind = _encode(answer.body), "application/json"
        self.kube.traffic.answered(answer.code)
        self.send_response(answer.code)
        self._send_common(kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _send_common(self, kind: str) -> None:
        self.send_header("Audit-Id", str(uuid.uuid4()))
        self.send_header("Cache-Control", "no-cache, private")
        self.send_header("Content-Type", kind)

    def _stream(self, request: Request, agent: str, watch: Watch, options: WatchOptions) -> None:
        """Serve a watch: head, then chunks until the stream ends."""
        self.kube.traffic.answered(200)
        self.send_response(200)
        self._send_common("application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        line = StreamEnds(
            send=self._send_events,
            gone=self._client_gone,
            silenced=lambda: self.kube.faults.active(FaultKind.FREEZE, request, agent),
        )
        with self.kube.running_watch(request) as control:
            stream = WatchStream(self.kube.store, watch, options, self.kube.bookmark_seconds)
            in_order = stream.run(line, control)
        if in_order:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def _send_events(self, events: list[Obj]) -> None:
        data = b"".join(_encode(event) + b"\n" for event in events)
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def _encode(value: Obj) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
