"""Lets programs on the host reach one address inside the VPC: a port on loopback, forwarded byte by byte.

A socket belongs to the network namespace in which it was made: the side towards the VPC is made in there, so
that nothing of the host's network changes. One thread for each direction of a connection; `close` ends them
all.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator

from simulator.fabric.netns import Resident


class Forwarder:
    """Forwards 127.0.0.1:`port` to an address of a network namespace. Thread-safe."""

    def __init__(self, netns: str, host: str, port: int) -> None:
        """Start to listen at any free port."""
        self._target = (host, port)
        self._resident = Resident(netns)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        self._accepting = threading.Thread(target=self._accept, name="forward-accept", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Stop to listen and cut the connections; safe to repeat."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for end in self._open:
                _shut(end)
        _shut(self._listener)
        self._accepting.join()
        self._listener.close()
        self._resident.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="forward", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, self._resident.call(socket.socket) as server, self._tracked(client, server):
            try:
                server.settimeout(10.0)
                server.connect(self._target)
                server.settimeout(None)
            except OSError:
                return
            back = threading.Thread(target=_pump, args=(server, client), name="forward-back", daemon=True)
            back.start()
            _pump(client, server)
            back.join()

    @contextlib.contextmanager
    def _tracked(self, *ends: socket.socket) -> Iterator[None]:
        with self._lock:
            if self._closed:
                for end in ends:
                    _shut(end)
            self._open.update(ends)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(ends)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the source ends or either side breaks, then tell the sink that there is no more."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
