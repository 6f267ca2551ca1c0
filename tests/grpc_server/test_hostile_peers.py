"""Peers that send anything: the server goes on, others are served, and nothing of them stays."""

import contextlib
import socket
import threading

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipamd.grpc_server import event_loop, frames, peer
from ipamd.grpc_server.connection import MOST_STREAMS, Http2Connection, Requested
from ipamd.grpc_server.status import StatusCode
from ipamd.rpc import cni_pb2, cni_pb2_grpc
from tests.grpc_server.conftest import open_descriptors
from tests.grpc_server.peer import (
    ADD,
    STATUS,
    ends,
    headers_frame,
    is_goaway,
    message,
    received,
    request,
    request_headers,
)
from tests.testkit.eventually import comes_about

BOUNDED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PATHS = st.sampled_from([ADD, STATUS, "/tke.eni.v1.Cni/Del", "/tke.eni.v1.Diagnosis/Watch", "/", "/x/y"])
STREAMS = st.sampled_from([0, 1, 2, 3, 5, 7, frames.LARGEST_NUMBER])
BLOCKS = st.binary(max_size=60) | st.builds(request_headers, PATHS)
PAYLOADS = (
    st.binary(max_size=40)
    | BLOCKS
    | st.binary(max_size=40).map(message)
    | st.integers(0, frames.LARGEST_NUMBER).map(frames.numbers)
    | st.just(b"12345678")
)
FRAMES = st.one_of(
    st.builds(frames.frame, st.integers(0, 11), st.integers(0, 255), STREAMS, PAYLOADS),
    st.builds(headers_frame, STREAMS, PATHS),
    st.builds(
        lambda stream, content, flags: frames.frame(0, flags, stream, message(content)),
        STREAMS,
        st.binary(),
        st.integers(0, 1),
    ),
    st.builds(request, STREAMS, PATHS, st.binary(max_size=40)),
    st.builds(
        lambda *entry: frames.settings_frame(dict([entry])), st.integers(0, 8), st.integers(0, (1 << 32) - 1)
    ),
)
SEQUENCES = st.lists(FRAMES, max_size=12).map(b"".join)
SENT = st.binary(max_size=100) | SEQUENCES.map(
    lambda sequence: frames.PREFACE + frames.settings_frame({}) + sequence
)


def check_serves(server):
    with grpc.insecure_channel(server.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = cni_pb2_grpc.CniStub(channel)
        assert stub.Add(cni_pb2.CniRequest(stdin=b"x"), timeout=20).stdout == b"x"


@BOUNDED
@given(st.lists(SENT, min_size=1, max_size=3), st.booleans())
def test_any_octets_in_any_pieces(shared, pieces, half_closed):
    with shared.connected(begin=False) as connection:
        connection.settimeout(0.05)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            for piece in pieces:
                connection.sendall(piece)
            if half_closed:
                connection.shutdown(1)
            while connection.recv(65536):
                pass


@pytest.fixture(scope="module", autouse=True)
def nothing_stays(shared):
    """The fixture `shared` counts descriptors; threads are looked for here."""
    check_serves(shared)
    yield
    check_serves(shared)
    mine = ("test-cni", "test-operator")
    assert comes_about(
        lambda: sum(thread.name.startswith(mine) for thread in threading.enumerate()) <= 3 + 1, 10.0
    )


@settings(max_examples=400, deadline=None)
@given(SEQUENCES, st.integers(1, 50))
def test_a_connection_keeps_its_promises_whatever_comes(sequence, size):
    """Without a socket: no exception, answers that a reader of frames understands, and all is bounded."""
    connection = Http2Connection({ADD, STATUS}.__contains__)
    stream = frames.PREFACE + frames.settings_frame({}) + sequence
    reader, taken = frames.FrameReader(greeted=True), set()
    for start in range(0, len(stream), size):
        for event in connection.receive(stream[start : start + size]):
            if isinstance(event, Requested):
                assert event.stream not in taken
                taken.add(event.stream)
                connection.send_message(event.stream, b"answer")
                connection.end(event.stream, StatusCode.OK)
                connection.running -= 1
            else:
                assert event.stream in taken
        reader.feed(connection.output())
        while reader.next() is not None:
            pass
    assert connection.running == 0
    assert not (connection.has_ended and connection.has_streams)


def test_a_flood_on_one_connection_is_ended_and_others_are_served(shared):
    ping = frames.frame(frames.PING, 0, 0, b"12345678")
    with shared.connected() as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(ping * 20_000)
        check_serves(shared)
        assert is_goaway(received(connection, is_goaway)[-1])


def test_a_peer_that_takes_no_answer_keeps_nobody_out(shared):
    with shared.connected() as connection:
        connection.sendall(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: frames.LARGEST_NUMBER}))
        connection.sendall(frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.numbers(1 << 30)))
        watch = headers_frame(1, "/tke.eni.v1.Diagnosis/Watch")
        connection.sendall(watch + frames.frame(frames.DATA, frames.END_STREAM, 1, message()))
        check_serves(shared)
        with shared.connected() as other:
            other.sendall(request(1))
            assert ends(1)(received(other, ends(1))[-1])


def test_resets_of_calls_under_way_leave_no_call(shared):
    with shared.connected() as connection:
        for stream in range(1, 2 * MOST_STREAMS, 2):
            connection.sendall(request(stream, "/tke.eni.v1.Cni/Gc"))
            connection.sendall(frames.frame(frames.RST_STREAM, 0, stream, frames.numbers(8)))
        check_serves(shared)


@pytest.fixture
def slow(served):
    """A peer of which the test says when it is looked at, and the other end of its socket."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection = peer.Peer(ours, served.server.methods, _NoPoller())
    with theirs:
        yield connection, theirs
    connection.close()


def test_who_does_not_begin_is_closed_after_a_while(slow):
    connection, theirs = slow
    theirs.sendall(frames.PREFACE[:5])
    assert connection.receive()

    assert connection.look(connection.used_at + peer.BEGIN_SECONDS - 5) is not None
    assert connection.look(connection.used_at + peer.BEGIN_SECONDS + 5) is None


def test_who_does_not_end_a_request_is_refused_after_a_while(slow):
    connection, theirs = slow
    theirs.sendall(frames.PREFACE + frames.settings_frame({}) + headers_frame(1))
    assert connection.receive()

    assert connection.look(connection.used_at + peer.BEGIN_SECONDS + 5) is not None

    theirs.settimeout(5)
    assert ends(1)(received(theirs, ends(1))[-1])
    assert connection.is_idle


def test_who_takes_no_answer_is_closed_after_a_while(slow):
    connection, theirs = slow
    ping = frames.frame(frames.PING, 0, 0, b"12345678")
    theirs.sendall(frames.PREFACE + frames.settings_frame({}))
    theirs.setblocking(False)
    for number in range(200):
        with contextlib.suppress(BlockingIOError):
            theirs.sendall(
                request(2 * number + 1, ADD, cni_pb2.CniRequest(stdin=b"x" * 16_000).SerializeToString())
                + ping
            )
        connection.receive()
    assert comes_about(lambda: connection.is_stalled, 10.0)

    assert connection.look(connection.used_at + 5) is not None
    assert connection.look(connection.used_at + peer.STALL_SECONDS + 30) is None


def test_who_is_silent_after_the_preface_may_stay(slow):
    connection, theirs = slow
    theirs.sendall(frames.PREFACE + frames.settings_frame({}))
    assert connection.receive()

    assert connection.look(connection.used_at + 3600) is not None


class _NoPoller:
    def watch_writing(self, descriptor, *, wanted):
        pass

    def look_at(self, at):
        pass

    def note_end(self):
        pass


def test_a_connection_more_than_there_may_be_costs_the_idle_one(served):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(served.connected()) for _ in range(event_loop.MOST_PEERS)]
        with served.connected() as one_more:
            one_more.sendall(request(1))
            assert ends(1)(received(one_more, ends(1))[-1])
        assert received(idle[0], lambda _: False)[-1].kind != frames.GOAWAY
    assert comes_about(lambda: open_descriptors() < event_loop.MOST_PEERS, 10.0)
