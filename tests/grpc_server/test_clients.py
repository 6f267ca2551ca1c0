"""The server as gRPC's own clients see it: whoever speaks gRPC can call the agent."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc.aio
import pytest

from cni_plugin import status as plugin_status
from cni_plugin import unary
from ipamd.rpc import cni_pb2, cni_pb2_grpc, diagnosis_pb2, diagnosis_pb2_grpc
from tests.grpc_server.peer import ADD, request

LARGE = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@pytest.fixture
def channel(served):
    with grpc.insecure_channel(served.target, options=LARGE) as channel:
        yield channel


@pytest.fixture
def cni(channel):
    return cni_pb2_grpc.CniStub(channel)


@pytest.fixture
def diagnosis(channel):
    return diagnosis_pb2_grpc.DiagnosisStub(channel)


def failure(call, *arguments, **keywords):
    with pytest.raises(grpc.RpcError) as failed:
        call(*arguments, timeout=keywords.pop("timeout", 10), **keywords)
    return failed.value.code(), failed.value.details()


@pytest.mark.parametrize("size", [0, 1, 16_000, 70_000, 1_500_000])
def test_a_message_arrives_and_comes_back_whole(cni, size):
    stdin = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    reply = cni.Add(cni_pb2.CniRequest(stdin=stdin, environment=[b"A=1", b"B=2"]), timeout=10)

    assert (reply.stdout, reply.exit_code) == (stdin, 2)


def test_one_channel_may_have_many_calls_at_once(cni):
    with ThreadPoolExecutor(32) as pool:
        replies = pool.map(lambda n: cni.Add(cni_pb2.CniRequest(stdin=b"%d" % n), timeout=20), range(400))

    assert [reply.stdout for reply in replies] == [b"%d" % n for n in range(400)]


def test_an_asyncio_client_is_served(served):
    async def ask():
        async with grpc.aio.insecure_channel(served.target) as channel:
            stub = cni_pb2_grpc.CniStub(channel)
            calls = [stub.Add(cni_pb2.CniRequest(stdin=b"%d" % n), timeout=20) for n in range(100)]
            return [reply.stdout for reply in await asyncio.gather(*calls)]

    assert asyncio.run(ask()) == [b"%d" % n for n in range(100)]


def test_the_plugin_is_served(served):
    deadline = time.monotonic() + 10
    content = cni_pb2.CniRequest(stdin=b"y" * 300_000).SerializeToString()

    reply = unary.call(unary.connect(str(served.path).encode(), deadline), ADD.encode(), content, deadline)

    assert cni_pb2.CniReply.FromString(reply).stdout == b"y" * 300_000


def test_a_method_that_is_not_there_is_unimplemented(channel):
    call = channel.unary_unary("/tke.eni.v1.Cni/Nothing", bytes, bytes)

    assert failure(call, b"")[0] is grpc.StatusCode.UNIMPLEMENTED


def test_a_refusal_keeps_its_words(diagnosis):
    assert failure(diagnosis.Trace, diagnosis_pb2.TraceRequest()) == (
        grpc.StatusCode.NOT_FOUND,
        "kein Pod „web“: 100 %\n",
    )


def test_a_defect_is_told_and_the_next_call_served(cni):
    code, details = failure(cni.Del, cni_pb2.CniRequest())

    assert (code, details) == (
        grpc.StatusCode.UNKNOWN,
        "a defect of the agent: ValueError: a defect of the test",
    )
    assert cni.Status(cni_pb2.CniRequest(), timeout=10).exit_code == 0


def test_octets_that_are_no_message_are_refused(channel):
    call = channel.unary_unary(ADD, bytes, bytes)

    assert failure(call, b"\xff" * 9)[0] is grpc.StatusCode.INTERNAL


def test_compressed_messages_are_unimplemented(served):
    with grpc.insecure_channel(served.target, compression=grpc.Compression.Gzip) as channel:
        stub = cni_pb2_grpc.CniStub(channel)

        code, details = failure(stub.Add, cni_pb2.CniRequest(stdin=b"x" * 5000))

    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "identity" in details


def test_a_message_that_is_too_large_is_refused(cni):
    large = cni_pb2.CniRequest(stdin=b"x" * (3 << 20))

    assert failure(cni.Add, large)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_headers_that_are_too_large_are_refused_and_the_connection_stays(served):
    options = [("grpc.max_metadata_size", 1 << 20), ("grpc.absolute_max_metadata_size", 1 << 20)]
    with grpc.insecure_channel(served.target, options=options) as channel:
        stub = cni_pb2_grpc.CniStub(channel)
        code, _ = failure(stub.Status, cni_pb2.CniRequest(), metadata=[("x", "y" * 100)] * 400)

        assert code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
        assert stub.Status(cni_pb2.CniRequest(), timeout=10).exit_code == 0


def test_a_deadline_reaches_the_handler_and_ends_the_call(served, cni):
    assert failure(cni.Gc, cni_pb2.CniRequest(), timeout=0.3)[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert failure(cni.Check, cni_pb2.CniRequest(), timeout=0.3)[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert served.verbs.cancelled.wait(5)

    served.verbs.released.set()
    assert cni.Gc(cni_pb2.CniRequest(), timeout=100).exit_code in range(90, 101)


def test_a_cancelled_call_is_seen_by_its_handler(served, cni):
    call = cni.Check.future(cni_pb2.CniRequest())
    assert served.verbs.began.acquire(timeout=5)

    call.cancel()

    assert served.verbs.cancelled.wait(5)


def test_a_caller_that_goes_is_seen_by_its_handler(served):
    with served.connected() as connection:
        connection.sendall(request(1, "/tke.eni.v1.Cni/Check"))
        assert served.verbs.began.acquire(timeout=5)

    assert served.verbs.cancelled.wait(5)


def test_requests_that_wait_keep_nobody_out(served, cni):
    """Two threads serve; five requests wait."""
    waiting = [cni.Check.future(cni_pb2.CniRequest()) for _ in range(5)]
    for _ in waiting:
        assert served.verbs.began.acquire(timeout=5)

    assert cni.Status(cni_pb2.CniRequest(), timeout=10).exit_code == 0

    served.verbs.released.set()
    assert [call.result(timeout=10).exit_code for call in waiting] == [7] * 5


def test_requests_that_hang_without_a_word_keep_nobody_out_for_long(served, cni):
    hanging = [cni.Gc.future(cni_pb2.CniRequest(), timeout=60) for _ in range(3)]

    assert cni.Status(cni_pb2.CniRequest(), timeout=20).exit_code == 0

    served.verbs.released.set()
    for call in hanging:
        call.result(timeout=10)


def test_a_stream_comes_whole_and_in_order(diagnosis):
    events = [event.pod for event in diagnosis.Watch(diagnosis_pb2.WatchRequest(namespace="300"), timeout=30)]

    assert events == [f"a/{number}" for number in range(1, 301)]


def test_a_stream_without_end_waits_for_its_reader_and_ends_with_it(served, diagnosis):
    events = diagnosis.Watch(diagnosis_pb2.WatchRequest())
    assert [next(events).pod for _ in range(3)] == ["a/1", "a/2", "a/3"]

    events.cancel()

    assert served.watches.closed.wait(5)


def test_streams_keep_no_unary_call_out(served, diagnosis):
    streams = [diagnosis.Watch(diagnosis_pb2.WatchRequest()) for _ in range(2)]
    for stream in streams:
        stream.initial_metadata()

    assert failure(diagnosis.Trace, diagnosis_pb2.TraceRequest(), timeout=20)[0] is grpc.StatusCode.NOT_FOUND
    for stream in streams:
        stream.cancel()


def test_a_stop_lets_the_calls_under_way_end_and_takes_no_more(served, cni):
    under_way = cni.Check.future(cni_pb2.CniRequest())
    assert served.verbs.began.acquire(timeout=5)
    stopping = threading.Thread(target=served.server.stop, args=(10.0,))
    stopping.start()
    try:
        deadline = time.monotonic() + 10
        while served.path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(unary.AgentUnreachableError):
            unary.connect(str(served.path).encode(), time.monotonic() + 5)
    finally:
        served.verbs.released.set()
    assert under_way.result(timeout=10).exit_code == 7
    stopping.join(10)
    assert not stopping.is_alive()
    assert failure(cni.Status, cni_pb2.CniRequest())[0] is grpc.StatusCode.UNAVAILABLE


def test_a_stop_cancels_what_does_not_end_in_time(served, cni):
    under_way = cni.Check.future(cni_pb2.CniRequest())
    assert served.verbs.began.acquire(timeout=5)

    assert not served.server.stop(0.2)

    assert under_way.exception(timeout=10).code() is grpc.StatusCode.UNAVAILABLE
    assert served.verbs.cancelled.wait(5)


def test_a_stop_is_told_to_the_plugin_as_unavailable(served):
    with served.connected(begin=False) as connection:
        path = b"/tke.eni.v1.Cni/Check"
        errors = []

        def call():
            try:
                unary.call(connection, path, b"", time.monotonic() + 10)
            except plugin_status.RpcError as error:
                errors.append(error.code)

        calling = threading.Thread(target=call)
        calling.start()
        assert served.verbs.began.acquire(timeout=5)
        served.server.stop(0.2)
        calling.join(10)

    assert errors == [plugin_status.UNAVAILABLE]
