"""How much may be under way: windows of streams and of the connection (RFC 9113, section 5.2)."""

from ipamd.grpc_server import frames
from ipamd.grpc_server.connection import Cancelled
from ipamd.grpc_server.frames import ErrorCode
from ipamd.grpc_server.status import StatusCode
from tests.grpc_server.peer import ADD, data, fields, headers_frame, message, request, window


def test_an_answer_goes_as_far_as_the_windows_of_stream_and_connection(world):
    world.receive(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 10}) + request(1))

    assert [frame.payload for frame in world.answer(1, b"0123456789")[1:]] == [message(b"0123456789")[:10]]
    assert world.connection.backlog(1) == 5
    _, found = world.receive(window(1, 3))
    assert [len(frame.payload) for frame in found] == [3]
    _, found = world.receive(window(1, 100))
    assert [frame.kind for frame in found] == [frames.DATA, frames.HEADERS]
    assert not world.connection.has_streams


def test_the_window_of_the_connection_is_shared(world):
    world.receive(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 1 << 20}) + request(1) + request(3))
    sent = world.answer(1, b"x" * 60_000) + world.answer(3, b"y" * 60_000)

    assert sum(len(frame.payload) for frame in sent if frame.kind == frames.DATA) == frames.DEFAULT_WINDOW
    assert max(len(frame.payload) for frame in sent) <= frames.LARGEST_FRAME
    _, found = world.receive(window(0, 1 << 20))
    assert sum(len(frame.payload) for frame in found if frame.kind == frames.DATA) == 120_010 - 65_535


def test_a_smaller_initial_window_counts_for_open_streams_even_below_zero(world):
    world.receive(request(1))
    world.answer(1, b"x" * 70_000)
    world.receive(frames.settings_frame({frames.INITIAL_WINDOW_SIZE: 0}) + window(0, 1 << 20))

    assert world.receive(window(1, 65_535))[1] == []
    assert [len(frame.payload) for frame in world.receive(window(1, 7))[1]] == [7]


def test_no_window_update_and_one_that_is_too_large_end_the_stream(world):
    world.receive(request(1) + request(3))

    events, found = world.receive(window(1, 0) + window(3, frames.LARGEST_NUMBER))

    assert events == [Cancelled(1), Cancelled(3)]
    assert [frame.payload for frame in found] == [
        frames.numbers(ErrorCode.PROTOCOL_ERROR),
        frames.numbers(ErrorCode.FLOW_CONTROL_ERROR),
    ]


def test_the_window_of_the_connection_is_refilled(world):
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


def test_what_still_comes_of_a_refused_request_takes_no_window_from_others(world):
    world.receive(headers_frame(1, "/nothing"))
    refilled = 0
    for _ in range(600):
        _, found = world.receive(data(1, b"x" * frames.LARGEST_FRAME))
        refilled += sum(int.from_bytes(frame.payload, "big") for frame in found)

    assert refilled >= 600 * frames.LARGEST_FRAME - (4 << 20)


def test_more_than_the_window_of_a_stream_ends_it(world):
    world.receive(headers_frame(1, ADD) + data(1, b"\0" + (2 << 20).to_bytes(4, "big")))
    padded = frames.frame(frames.DATA, frames.PADDED, 1, b"\xff" + b"x" * 16_000 + b"\0" * 255)

    found = [frame for _ in range(140) for frame in world.receive(padded)[1]]

    assert fields(found)[b"grpc-status"] == b"%d" % StatusCode.INTERNAL
