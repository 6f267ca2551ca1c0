"""What RFC 9113 and "gRPC over HTTP2" ask of a server, octet by octet."""

import pytest

from ipamd.grpc_server import frames, header_fields
from ipamd.grpc_server.connection import Cancelled
from ipamd.grpc_server.frames import ErrorCode
from ipamd.grpc_server.status import StatusCode, encoded
from tests.grpc_server.peer import (
    ADD,
    FIRST,
    STATUS,
    data,
    fields,
    headers_frame,
    message,
    ping,
    request,
    request_headers,
    reset,
    window,
)
from tests.grpc_server.world import World


def test_settings_come_first_and_the_peers_are_acknowledged():
    _, found = World(begin=False).receive(FIRST)

    assert [(frame.kind, frame.flags) for frame in found] == [
        (frames.SETTINGS, 0),
        (frames.WINDOW_UPDATE, 0),
        (frames.SETTINGS, frames.ACK),
    ]


def test_a_request_may_come_octet_by_octet(world):
    octets = request(1, ADD, b"content")

    events = [
        event
        for position in range(len(octets))
        for event in world.receive(octets[position : position + 1])[0]
    ]

    assert [(event.stream, event.head.path, event.message) for event in events] == [(1, ADD, b"content")]


def test_a_request_may_be_split_padded_prioritized_and_continued(world):
    block = request_headers(ADD)
    padded = frames.PADDED | frames.PRIORITIZED
    sent = (
        frames.frame(frames.HEADERS, padded, 1, b"\x03" + b"\0" * 5 + block[:20] + b"\0" * 3)
        + frames.frame(frames.CONTINUATION, 0, 1, block[20:30])
        + frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, block[30:])
        + data(1, message(b"content")[:7])
        + data(1, b"\x02" + message(b"content")[7:] + b"\0\0", frames.PADDED)
        + data(1, b"", frames.END_STREAM)
    )

    events, found = world.receive(sent)

    assert [(event.head.path, event.message) for event in events] == [(ADD, b"content")]
    assert [frame.kind for frame in found] == [frames.WINDOW_UPDATE], "padding is given back"


def test_a_request_may_end_by_trailers(world):
    trailers = frames.frame(
        frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, header_fields.literal(b"x", b"y")
    )

    events, _ = world.receive(headers_frame(1, ADD) + data(1, message(b"z")) + trailers)

    assert [event.message for event in events] == [b"z"]


def test_pseudo_headers_may_come_late():
    """As the plugin sends them."""
    block = (
        b"\x83\x86\x01\x09localhost\x0f\x10\x10application/grpc" + b"\x04" + bytes((len(ADD),)) + ADD.encode()
    )
    headers = frames.frame(frames.HEADERS, frames.END_HEADERS, 1, block)

    events, _ = World().receive(headers + data(1, message(), frames.END_STREAM))

    assert [event.head.path for event in events] == [ADD]


def test_an_answer_is_headers_message_trailers(world):
    world.receive(request(1))

    found = world.answer(1, b"abc")

    assert [(frame.kind, frame.flags) for frame in found] == [
        (frames.HEADERS, frames.END_HEADERS),
        (frames.DATA, 0),
        (frames.HEADERS, frames.END_HEADERS | frames.END_STREAM),
    ]
    assert found[1].payload == message(b"abc")
    assert fields(found) == {b":status": b"200", b"content-type": b"application/grpc", b"grpc-status": b"0"}
    assert not world.connection.has_streams


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (headers_frame(1, "/nothing"), StatusCode.UNIMPLEMENTED),
        (headers_frame(1, STATUS, (b"grpc-encoding", b"gzip")), StatusCode.UNIMPLEMENTED),
        (headers_frame(1, STATUS, (b"grpc-timeout", b"5")), StatusCode.INTERNAL),
        (headers_frame(1, STATUS, (b"grpc-timeout", b"123456789S")), StatusCode.INTERNAL),
        (headers_frame(1, STATUS, *[(b"x", b"y" * 100)] * 130), StatusCode.RESOURCE_EXHAUSTED),
        (headers_frame(1) + data(1, b"\x01"), StatusCode.INTERNAL),
        (headers_frame(1) + data(1, b"\0\xff\0\0\0"), StatusCode.RESOURCE_EXHAUSTED),
        (headers_frame(1) + data(1, message(b"a") + b"b"), StatusCode.INTERNAL),
        (headers_frame(1) + data(1, message(b"a")[:-1], frames.END_STREAM), StatusCode.INTERNAL),
        (headers_frame(1, flags=frames.END_HEADERS | frames.END_STREAM), StatusCode.INTERNAL),
    ],
    ids=[
        "unknown method",
        "compressed",
        "timeout without unit",
        "timeout of nine digits",
        "large headers",
        "compressed flag",
        "large message",
        "two messages",
        "half a message",
        "no message",
    ],
)
def test_what_cannot_be_served_is_refused_with_a_status(world, sent, status):
    events, found = world.receive(sent)

    assert events == []
    assert fields(found)[b"grpc-status"] == b"%d" % status
    assert not world.connection.has_streams
    assert world.receive(request(3))[0], "the connection goes on"


@pytest.mark.parametrize(
    ("keywords", "status"),
    [
        ({"method": b"GET"}, b"405"),
        ({"kind": b"text/html"}, b"415"),
        ({"kind": b"application/grpc-web"}, b"415"),
    ],
)
def test_what_is_http_only_gets_an_http_status(world, keywords, status):
    _, found = world.receive(headers_frame(1, STATUS, **keywords))

    assert fields(found) == {b":status": status}
    assert [frame.kind for frame in found] == [frames.HEADERS, frames.RST_STREAM]


@pytest.mark.parametrize("kind", [b"application/grpc", b"application/grpc+proto", b"application/grpc;a=b"])
def test_content_types_of_grpc(world, kind):
    sent = headers_frame(1, STATUS, kind=kind) + data(1, message(), frames.END_STREAM)

    assert len(world.receive(sent)[0]) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"2H", 7200), (b"3M", 180), (b"4S", 4), (b"5000m", 5), (b"6000000u", 6), (b"99999999n", 0.099999999)],
)
def test_deadlines(world, value, seconds):
    sent = headers_frame(1, STATUS, (b"grpc-timeout", value)) + data(1, message(), frames.END_STREAM)

    assert world.receive(sent)[0][0].head.timeout == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frames.frame(frames.HEADERS, frames.END_HEADERS, 2, request_headers(ADD)), ErrorCode.PROTOCOL_ERROR),
        (frames.frame(frames.HEADERS, frames.END_HEADERS, 0, request_headers(ADD)), ErrorCode.PROTOCOL_ERROR),
        (
            frames.frame(frames.HEADERS, frames.END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"),
            ErrorCode.COMPRESSION_ERROR,
        ),
        (frames.frame(frames.HEADERS, 0, 1, b"") + ping(), ErrorCode.PROTOCOL_ERROR),
        (frames.frame(frames.CONTINUATION, 0, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (
            frames.frame(frames.HEADERS, 0, 1, b"") + frames.frame(frames.CONTINUATION, 0, 3, b""),
            ErrorCode.PROTOCOL_ERROR,
        ),
        (data(1, b"x"), ErrorCode.PROTOCOL_ERROR),
        (data(0, b"x"), ErrorCode.PROTOCOL_ERROR),
        (frames.frame(frames.DATA, frames.PADDED, 1, b"\x05ab"), ErrorCode.PROTOCOL_ERROR),
        (ping(b"123"), ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(frames.PING, 0, 1, b"12345678"), ErrorCode.PROTOCOL_ERROR),
        (frames.frame(frames.SETTINGS, 0, 0, b"123"), ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(frames.SETTINGS, 0, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (frames.frame(frames.SETTINGS, frames.ACK, 0, b"123456"), ErrorCode.FRAME_SIZE_ERROR),
        (frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 1 << 31}), ErrorCode.FLOW_CONTROL_ERROR),
        (frames.settings_frame({frames.ENABLE_PUSH: 2}), ErrorCode.PROTOCOL_ERROR),
        (frames.settings_frame({frames.MAX_FRAME_SIZE: 1}), ErrorCode.PROTOCOL_ERROR),
        (frames.frame(frames.PUSH_PROMISE, 0, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (window(0, 0), ErrorCode.PROTOCOL_ERROR),
        (window(0, frames.LARGEST_NUMBER), ErrorCode.FLOW_CONTROL_ERROR),
        (window(1, 5), ErrorCode.PROTOCOL_ERROR),
        (reset(1), ErrorCode.PROTOCOL_ERROR),
        (frames.frame(frames.RST_STREAM, 0, 1, b"1"), ErrorCode.FRAME_SIZE_ERROR),
        (b"\x00\x40\x01" + b"\0" * 6, ErrorCode.FRAME_SIZE_ERROR),
        (frames.frame(frames.GOAWAY, 0, 1, b""), ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_a_breach_ends_the_connection_with_its_code(world, sent, code):
    assert world.error(sent) == code
    assert not world.connection.has_streams


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", frames.PREFACE + ping()])
def test_what_is_not_http2_ends_the_connection(sent):
    assert World(begin=False).error(sent) == ErrorCode.PROTOCOL_ERROR


def test_pings_are_answered_and_acknowledgements_are_not(world):
    acknowledged = frames.frame(frames.PING, frames.ACK, 0, b"abcdefgh")

    assert [(frame.flags, frame.payload) for frame in world.receive(ping() + acknowledged)[1]] == [
        (frames.ACK, b"12345678")
    ]


def test_unknown_frames_and_priorities_are_ignored(world):
    assert world.receive(frames.frame(77, 3, 9, b"x") + frames.frame(frames.PRIORITY, 0, 1, b"12345")) == (
        [],
        [],
    )


def test_a_reset_cancels_what_was_handed_on(world):
    world.receive(request(1))

    events, _ = world.receive(reset(1))

    assert events == [Cancelled(1)]
    assert world.answer(1, b"late") == []


def test_frames_of_a_stream_that_has_ended_are_let_pass(world):
    world.receive(request(1))
    world.answer(1)

    assert world.receive(reset(1) + window(1, 5) + data(1, b"x" * 100)) == ([], [])


def test_data_behind_the_end_of_a_request_cancels_it(world):
    world.receive(request(1))

    events, found = world.receive(data(1, b"more"))

    assert events == [Cancelled(1)]
    assert found == [(frames.RST_STREAM, 0, 1, frames.numbers(ErrorCode.STREAM_CLOSED))]


def test_going_away_answers_what_came_and_ignores_what_comes(world):
    world.receive(request(1))

    world.connection.go_away()

    assert [(frame.kind, frame.payload) for frame in world.sent()] == [
        (frames.GOAWAY, frames.numbers(1, ErrorCode.NO_ERROR))
    ]
    assert world.receive(request(3)) == ([], [])
    assert fields(world.answer(1))[b"grpc-status"] == b"0"


def test_texts_of_a_status_are_encoded():
    assert encoded("100 % „so“\n") == b"100 %25 %E2%80%9Eso%E2%80%9C%0A"
    assert len(encoded("ä" * 10_000)) < 3 * 4100
