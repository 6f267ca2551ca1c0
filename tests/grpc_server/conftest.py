"""A server of our own with services of the test, and connections to it that say what a test wants."""

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from ipamd.grpc_server import frames
from ipamd.grpc_server.methods import RpcService
from ipamd.grpc_server.server import GrpcServer
from ipamd.grpc_server.status import StatusCode
from ipamd.rpc import cni_pb2, diagnosis_pb2
from ipamd.runtime.request_threads import RequestThreads, waits
from tests.grpc_server.world import World
from tests.testkit.eventually import comes_about


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


@pytest.fixture
def world():
    return World()
