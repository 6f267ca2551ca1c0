"""One unary gRPC call over a unix socket, with a deadline for the whole of it.

The only I/O of the call; the protocol is `exchange`. Imports `_socket` and what the interpreter has loaded
anyway, because `socket` alone would more than double the process (docs/shim.md). Not thread safe, nor need it
be: one process makes one call at a time.
"""

import time
from _socket import AF_UNIX, SO_PEERCRED, SO_SNDTIMEO, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, socket
from posix import geteuid
from sys import byteorder

from cni_plugin import exchange, status

_CHUNK = 65536


class AgentUnreachableError(Exception):
    """Nobody accepts connections on the socket; the request has not left this process."""


def connect(path: bytes, deadline: float) -> socket:
    """Connect before `deadline` (of `time.monotonic`); raises UnreachableError with the system's reason."""
    try:
        connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    except OSError as error:  # the node, or this process, has no descriptor left
        raise AgentUnreachableError(error.strerror or str(error)) from None
    try:
        _limit_connect(connection, _remaining(deadline))
        connection.connect(path)
    except (TimeoutError, BlockingIOError):
        connection.close()
        raise AgentUnreachableError("no connection was accepted in time") from None
    except OSError as error:
        connection.close()
        raise AgentUnreachableError(error.strerror or str(error)) from None
    _check_peer(connection)
    return connection


def _check_peer(connection: socket) -> None:
    """Refuse a socket that is neither root's nor our own: whoever made it is not the agent."""
    # struct ucred: pid, uid, gid, of whoever called listen().
    uid = int.from_bytes(connection.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[4:8], byteorder)
    if uid not in (0, geteuid()):
        connection.close()
        raise AgentUnreachableError(f"it is served by user {uid}, not by root")


def call(connection: socket, path: bytes, message: bytes, deadline: float) -> bytes:
    """Call `path` with a serialized message and return the serialized reply; raises RpcError.

    Closes the connection in every case, which also tells the agent to give up a call that is still under way.
    """
    try:
        rpc = exchange.Exchange(path, message, _remaining(deadline))
        _send(connection, rpc.start(), deadline)
        while not rpc.finished:
            connection.settimeout(_remaining(deadline))
            data = connection.recv(_CHUNK)
            if not data:
                raise status.RpcError(status.UNAVAILABLE, "the connection was closed before an answer")
            owed = rpc.receive(data)
            if not rpc.finished:  # who has its answer goes, and owes the agent nothing
                _send(connection, owed, deadline)
        return rpc.reply()
    except TimeoutError:
        raise status.RpcError(status.DEADLINE_EXCEEDED, "no answer in time") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise status.RpcError(status.UNAVAILABLE, f"the connection broke: {reason}") from None
    finally:
        connection.close()


def _send(connection: socket, data: bytes, deadline: float) -> None:
    if not data:
        return
    connection.settimeout(_remaining(deadline))
    try:
        connection.sendall(data)
    except BrokenPipeError:
        # The agent has closed its side, maybe after an answer that is still to be read; the next read tells.
        return


def _limit_connect(connection: socket, seconds: float) -> None:
    """Let the kernel bound `connect`.

    With a full backlog, connecting to a unix socket waits in blocking mode only, where no time-out of
    Python's applies; else it fails at once. The kernel's own limit is a struct timeval of two longs.
    """
    timeval = (int(seconds), int(seconds % 1 * 1e6) + 1)
    option = b"".join([number.to_bytes(8, byteorder) for number in timeval])
    connection.setsockopt(SOL_SOCKET, SO_SNDTIMEO, option)


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
