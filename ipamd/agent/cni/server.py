"""The agent's gRPC server on its unix socket.

The socket exists with mode 0600 from its first moment and is removed at the end; its directory is checked by
`ipamd.agent.trusted_directories`. One that an earlier agent
left is replaced; that no other agent is alive was settled by the store's lock before.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from ipamd.agent.cni.service import CniService
from ipamd.core.errors import InvalidInputError
from ipamd.rpc import cni_pb2_grpc, introspection_pb2_grpc, maintenance_pb2_grpc
from ipamd.runtime import failpoints

log = logging.getLogger(__name__)

THREADS = 48
"""Requests served at once; threads are made when they are needed first."""
WAITING = 40
"""How many of them may wait for an address or an EIP."""


class Server:
    """Serves CNI and introspection on one socket."""

    def __init__(
        self,
        path: Path,
        cni: CniService,
        introspection: introspection_pb2_grpc.IntrospectionServicer,
        maintenance: maintenance_pb2_grpc.MaintenanceServicer,
        interceptors: Sequence[grpc.ServerInterceptor] = (),
        *,
        more: Iterable[Callable[[grpc.Server], None]] = (),
    ) -> None:
        """Take the socket's path and the services, `more` as what adds them; nothing listens yet."""
        self._path = path
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="rpc")
        self._server = grpc.server(
            self._threads,
            interceptors=list(interceptors),
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", 2 << 20),
            ],
        )
        cni_pb2_grpc.add_CniServicer_to_server(cni, self._server)
        introspection_pb2_grpc.add_IntrospectionServicer_to_server(introspection, self._server)
        maintenance_pb2_grpc.add_MaintenanceServicer_to_server(maintenance, self._server)
        for register in more:
            register(self._server)

    def start(self) -> None:
        """Listen and serve; InvalidInputError when the socket cannot be made."""
        try:
            self._remove_socket()
            before = os.umask(0o177)
            try:
                with failpoints.failpoint("file.socket.listen"):
                    self._server.add_insecure_port(f"unix:{self._path}")
            finally:
                os.umask(before)
        except (OSError, RuntimeError) as e:
            raise InvalidInputError(
                f"cannot listen on {self._path}: {e}", advice="name another socket with --socket"
            ) from e
        self._server.start()
        log.info("serving on %s", self._path)

    def stop(self, grace: float) -> None:
        """Take no new requests, let those under way end within `grace` seconds, remove the socket."""
        self._server.stop(grace).wait(grace + 1.0)
        self._threads.shutdown(wait=False)
        self._remove_socket()

    def _remove_socket(self) -> None:
        with contextlib.suppress(FileNotFoundError), failpoints.failpoint("file.socket.remove"):
            self._path.unlink()
