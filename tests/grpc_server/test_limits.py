"""How much a peer may ask of the server: streams, calls, floods, and memory."""

import pytest

from ipamd.grpc_server import connection as protocol
from ipamd.grpc_server import frames
from ipamd.grpc_server.connection import Requested
from ipamd.grpc_server.frames import ErrorCode
from ipamd.grpc_server.status import StatusCode
from tests.grpc_server.peer import (
    ADD,
    data,
    fields,
    headers_frame,
    ping,
    request,
    reset,
    window,
)
from tests.grpc_server.world import World


def test_so_many_streams_and_no_more(world):
    for number in range(protocol.MOST_STREAMS):
        world.receive(request(2 * number + 1))

    events, found = world.receive(request(1001))

    assert events == []
    assert found == [(frames.RST_STREAM, 0, 1001, frames.numbers(ErrorCode.REFUSED_STREAM))]
    world.answer(1)
    assert world.receive(request(1003))[0]


def test_rapid_resets_cost_no_more_than_so_many_calls(world):
    """CVE-2023-44487: a stream that is reset is no longer counted by HTTP/2, its call is."""
    started = 0
    for number in range(5000):
        events, _ = world.receive(request(2 * number + 1) + reset(2 * number + 1))
        started += sum(isinstance(event, Requested) for event in events)
        if world.connection.has_ended:
            break

    assert world.connection.has_ended
    assert started <= 2 * protocol.MOST_STREAMS


@pytest.mark.parametrize(
    "sent",
    [
        ping(),
        frames.settings_frame({}),
        frames.frame(frames.PRIORITY, 0, 1, b"12345"),
        frames.frame(99, 0, 0, b""),
        window(0, 1),
    ],
    ids=["ping", "settings", "priority", "unknown", "window"],
)
def test_floods_of_what_asks_for_nothing_end_the_connection(sent):
    assert World().error(sent * 5000) == ErrorCode.ENHANCE_YOUR_CALM


def test_floods_of_empty_data_end_the_connection(world):
    world.receive(headers_frame(1))

    assert world.error(data(1, b"") * 5000) == ErrorCode.ENHANCE_YOUR_CALM


def test_floods_of_continuations_end_the_connection(world):
    sent = frames.frame(frames.HEADERS, 0, 1, b"") + frames.frame(frames.CONTINUATION, 0, 1, b"") * 5000

    assert world.error(sent) == ErrorCode.ENHANCE_YOUR_CALM


def test_a_header_block_without_end_ends_the_connection(world):
    sent = frames.frame(frames.HEADERS, 0, 1, b"a" * 16000) + frames.frame(
        frames.CONTINUATION, 0, 1, b"a" * 16000
    )

    assert world.error(sent) == ErrorCode.ENHANCE_YOUR_CALM


def test_what_belongs_to_answers_is_no_flood(world):
    """A client pings to measure the path, and opens windows, with each answer that it gets."""
    for number in range(3000):
        stream = 2 * number + 1
        world.receive(
            request(stream) + ping() + window(0, 1) + frames.frame(frames.PING, frames.ACK, 0, b"8" * 8)
        )
        world.answer(stream, b"x")

    assert not world.connection.has_ended


def test_time_gives_allowance_back(world):
    for _ in range(20):
        world.receive(ping() * 1000)
        world.now += 10

    assert not world.connection.has_ended


def test_unfinished_requests_are_bounded_together(world):
    begun = b"".join(
        headers_frame(stream, ADD)
        + data(stream, b"\0" + (1_500_000).to_bytes(4, "big"))
        + data(stream, b"x" * 16_000) * 90
        for stream in range(1, 15, 2)
    )

    _, found = world.receive(begun)

    assert fields(found)[b"grpc-status"] == b"%d" % StatusCode.RESOURCE_EXHAUSTED
    assert not world.connection.has_ended
