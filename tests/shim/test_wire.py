"""The two messages by hand against the protobuf library."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from cni_plugin import wire
from ipamd.rpc import cni_pb2

int32 = st.integers(-(2**31), 2**31 - 1)


@given(st.lists(st.binary(max_size=300), max_size=10), st.binary(max_size=20_000))
def test_a_request_is_serialized_as_the_library_does(environment, stdin):
    library = cni_pb2.CniRequest(environment=environment, stdin=stdin).SerializeToString()

    assert wire.encode_request(environment, stdin) == library


@given(st.binary(max_size=20_000), int32)
def test_a_reply_of_the_library_is_read(stdout, exit_code):
    message = cni_pb2.CniReply(stdout=stdout, exit_code=exit_code).SerializeToString()

    assert wire.decode_reply(message) == (stdout, exit_code)


def encoded(value):
    out = []
    while value > 127:
        out.append(value % 128 + 128)
        value //= 128
    return bytes((*out, value))


varints = st.integers(0, 2**64 - 1).map(encoded)
tags = st.builds(lambda number, kind: encoded(number << 3 | kind), st.integers(0, 5), st.integers(0, 7))
pieces = st.one_of(tags, varints, st.binary(max_size=12))


@given(st.lists(pieces, max_size=12).map(b"".join))
@example(b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
@example(b"\x0a\x01a\x0a\x01b\x10\x05\x10\x07")
@example(b"\x1a\x03new\x25\x01\x02\x03\x04\x29" + bytes(8) + b"\x10\x01")
def test_what_is_accepted_is_read_as_the_library_reads_it(message):
    try:
        stdout, exit_code = wire.decode_reply(message)
    except wire.WireError:
        return
    reply = cni_pb2.CniReply.FromString(message)
    assert (stdout, exit_code) == (reply.stdout, reply.exit_code)


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a",
        b"\x0a\x05abc",
        b"\x10",
        b"\x10\xff",
        b"\x00\x00",
        b"\x25\x00",
        b"\x0f",
        b"\x80\x80\x80\x80\x10\x01",
    ],
)
def test_what_the_library_refuses_is_refused(message):
    with pytest.raises(DecodeError):
        cni_pb2.CniReply.FromString(message)
    with pytest.raises(wire.WireError):
        wire.decode_reply(message)
