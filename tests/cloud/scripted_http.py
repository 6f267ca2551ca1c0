"""An HTTP server on a loopback socket that sends exactly the bytes a test wants, or stays silent.

For answers that the simulated region does not give. `close` ends all connections and threads.
"""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """What came in; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def action(self) -> str:
        return self.headers.get("x-tc-action", "")

    @property
    def params(self) -> dict[str, Any]:
        return dict(json.loads(self.body or b"{}"))

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


Answer = Callable[[Request, socket.socket], bool]
"""Answers on the socket; returns whether the connection stays open."""


@dataclass
class ScriptedHttp:
    """Calls `answer` for each request, each connection on its own thread."""

    answer: Answer
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._closing = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        host, port = self._listening.getsockname()
        return f"http://{host}:{port}"

    @property
    def closing(self) -> threading.Event:
        """Set when the server is closed; silent answers wait for it."""
        return self._closing

    def close(self) -> None:
        self._closing.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its client has closed it
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            try:
                while (request := _read(reader)) is not None:
                    self.requests.append(request)
                    if not self.answer(request, connection):
                        return
            except OSError:
                return


def _read(reader: Any) -> Request | None:
    line = reader.readline().decode().strip()
    if not line:
        return None
    headers = {}
    while header := reader.readline().decode().strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0)))
    return Request(line, headers, body)


def http(
    body: bytes, *, content_type: str = "application/json", status: str = "200 OK", date: str = ""
) -> bytes:
    """Return a whole HTTP response, with a Date header if one is given."""
    dated = f"Date: {date}\r\n" if date else ""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{dated}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def response(content: dict[str, Any], **options: Any) -> bytes:
    """Return the HTTP response of an API answer; `content` is the Response object."""
    return http(json.dumps({"Response": {"RequestId": "r-scripted", **content}}).encode(), **options)


def always(data: bytes) -> Answer:
    """Answer every request with the same bytes."""

    def answer(_: Request, connection: socket.socket) -> bool:
        connection.sendall(data)
        return True

    return answer


def api(handler: Callable[[Request], dict[str, Any]]) -> Answer:
    """Answer every request as an API that computes its Response object."""

    def answer(request: Request, connection: socket.socket) -> bool:
        connection.sendall(response(handler(request)))
        return True

    return answer
