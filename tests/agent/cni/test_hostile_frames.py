"""Bytes on the agent's socket that are no gRPC, or no CniRequest: refused, and the next is served."""

import contextlib
import socket
import struct

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipamd.rpc import cni_pb2

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
BOUNDED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def frame(kind, flags, stream, payload):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


FRAMES = st.lists(
    st.builds(
        frame,
        st.integers(0, 12),
        st.integers(0, 255),
        st.sampled_from([0, 1, 2, 3, 0x7FFFFFFF]),
        st.binary(max_size=60),
    ),
    max_size=6,
).map(b"".join)
STREAMS = st.binary(max_size=200) | FRAMES.map(lambda frames: PREFACE + frames)


@BOUNDED
@given(STREAMS)
def test_bytes_that_are_no_grpc(node, stream):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2.0)
        client.connect(str(node.socket))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(stream)
            client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(TimeoutError):
                while client.recv(4096):
                    pass


@pytest.fixture(scope="module", autouse=True)
def alive(node):
    in_use = node.pool()["inUse"]
    yield
    assert node.call("status") == (0, {})
    assert node.pool()["inUse"] == in_use
    assert node.agent.process.poll() is None


METHODS = st.sampled_from(
    [f"/tke.eni.v1.Cni/{verb}" for verb in ("Add", "Del", "Check", "Gc", "Status", "Update", "")]
    + [f"/tke.eni.v1.Introspection/{verb}" for verb in ("GetStatus", "ListPods", "ListEips", "X")]
    + ["/tke.eni.v1.Maintenance/Check", "/tke.eni.v1.Maintenance/DumpKernel", "/", "/x/y"]
)
MESSAGES = st.binary(max_size=300) | st.builds(
    lambda environment, stdin: cni_pb2.CniRequest(environment=environment, stdin=stdin).SerializeToString(),
    st.lists(st.binary(max_size=60), max_size=5),
    st.binary(max_size=200) | st.just(b'{"cniVersion":"1.1.0","name":"tke-eni","type":"tke-route-eni"}'),
)


@BOUNDED
@given(METHODS, MESSAGES)
def test_messages_that_are_no_requests(node, method, message):
    with grpc.insecure_channel(f"unix:{node.socket}") as channel:
        call = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        with contextlib.suppress(grpc.RpcError):
            call(message, timeout=5.0)


def test_a_message_that_is_too_large_is_refused_and_not_kept(node):
    with grpc.insecure_channel(
        f"unix:{node.socket}", options=[("grpc.max_send_message_length", 64 << 20)]
    ) as channel:
        call = channel.unary_unary(
            "/tke.eni.v1.Cni/Add", request_serializer=bytes, response_deserializer=bytes
        )
        before = node.agent.rss_mib()
        for _ in range(5):
            with pytest.raises(grpc.RpcError) as refused:
                call(b"\x0a" + b"x" * (8 << 20), timeout=10.0)
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert node.agent.rss_mib() - before < 16


def test_many_connections_that_say_nothing_keep_nobody_out(node):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            idle = stack.enter_context(socket.socket(socket.AF_UNIX))
            idle.connect(str(node.socket))
        assert node.call("status") == (0, {})
