"""Real packets as evidence: who does the other side see, and who answers.

Sockets are made inside a network namespace and then used from anywhere, so no helper program is needed.
A `SourceReporter` answers every TCP connection with the address it came from, as a "what is my IP" site does.
"""

import socket
import threading
from types import TracebackType
from typing import Self

from simulator.fabric import netns as namespaces

_PORT = 8080


class SourceReporter:
    """A TCP server inside `netns` that tells each client its source address. One thread, ended by close."""

    def __init__(self, netns: str, *, port: int = _PORT) -> None:
        self._listener = namespaces.run_in(netns, lambda: socket.create_server(("", port), backlog=64))
        self._thread = threading.Thread(target=self._serve, name=f"reporter-{netns}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and wait for the thread."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(str(peer[0]).encode())


def seen_source(netns: str, host: str, *, port: int = _PORT, seconds: float = 3.0) -> str:
    """Connect from `netns` to the reporter at `host`; the source it saw, empty when nobody answered."""
    client = namespaces.run_in(netns, socket.socket)
    with client:
        client.settimeout(seconds)
        try:
            client.connect((host, port))
            return client.recv(64).decode()
        except OSError:
            return ""
