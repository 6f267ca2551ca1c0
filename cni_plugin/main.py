"""The CNI plugin tke-route-eni: environment and stdin go to the agent, its answer goes to stdout.

Knows no policy: the agent reads the configuration and checks the variables. What is decided here is what the
agent cannot say: that it is not there. VERSION needs no agent; a DEL that it cannot take is queued on disk;
for STATUS its last answer stands for a while.
"""

import posix
import time
from _socket import socket

from cni_plugin import cnierror, defaults, status, unary, wire

TYPE_CHECKING = False  # typing's own costs start-up time; type checkers take any name that is spelled so
if TYPE_CHECKING:
    from cni_plugin import pending

_METHODS = {b"ADD": b"Add", b"DEL": b"Del", b"CHECK": b"Check", b"GC": b"Gc", b"STATUS": b"Status"}
_SERVICE = b"/tke.eni.v1.Cni/"
_VERSIONS = b'{"cniVersion": "1.1.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]}\n'

# CANCELLED is what a call gets that is under way when the agent stops.
_TRANSIENT = (status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED, status.CANCELLED)

# A kubelet whose runtime does not answer for 30 s takes it for dead: the Node is NotReady for that alone.
_STATUS_TIMEOUT = 10.0

_QUEUE_IN_MEMORY = b"/pending-deletes"

_LARGEST_CONFIG = 4 << 20  # what a gRPC server takes unless told otherwise
_LONGEST_TIMEOUT = 3600


class Invocation:
    """One execution of the plugin: what the runtime asked and where the agent is to be found.

    Invariant: nothing changes after construction. Raises CniError for what is wrong with the request itself.
    """

    __slots__ = ("_deadline", "_environment", "_patience", "_queue", "_request", "_socket", "_verb")

    def __init__(self, environment: dict[bytes, bytes], config: bytes, started: float) -> None:
        """Take the environment, what stdin held, and when the process started (`time.monotonic`)."""
        self._verb = environment[b"CNI_COMMAND"]
        self._environment = environment
        timeout = _seconds(environment, b"TKE_ENI_TIMEOUT", defaults.TIMEOUT)
        if self._verb == b"STATUS":
            timeout = min(timeout, _STATUS_TIMEOUT)
        self._deadline = started + timeout
        self._patience = _seconds(environment, b"TKE_ENI_STATUS_PATIENCE", defaults.STATUS_PATIENCE)
        self._socket = environment.get(b"TKE_ENI_SOCKET") or defaults.SOCKET
        self._queue = environment.get(b"TKE_ENI_PENDING_DELETES") or defaults.PENDING_DELETES
        self._request = wire.encode_request(
            [name + b"=" + value for name, value in environment.items() if name.startswith(b"CNI_")], config
        )

    def forward(self) -> tuple[bytes, int]:
        """Let the agent answer; returns stdout and exit code."""
        try:
            return self._call(unary.connect(self._socket, self._deadline))
        except (unary.AgentUnreachableError, status.RpcError) as error:
            raise self._failure(error) from None

    def delete(self) -> tuple[bytes, int]:
        """Let the agent answer a DEL, or queue it: DEL succeeds without the agent."""
        try:
            return self._call(unary.connect(self._socket, self._deadline))
        except (unary.AgentUnreachableError, status.RpcError) as error:
            failure = self._failure(error)
        from cni_plugin import pending  # noqa: PLC0415 - costs start-up time and is seldom needed

        refusals = []
        # What the disk does not take goes into memory, beside the socket.
        for directory in (self._queue, self._socket.rpartition(b"/")[0] + _QUEUE_IN_MEMORY):
            try:
                return self._call_or_queue(pending.Queue(directory, self._deadline))
            except pending.QueueError as error:
                refusals.append(error)
                if not error.unusable:
                    break
        raise cnierror.PluginError(
            cnierror.TRY_AGAIN_LATER,
            f"{failure.message}; and the DEL could not be queued: {'; '.join(e.message for e in refusals)}",
            f"{refusals[-1].advice}; the runtime repeats DEL",
        )

    def tell_status(self) -> tuple[bytes, int]:
        """Let the agent answer STATUS, or let its last answer stand."""
        from cni_plugin import standing  # noqa: PLC0415 - costs start-up time, which counts for ADD

        last = standing.LastAnswer(self._socket)
        try:
            stdout, exit_code = self._call(unary.connect(self._socket, self._deadline))
        except (unary.AgentUnreachableError, status.RpcError) as error:
            failure = self._failure(error)
            objection = last.objection(self._patience)
            if not objection:
                return b"", 0
            raise cnierror.PluginError(
                failure.code, f"{failure.message}; {objection}", failure.details
            ) from None
        last.keep(served=exit_code == 0)
        return stdout, exit_code

    def _call_or_queue(self, queue: "pending.Queue") -> tuple[bytes, int]:
        container_id, ifname = self._required(b"CNI_CONTAINERID"), self._required(b"CNI_IFNAME")
        with queue:
            try:
                connection = unary.connect(self._socket, self._deadline)
            except unary.AgentUnreachableError:
                queue.add(container_id, ifname, self._request)
                return b"", 0
        # The agent listens by now and has drained the queue: called, the DEL need not wait for the next time.
        try:
            return self._call(connection)
        except status.RpcError:
            with queue:
                queue.add(container_id, ifname, self._request)
            return b"", 0

    def _call(self, connection: socket) -> tuple[bytes, int]:
        method = _SERVICE + _METHODS[self._verb]
        reply = unary.call(connection, method, self._request, self._deadline)
        try:
            stdout, exit_code = wire.decode_reply(reply)
        except wire.WireError as error:
            raise status.RpcError(status.INTERNAL, f"the reply is no CniReply: {error}") from None
        # What does not fit into an exit status must not turn into success.
        return stdout, exit_code if 0 <= exit_code <= 255 else 1

    def _required(self, name: bytes) -> bytes:
        value = self._environment.get(name)
        if not value:
            raise cnierror.PluginError(
                cnierror.INVALID_ENVIRONMENT, f"{name.decode()} is not set", "the runtime must set it for DEL"
            )
        return value

    def _failure(self, error: Exception) -> cnierror.PluginError:
        """Say in the terms of CNI that there is no answer from the agent."""
        verb = self._verb.decode()
        agent = f"the tke-eni agent on {self._socket.decode('utf-8', 'replace')}"
        code = cnierror.TRY_AGAIN_LATER
        if isinstance(error, unary.AgentUnreachableError):
            message = f"{agent} cannot be reached for {verb}: {error}"
        else:
            message = f"{agent} did not answer {verb}: {error}"
            if isinstance(error, status.RpcError) and error.code not in _TRANSIENT:
                code = cnierror.INTERNAL
        return cnierror.PluginError(
            cnierror.PLUGIN_NOT_AVAILABLE if verb == "STATUS" else code,
            message,
            "see whether the tke-eni-agent Pod of this node runs, and its log "
            "(kubectl -n kube-system get pods -o wide | grep tke-eni-agent)"
            + (f"; the runtime repeats {verb}" if verb in ("ADD", "DEL") else ""),
        )


def run(environment: dict[bytes, bytes], stdin: int, started: float) -> tuple[bytes, int]:
    """Do what CNI_COMMAND says and return stdout and exit code; `stdin` is a file descriptor."""
    config = b""
    try:
        verb = environment.get(b"CNI_COMMAND", b"")
        if verb == b"VERSION":
            return _VERSIONS, 0
        _check_verb(verb)
        config = _read_config(stdin)
        invocation = Invocation(environment, config, started)
        if verb == b"DEL":
            return invocation.delete()
        return invocation.tell_status() if verb == b"STATUS" else invocation.forward()
    except cnierror.PluginError as error:
        return cnierror.error_object(error, config), 1
    except BaseException as error:  # noqa: BLE001 - the runtime understands an error object, not a traceback
        unexpected = cnierror.PluginError(
            cnierror.INTERNAL,
            f"tke-route-eni failed: {error!r} in {_origin(error)}",
            "this is a defect of the plugin: report it with this message",
        )
        return cnierror.error_object(unexpected, config), 1


def main() -> None:
    """Run as the process that the runtime executed; does not return."""
    stdout, exit_code = run(posix.environ, 0, time.monotonic())
    try:
        while stdout:
            stdout = stdout[posix.write(1, stdout) :]
    except OSError:
        exit_code = 1  # nobody is left to tell
    # Skips the clean-up of an interpreter that is going away anyway: one millisecond.
    posix._exit(exit_code)  # noqa: SLF001 - public as os._exit, and `os` is not to be imported


def _origin(error: BaseException) -> str:
    """Name the line that raised, for a report."""
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else "?"


def _check_verb(verb: bytes) -> None:
    if verb not in _METHODS:
        raise cnierror.PluginError(
            cnierror.INVALID_ENVIRONMENT,
            f"CNI_COMMAND is {verb.decode('utf-8', 'replace')!r}" if verb else "CNI_COMMAND is not set",
            "it must be ADD, DEL, CHECK, GC, STATUS or VERSION; a container runtime runs this program",
        )


def _read_config(stdin: int) -> bytes:
    chunks = []
    size = 0
    try:
        while chunk := posix.read(stdin, 65536):
            chunks.append(chunk)
            size += len(chunk)
            if size > _LARGEST_CONFIG:
                raise cnierror.PluginError(
                    cnierror.INVALID_CONFIG,
                    f"the network configuration on stdin has more than {_LARGEST_CONFIG} octets",
                    "see what the runtime or the plugin before this one puts into it",
                )
    except OSError as error:
        raise cnierror.PluginError(
            cnierror.IO_FAILURE, f"stdin cannot be read: {error.strerror}", "the runtime must open it"
        ) from None
    return b"".join(chunks)


def _seconds(environment: dict[bytes, bytes], name: bytes, default: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise cnierror.PluginError(
            cnierror.INVALID_ENVIRONMENT,
            f"{name.decode()} is {text.decode('utf-8', 'replace')!r}",
            f"it must be a number of seconds, more than 0 and at most {_LONGEST_TIMEOUT}; or leave it out",
        )
    return seconds
