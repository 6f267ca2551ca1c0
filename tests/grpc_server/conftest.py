"""A server of our own with services of the test, and connections to it that say what a test wants."""

import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest

from ipamd.grpc_server import frames, header_fields
from ipamd.grpc_server.methods import RpcService
from ipamd.grpc_server.server import GrpcServer
from ipamd.grpc_server.status import StatusCode
from ipamd.rpc import cni_pb2, diagnosis_pb2
from ipamd.runtime.request_threads import RequestThreads, waits
from tests.testkit.eventually import comes_about

ADD = "/tke.eni.v1.Cni/Add"
STATUS = "/tke.eni.v1.Cni/Status"


class Verbs:
    """CNI verbs that do what a test of the server needs."""

    def __init__(self):
        self.released = threading.Event()
        self.cancelled = threading.Event()
        self.began = threading.Semaphore(0)

    def Add(self, request, call):  # noqa: N802 - the name in the contract
        """Give back what was sent."""
        return cni_pb2.CniReply(stdout=request.stdin, exit_code=len(request.environment))

    def Del(self, request, call):  # noqa: N802 - the name in the contract
        """Fail by a defect."""
        raise ValueError("a defect of the test")

    def Check(self, request, call):  # noqa: N802 - the name in the contract
        """Wait, and say so, until the test or the caller ends it."""
        call.on_cancel(self.cancelled.set)
        self.began.release()
        with waits():
            while call.is_active() and not self.released.wait(0.02):
                pass
        return cni_pb2.CniReply(exit_code=7)

    def Gc(self, request, call):  # noqa: N802 - the name in the contract
        """Do the same without a word."""
        self.began.release()
        while call.is_active() and not self.released.wait(0.02):
            pass
        return cni_pb2.CniReply(exit_code=int(call.time_remaining()))

    def Status(self, request, call):  # noqa: N802 - the name in the contract
        """Answer at once."""
        return cni_pb2.CniReply()


class Watches:
    """Streams of answers."""

    def __init__(self):
        self.closed = threading.Event()

    def Watch(self, request, call):  # noqa: N802 - the name in the contract
        """Send messages until nobody listens, each as large as the namespace's name says."""
        call.send_initial_metadata()
        try:
            number, most = 0, int(request.namespace or 1 << 30)
            while call.is_active() and number < most:
                number += 1
                yield diagnosis_pb2.PodEventEntry(pod=f"a/{number}", text="x" * 10_000)
        finally:
            self.closed.set()

    def Trace(self, request, call):  # noqa: N802 - the name in the contract
        """Refuse, in words that need an encoding."""
        call.abort(StatusCode.NOT_FOUND, "kein Pod „web“: 100 %\n")

    Explain = ListClaims = ListSettings = Trace


class ServedSocket:
    """A running server, and what it was made of."""

    def __init__(self, path):
        self.path = path
        self.verbs, self.watches = Verbs(), Watches()
        self.cni = RequestThreads("test-cni", count=2, most=8)
        self.operators = RequestThreads("test-operator", count=1, most=4)
        self.server = GrpcServer(
            path,
            [
                RpcService(cni_pb2.DESCRIPTOR.services_by_name["Cni"], self.verbs, self.cni),
                RpcService(
                    diagnosis_pb2.DESCRIPTOR.services_by_name["Diagnosis"], self.watches, self.operators
                ),
            ],
        )
        self.server.start()

    @property
    def target(self):
        return f"unix:{self.path}"

    @contextlib.contextmanager
    def connected(self, *, begin=True):
        """A connection that says what it is told to."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.path))
            if begin:
                connection.sendall(frames.PREFACE + frames.settings_frame({}))
            yield connection

    def close(self):
        self.verbs.released.set()
        self.server.stop(2.0)


def open_descriptors():
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def served(tmp_path):
    server = ServedSocket(tmp_path / "sock")
    yield server
    server.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The same for a whole module, which must leave neither descriptors nor threads behind."""
    server = ServedSocket(tmp_path_factory.mktemp("served") / "sock")
    before = open_descriptors()
    yield server
    assert comes_about(lambda: open_descriptors() <= before, 5.0)
    server.close()


def request_headers(path, *more, method=b"POST", kind=b"application/grpc"):
    return b"".join(
        header_fields.literal(name, value)
        for name, value in (
            (b":method", method),
            (b":scheme", b"http"),
            (b":path", path.encode()),
            (b"te", b"trailers"),
            (b"content-type", kind),
            *more,
        )
    )


def message(content=b""):
    return b"\0" + len(content).to_bytes(4, "big") + content


def headers_frame(stream, path=STATUS, *more, flags=frames.END_HEADERS, **fields):
    return frames.frame(frames.HEADERS, flags, stream, request_headers(path, *more, **fields))


def request(stream, path=STATUS, content=b""):
    """The frames of one whole request."""
    return headers_frame(stream, path) + frames.frame(
        frames.DATA, frames.END_STREAM, stream, message(content)
    )


def received(connection, until, seconds=5.0):
    """The frames that come until one of them is what is waited for, or the end; read by our own reader."""
    reader, found = frames.FrameReader(greeted=True), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            data = connection.recv(65536)
        except (TimeoutError, ConnectionResetError):
            break
        if not data:
            break
        reader.feed(data)
        while (frame := reader.next()) is not None:
            found.append(frame)
            if until(frame):
                return found
    return found


def ends(stream):
    """Whether a frame ends a stream."""
    return lambda frame: (
        frame.stream == stream
        and (
            frame.kind == frames.RST_STREAM
            or (frame.kind in (frames.HEADERS, frames.DATA) and bool(frame.flags & frames.END_STREAM))
        )
    )


def is_goaway(frame):
    return frame.kind == frames.GOAWAY


def fields(frames_of_answer):
    """The header fields of all blocks of an answer."""
    decoder = header_fields.HeaderDecoder()
    return {
        name: value
        for frame in frames_of_answer
        if frame.kind == frames.HEADERS
        for name, value in decoder.decode(frame.payload)
    }
