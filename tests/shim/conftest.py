"""What the tests of the shim share: the built file, an agent on the real gRPC server, a hostile server.

The agent's server takes and gives raw bytes, so that a test sees exactly what travelled.
"""

import contextlib
import dataclasses
import json
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from ipamd.rpc import cni_pb2

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = "/usr/bin/python3.11"
CONFIG = b'{"cniVersion": "1.0.0", "name": "tke-eni", "type": "tke-route-eni"}'

Handler = Callable[[bytes, grpc.ServicerContext], bytes]


@dataclasses.dataclass
class Outcome:
    """What a runtime sees of one execution."""

    stdout: bytes
    stderr: bytes
    exit_code: int
    seconds: float

    @property
    def error(self) -> dict[str, Any]:
        """The CNI error object, which comes with exit code 1 and nothing on stderr."""
        assert (self.exit_code, self.stderr) == (1, b"")
        error: dict[str, Any] = json.loads(self.stdout)
        assert set(error) == {"cniVersion", "code", "msg", "details"}
        return error


@dataclasses.dataclass
class Call:
    """What arrived at the agent."""

    method: str
    request: bytes
    metadata: dict[str, str]
    time_remaining: float


class Agent(grpc.GenericRpcHandler):
    """A gRPC server on a unix socket that answers every method the same way and keeps what it was asked."""

    def __init__(self, path: Path, compression: grpc.Compression) -> None:
        self.calls: list[Call] = []
        self.answer: Handler = lambda _request, _context: b""
        self._threads = futures.ThreadPoolExecutor(8)
        self._server = grpc.server(self._threads, compression=compression)
        self._server.add_generic_rpc_handlers((self,))
        assert self._server.add_insecure_port(f"unix:{path}")
        self._server.start()

    def reply_with(self, stdout: bytes, exit_code: int = 0) -> None:
        message = cni_pb2.CniReply(stdout=stdout, exit_code=exit_code).SerializeToString()
        self.answer = lambda _request, _context: message

    def abort_with(self, code: grpc.StatusCode, message: str) -> None:
        self.answer = lambda _request, context: context.abort(code, message)

    def hold(self, stdout: bytes = b"") -> tuple[threading.Event, threading.Event]:
        """Keep every call until the second event is set; the first one tells that a call is there."""
        inside, released = threading.Event(), threading.Event()

        def wait(_request: bytes, _context: grpc.ServicerContext) -> bytes:
            inside.set()
            assert released.wait(30)
            return cni_pb2.CniReply(stdout=stdout).SerializeToString()

        self.answer = wait
        return inside, released

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            metadata = {key: str(value) for key, value in details.invocation_metadata}
            self.calls.append(Call(details.method, request, metadata, context.time_remaining()))
            return self.answer(request, context)

        return grpc.unary_unary_rpc_method_handler(handle)

    def stop(self, grace: float | None = None) -> threading.Event:
        return self._server.stop(grace)

    def close(self) -> None:
        """End, with what waits for calls."""
        self.stop().wait()
        self._threads.shutdown()


class Plugin:
    """The built file, executed as a runtime executes it."""

    def __init__(self, file: Path, directory: Path) -> None:
        self.file = file
        self.socket = directory / "ipamd.sock"
        self.queue = directory / "pending"

    def environment(self, verb: str | None, **extra: str) -> dict[str, str]:
        environment = {
            "PATH": "/usr/bin:/bin",
            "CNI_CONTAINERID": "c0ffee",
            "CNI_NETNS": "/run/netns/c0ffee",
            "CNI_IFNAME": "eth0",
            "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0",
            "CNI_PATH": "/opt/cni/bin",
            "TKE_ENI_SOCKET": str(self.socket),
            "TKE_ENI_PENDING_DELETES": str(self.queue),
        }
        if verb is not None:
            environment["CNI_COMMAND"] = verb
        return environment | extra

    def run(self, verb: str | None, config: bytes = CONFIG, **extra: str) -> Outcome:
        return self.finish(self.start(verb, config, **extra))

    def start(
        self,
        verb: str | None,
        config: bytes = CONFIG,
        shell: str = "",
        **extra: str,
    ) -> "Execution":
        """Execute, through a shell line that runs it as "$0" if one is given."""
        # A file for stdin, because a pipe would block for a configuration that the plugin does not read.
        with tempfile.TemporaryFile() as stdin:
            stdin.write(config)
            stdin.seek(0)
            process = subprocess.Popen(
                ["/bin/sh", "-c", shell, self.file] if shell else [self.file],
                env=self.environment(verb, **extra),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        return Execution(process, time.monotonic())

    def finish(self, execution: "Execution") -> Outcome:
        with execution.process as process:
            try:
                stdout, stderr = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Outcome(stdout, stderr, process.returncode, time.monotonic() - execution.started)


@dataclasses.dataclass
class Execution:
    """A plugin that may still run."""

    process: subprocess.Popen[bytes]
    started: float


class Listener:
    """A unix socket whose every connection is handed to `script`; sends whatever it likes."""

    def __init__(self, path: Path, backlog: int = 64) -> None:
        self.script: Callable[[socket.socket], None] = lambda _connection: None
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(backlog)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self.script(connection)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


def build_plugin(output: Path, *options: str) -> None:
    """Build the file with the given options."""
    program = str(ROOT / "cni_plugin/build.py")
    subprocess.run([INTERPRETER, "-I", "-S", program, "--output", str(output), *options], check=True)


@pytest.fixture(scope="session")
def plugin_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("cni") / "tke-route-eni"
    build_plugin(file)
    return file


@pytest.fixture
def plugin(plugin_file: Path, tmp_path: Path) -> Plugin:
    return Plugin(plugin_file, tmp_path)


@pytest.fixture
def oracle(plugin: Plugin) -> Callable[[str, bytes], bytes]:
    """Sends what the shim is expected to send, by the real client; returns the serialized reply."""

    def call(verb: str, config: bytes) -> bytes:
        variables = [item for item in plugin.environment(verb).items() if item[0].startswith("CNI_")]
        request = cni_pb2.CniRequest(environment=[f"{k}={v}".encode() for k, v in variables], stdin=config)
        with grpc.insecure_channel(f"unix:{plugin.socket}") as channel:
            method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                f"/tke.eni.v1.Cni/{verb.title()}"
            )
            return method(request.SerializeToString(), timeout=10)

    return call


@pytest.fixture
def start_agent(plugin: Plugin) -> Iterator[Callable[..., Agent]]:
    with contextlib.ExitStack() as stack:

        def start(compression: grpc.Compression = grpc.Compression.NoCompression) -> Agent:
            agent = Agent(plugin.socket, compression)
            stack.callback(agent.close)
            return agent

        yield start


@pytest.fixture
def agent(start_agent: Callable[..., Agent]) -> Agent:
    return start_agent()


@pytest.fixture
def listener(plugin: Plugin) -> Iterator[Listener]:
    listening = Listener(plugin.socket)
    try:
        yield listening
    finally:
        listening.close()
