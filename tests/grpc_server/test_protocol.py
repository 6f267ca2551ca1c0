"""What RFC 9113 and "gRPC over HTTP2" ask of a server, octet by octet, and the limits that a peer meets."""

import pytest

from ipamd.grpc_server import connection as protocol
from ipamd.grpc_server import frames, header_fields
from ipamd.grpc_server.connection import Cancelled, Http2Connection, Requested
from ipamd.grpc_server.frames import ErrorCode
from ipamd.grpc_server.status import StatusCode, encoded
from tests.grpc_server.conftest import (
    ADD,
    STATUS,
    fields,
    headers_frame,
    message,
    request,
    request_headers,
)

FIRST = frames.PREFACE + frames.settings_frame({})


class World:
    """A connection and the clock of its allowance."""

    def __init__(self, begin=True):
        self.now = 0.0
        self.connection = Http2Connection({ADD, STATUS}.__contains__, clock=lambda: self.now)
        self.reader = frames.FrameReader(greeted=True)
        if begin:
            self.receive(FIRST)

    def receive(self, data):
        """Return the events, and the frames that the peer gets."""
        events = self.connection.receive(data)
        return events, self.sent()

    def sent(self):
        self.reader.feed(self.connection.output())
        found = []
        while (frame := self.reader.next()) is not None:
            found.append(frame)
        return found

    def error(self, data):
        """Return the code with which the connection ends."""
        _, found = self.receive(data)
        assert self.connection.has_ended
        goaway = found[-1]
        assert goaway.kind == frames.GOAWAY
        return int.from_bytes(goaway.payload[4:8], "big")

    def answer(self, stream, content=b""):
        self.connection.send_message(stream, content)
        self.connection.end(stream, StatusCode.OK)
        self.connection.running -= 1
        return self.sent()


@pytest.fixture
def world():
    return World()


def data(stream, payload, flags=0):
    return frames.frame(frames.DATA, flags, stream, payload)


def ping(payload=b"12345678"):
    return frames.frame(frames.PING, 0, 0, payload)


def reset(stream):
    return frames.frame(frames.RST_STREAM, 0, stream, frames.numbers(ErrorCode.CANCEL))


def window(stream, octets):
    return frames.frame(frames.WINDOW_UPDATE, 0, stream, frames.numbers(octets))


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


class TestFlowControl:
    def test_an_answer_goes_as_far_as_the_windows_of_stream_and_connection(self, world):
        world.receive(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 10}) + request(1))

        assert [frame.payload for frame in world.answer(1, b"0123456789")[1:]] == [
            message(b"0123456789")[:10]
        ]
        assert world.connection.backlog(1) == 5
        _, found = world.receive(window(1, 3))
        assert [len(frame.payload) for frame in found] == [3]
        _, found = world.receive(window(1, 100))
        assert [frame.kind for frame in found] == [frames.DATA, frames.HEADERS]
        assert not world.connection.has_streams

    def test_the_window_of_the_connection_is_shared(self, world):
        world.receive(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 1 << 20}) + request(1) + request(3))
        sent = world.answer(1, b"x" * 60_000) + world.answer(3, b"y" * 60_000)

        assert sum(len(frame.payload) for frame in sent if frame.kind == frames.DATA) == frames.DEFAULT_WINDOW
        assert max(len(frame.payload) for frame in sent) <= frames.LARGEST_FRAME
        _, found = world.receive(window(0, 1 << 20))
        assert sum(len(frame.payload) for frame in found if frame.kind == frames.DATA) == 120_010 - 65_535

    def test_a_smaller_initial_window_counts_for_open_streams_even_below_zero(self, world):
        world.receive(request(1))
        world.answer(1, b"x" * 70_000)
        world.receive(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 0}) + window(0, 1 << 20))

        assert world.receive(window(1, 65_535))[1] == []
        assert [len(frame.payload) for frame in world.receive(window(1, 7))[1]] == [7]

    def test_no_window_update_and_one_that_is_too_large_end_the_stream(self, world):
        world.receive(request(1) + request(3))

        events, found = world.receive(window(1, 0) + window(3, frames.LARGEST_NUMBER))

        assert events == [Cancelled(1), Cancelled(3)]
        assert [frame.payload for frame in found] == [
            frames.numbers(ErrorCode.PROTOCOL_ERROR),
            frames.numbers(ErrorCode.FLOW_CONTROL_ERROR),
        ]

    def test_the_window_of_the_connection_is_refilled(self, world):
        content = b"z" * (1 << 20)
        refilled = 0
        for stream in range(1, 21, 2):
            octets = headers_frame(stream, ADD)
            sent = message(content)
            for start in range(0, len(sent), frames.LARGEST_FRAME):
                octets += data(stream, sent[start : start + frames.LARGEST_FRAME])
            events, found = world.receive(octets + data(stream, b"", frames.END_STREAM))
            assert [event.message for event in events] == [content]
            refilled += sum(frame.kind == frames.WINDOW_UPDATE for frame in found)
            world.answer(stream)

        assert refilled >= 2

    def test_what_still_comes_of_a_refused_request_takes_no_window_from_others(self, world):
        world.receive(headers_frame(1, "/nothing"))
        refilled = 0
        for _ in range(600):
            _, found = world.receive(data(1, b"x" * frames.LARGEST_FRAME))
            refilled += sum(int.from_bytes(frame.payload, "big") for frame in found)

        assert refilled >= 600 * frames.LARGEST_FRAME - (4 << 20)

    def test_more_than_the_window_of_a_stream_ends_it(self, world):
        world.receive(headers_frame(1, ADD) + data(1, b"\0" + (2 << 20).to_bytes(4, "big")))
        padded = frames.frame(frames.DATA, frames.PADDED, 1, b"\xff" + b"x" * 16_000 + b"\0" * 255)

        found = [frame for _ in range(140) for frame in world.receive(padded)[1]]

        assert fields(found)[b"grpc-status"] == b"%d" % StatusCode.INTERNAL


class TestLimits:
    def test_so_many_streams_and_no_more(self, world):
        for number in range(protocol.MOST_STREAMS):
            world.receive(request(2 * number + 1))

        events, found = world.receive(request(1001))

        assert events == []
        assert found == [(frames.RST_STREAM, 0, 1001, frames.numbers(ErrorCode.REFUSED_STREAM))]
        world.answer(1)
        assert world.receive(request(1003))[0]

    def test_rapid_resets_cost_no_more_than_so_many_calls(self, world):
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
    def test_floods_of_what_asks_for_nothing_end_the_connection(self, sent):
        assert World().error(sent * 5000) == ErrorCode.ENHANCE_YOUR_CALM

    def test_floods_of_empty_data_end_the_connection(self, world):
        world.receive(headers_frame(1))

        assert world.error(data(1, b"") * 5000) == ErrorCode.ENHANCE_YOUR_CALM

    def test_floods_of_continuations_end_the_connection(self, world):
        sent = frames.frame(frames.HEADERS, 0, 1, b"") + frames.frame(frames.CONTINUATION, 0, 1, b"") * 5000

        assert world.error(sent) == ErrorCode.ENHANCE_YOUR_CALM

    def test_a_header_block_without_end_ends_the_connection(self, world):
        sent = frames.frame(frames.HEADERS, 0, 1, b"a" * 16000) + frames.frame(
            frames.CONTINUATION, 0, 1, b"a" * 16000
        )

        assert world.error(sent) == ErrorCode.ENHANCE_YOUR_CALM

    def test_what_belongs_to_answers_is_no_flood(self, world):
        """A client pings to measure the path, and opens windows, with each answer that it gets."""
        for number in range(3000):
            stream = 2 * number + 1
            world.receive(
                request(stream) + ping() + window(0, 1) + frames.frame(frames.PING, frames.ACK, 0, b"8" * 8)
            )
            world.answer(stream, b"x")

        assert not world.connection.has_ended

    def test_time_gives_allowance_back(self, world):
        for _ in range(20):
            world.receive(ping() * 1000)
            world.now += 10

        assert not world.connection.has_ended

    def test_unfinished_requests_are_bounded_together(self, world):
        begun = b"".join(
            headers_frame(stream, ADD)
            + data(stream, b"\0" + (1_500_000).to_bytes(4, "big"))
            + data(stream, b"x" * 16_000) * 90
            for stream in range(1, 15, 2)
        )

        _, found = world.receive(begun)

        assert fields(found)[b"grpc-status"] == b"%d" % StatusCode.RESOURCE_EXHAUSTED
        assert not world.connection.has_ended


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
