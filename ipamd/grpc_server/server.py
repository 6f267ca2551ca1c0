"""A gRPC server on a unix socket.

The socket exists with mode 0600 from its first moment and is removed at the end. One that an earlier process
left is replaced; that no other process is alive is for the caller to know.
Thread safety: `start` and `stop` are for one thread.
"""

import contextlib
import logging
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ipamd.core.errors import InvalidInputError
from ipamd.grpc_server.event_loop import EventLoop
from ipamd.grpc_server.methods import RpcService, served
from ipamd.runtime import failpoints

log = logging.getLogger(__name__)

_BACKLOG: Final = 512
"""Connections that the kernel keeps until they are accepted; a node that drains makes a hundred at once."""
_END_SECONDS: Final = 1.0
"""For calls that were cancelled, after the grace."""


class GrpcServer:
    """Serves services on one socket."""

    def __init__(self, path: Path, services: Iterable[RpcService]) -> None:
        """Take the socket's path and the services; nothing listens yet."""
        self._path = path
        services = list(services)
        self.methods = served(services)
        """What can be called, by path."""
        self._threads = list({id(service.threads): service.threads for service in services}.values())
        self._loop: EventLoop | None = None

    def start(self) -> None:
        """Listen and serve; InvalidInputError when the socket cannot be made."""
        try:
            self._remove_socket()
            listener = self._listener()
        except OSError as e:
            raise InvalidInputError(
                f"cannot listen on {self._path}: {e}", advice="name another socket with --socket"
            ) from e
        self._loop = EventLoop(listener, self.methods, self._threads)
        self._loop.start()
        log.info("serving on %s", self._path)

    def stop(self, grace: float) -> bool:
        """Take no new requests, let those under way end within `grace` seconds; return whether they have."""
        self._remove_socket()
        if self._loop is None:
            return True
        ended = self._loop.leave(grace)
        closed = self._loop.stop(_END_SECONDS)
        stopped = [threads.stop(_END_SECONDS) for threads in self._threads]
        self._loop = None
        return ended and closed and all(stopped)

    def _listener(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        before = os.umask(0o177)
        try:
            with failpoints.failpoint("file.socket.listen"):
                listener.bind(str(self._path))
                listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        finally:
            os.umask(before)
        return listener

    def _remove_socket(self) -> None:
        with contextlib.suppress(FileNotFoundError), failpoints.failpoint("file.socket.remove"):
            self._path.unlink()
