"""The built file against a server that sends anything at all, or nothing."""

import json
import socket

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cni_plugin import frames

PATIENCE = 0.4
"""Seconds that the plugin is given; a busy machine may add some before and after."""

SETTINGS = frames.frame(frames.SETTINGS, 0, 0, b"")
HEAD = frames.frame(frames.HEADERS, 4, 1, b"\x88\x5f\x10application/grpc")
REPLY = frames.frame(frames.DATA, 0, 1, b"\0\0\0\0\x07\x0a\x05hello")
TRAILERS = frames.frame(frames.HEADERS, 5, 1, b"\x40\x0bgrpc-status\x010")
HUFFMAN = frames.frame(frames.HEADERS, 4, 1, b"\x88\x5f\x8b\x1d\x75\xd0\x62\x0d\x26\x3d\x4c\x4d\x65\x64")

kinds = st.one_of(st.integers(0, 9), st.integers(0, 255))
any_frame = st.builds(
    frames.frame, kinds, st.integers(0, 255), st.sampled_from([0, 1, 1, 3, 2**31]), st.binary(max_size=60)
)
huge_length = st.builds(
    lambda length, rest: length.to_bytes(3, "big") + rest,
    st.integers(2**14, 2**24 - 1),
    st.binary(max_size=30),
)
header_garbage = st.builds(
    lambda flags, block: frames.frame(frames.HEADERS, flags, 1, block),
    st.sampled_from([0, 1, 4, 5, 0xD, 0x25]),
    st.binary(max_size=200),
)
honest = st.sampled_from([SETTINGS, HEAD, REPLY, TRAILERS, HUFFMAN])
truncated = st.builds(lambda frame, end: frame[:end], honest, st.integers(0, 12))
pieces = st.lists(
    st.one_of(honest, any_frame, header_garbage, huge_length, truncated, st.binary(max_size=60)), max_size=8
)
endings = st.sampled_from(["close", "reset", "silence"])


def say(pieces, ending):
    def script(connection):
        for piece in pieces:
            connection.sendall(piece)
        if ending == "close":
            connection.shutdown(socket.SHUT_WR)
        if ending != "reset":  # closing with unread input resets the connection
            while connection.recv(65536):
                pass

    return script


# The fixtures are a file and a listener that is told anew what to say for each example.
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(polite=st.booleans(), pieces=pieces, ending=endings)
@example(polite=True, pieces=[HEAD, REPLY, TRAILERS], ending="reset")
@example(polite=True, pieces=[HUFFMAN, REPLY, TRAILERS], ending="silence")
@example(polite=False, pieces=[], ending="silence")
def test_there_is_always_a_reply_or_an_error_object_in_time(plugin, listener, polite, pieces, ending):
    listener.script = say([SETTINGS, *pieces] if polite else pieces, ending)

    outcome = plugin.run("ADD", TKE_ENI_TIMEOUT=str(PATIENCE))

    assert outcome.stderr == b""
    assert outcome.seconds < PATIENCE + 3
    if outcome.exit_code == 0:
        assert outcome.stdout in (b"hello", b"")
    else:
        error = json.loads(outcome.stdout)
        assert outcome.exit_code == 1
        assert error["code"] in (11, 999)
        assert "defect" not in error["details"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(polite=st.booleans(), pieces=pieces, ending=endings)
def test_a_del_is_answered_or_queued_in_time(plugin, listener, polite, pieces, ending):
    listener.script = say([SETTINGS, *pieces] if polite else pieces, ending)

    outcome = plugin.run("DEL", TKE_ENI_TIMEOUT=str(PATIENCE))

    assert (outcome.exit_code, outcome.stderr) == (0, b"")
    assert outcome.seconds < PATIENCE + 3


def test_the_examples_are_what_a_server_says(plugin, listener):
    listener.script = say([SETTINGS, HUFFMAN, REPLY, TRAILERS], "close")

    assert plugin.run("ADD").stdout == b"hello"


def test_an_answer_before_the_request_was_read_counts(plugin, listener):
    # The server answers and closes at once, while megabytes are still on their way to it.
    def answer_and_close(connection):
        connection.sendall(SETTINGS + HEAD + REPLY + TRAILERS)
        connection.shutdown(socket.SHUT_RDWR)

    listener.script = answer_and_close

    outcome = plugin.run("GC", b" " * (3 << 20))

    assert (outcome.stdout, outcome.exit_code) == (b"hello", 0)


@pytest.mark.parametrize(
    "frame", [SETTINGS, frames.frame(frames.PING, 0, 0, bytes(8))], ids=["settings", "ping"]
)
def test_a_flood_of_frames_that_ask_for_answers_ends_at_the_deadline(plugin, listener, frame):
    def flood(connection):
        while True:
            connection.sendall(SETTINGS + frame * 1000)

    listener.script = flood

    outcome = plugin.run("ADD", TKE_ENI_TIMEOUT=str(PATIENCE))

    assert outcome.seconds < PATIENCE + 3
    assert "DEADLINE_EXCEEDED" in outcome.error["msg"]


def test_a_reply_of_garbage_is_named(plugin, agent):
    agent.answer = lambda _request, _context: b"\x0a\xff"

    error = plugin.run("ADD").error

    assert error["code"] == 999
    assert "the reply is no CniReply" in error["msg"]


def test_what_is_no_grpc_server_is_named(plugin, listener):
    listener.script = say([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "close")

    assert "what listens there does not speak gRPC" in plugin.run("ADD").error["msg"]
