"""The HTTP/2 side of a call without a socket: what the peer may do, and what it may not."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_plugin import exchange, frames, hpack, status

SETTINGS = frames.frame(frames.SETTINGS, 0, 0, b"")
ACK = frames.frame(frames.SETTINGS, frames.ACK, 0, b"")
# ":status 200" and "content-type application/grpc", the latter into the dynamic table as entry 62.
HEAD = b"\x88\x5f\x10application/grpc"
STATUS_OK = b"\x00\x0bgrpc-status\x010"
END = frames.END_HEADERS | frames.END_STREAM


def headers(block, flags=frames.END_HEADERS):
    return frames.frame(frames.HEADERS, flags, 1, block)


def data(payload, flags=0):
    return frames.frame(frames.DATA, flags, 1, payload)


def prefixed(message, flag=0):
    return bytes((flag,)) + len(message).to_bytes(4, "big") + message


def settings(*entries):
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in entries)
    return frames.frame(frames.SETTINGS, 0, 0, payload)


def window_update(stream, increment):
    return frames.frame(frames.WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def answer(message=b"hello", head=HEAD, trailers=STATUS_OK):
    return SETTINGS + headers(head) + data(prefixed(message)) + headers(trailers, END)


def open_call(message=b"request"):
    call = exchange.Exchange(b"/tke.eni.v1.Cni/Add", message, 10.0)
    return call, call.start()


def outcome(received):
    call, _ = open_call()
    call.receive(received)
    assert call.finished
    return call.reply()


def refusal(received):
    with pytest.raises(status.RpcError) as raised:
        outcome(received)
    return raised.value


def test_a_plain_answer():
    assert outcome(answer()) == b"hello"


def test_settings_are_acknowledged():
    call, _ = open_call()

    assert call.receive(SETTINGS + ACK) == ACK


@given(st.lists(st.integers(1, 40), max_size=30))
def test_it_does_not_matter_how_the_answer_is_cut(cuts):
    call, _ = open_call()
    left = answer(b"x" * 500) + b"rest that nobody needs"
    for cut in [*cuts, len(left)]:
        call.receive(left[:cut])
        left = left[cut:]

    assert call.reply() == b"x" * 500


def test_padding_priority_and_continuation_are_understood():
    message = prefixed(b"hello")
    received = (
        SETTINGS
        + headers(b"\x03" + b"\0\0\0\0\xff" + HEAD[:4] + b"\0\0\0", frames.PADDED | frames.PRIORITIZED)
        + frames.frame(frames.CONTINUATION, 0, 1, HEAD[4:9])
        + frames.frame(frames.CONTINUATION, 0, 1, b"")
        + frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, HEAD[9:])
        + data(b"\x00" + message[:2], frames.PADDED)
        + data(b"\x05" + message[2:] + bytes(5), frames.PADDED)
        + data(b"")
        + headers(b"\x00" + STATUS_OK, END | frames.PADDED)
    )

    assert outcome(received) == b"hello"


def test_trailers_may_refer_to_what_the_head_put_into_the_table():
    indexed_status = b"\x40\x0bgrpc-status\x010"

    assert outcome(answer(head=HEAD + indexed_status, trailers=b"\xbe")) == b"hello"


def test_trailers_alone_carry_a_status():
    error = refusal(
        SETTINGS + headers(HEAD + b"\x00\x0bgrpc-status\x018\x00\x0cgrpc-message\x07a%20b%2", END)
    )

    assert (error.code, error.message) == (8, "a b%2")


def test_informational_headers_are_skipped():
    early = headers(b"\x08\x03103\x00\x01x\x01y")

    assert outcome(SETTINGS + early + answer()[len(SETTINGS) :]) == b"hello"


def test_pings_are_answered_and_unknown_frames_ignored():
    call, _ = open_call()
    ping = frames.frame(frames.PING, 0, 0, b"12345678")
    pong = frames.frame(frames.PING, frames.ACK, 0, b"12345678")
    ignored = frames.frame(frames.PRIORITY, 0, 3, bytes(5)) + frames.frame(200, 0xFF, 77, b"what")

    assert call.receive(SETTINGS + ping + pong + ignored) == ACK + pong


def test_a_goaway_that_still_serves_the_call_is_no_failure():
    going = frames.frame(frames.GOAWAY, 0, 0, (2**31 - 1).to_bytes(4, "big") + bytes(4) + b"bye")

    assert outcome(SETTINGS + going + answer()) == b"hello"


def test_a_goaway_before_the_call_asks_for_a_retry():
    assert refusal(SETTINGS + frames.frame(frames.GOAWAY, 0, 0, bytes(8))).code == status.UNAVAILABLE


@pytest.mark.parametrize(
    ("reset", "code"), [(0, 13), (1, 13), (7, 14), (8, 1), (11, 8), (12, 7), (2**32 - 1, 13)]
)
def test_a_reset_has_the_status_that_grpc_gives_it(reset, code):
    received = SETTINGS + frames.frame(frames.RST_STREAM, 0, 1, reset.to_bytes(4, "big"))

    assert refusal(received).code == code


@pytest.mark.parametrize(
    ("code", "http_statuses"),
    [
        (status.INTERNAL, [b"400"]),
        (status.UNAUTHENTICATED, [b"401"]),
        (status.PERMISSION_DENIED, [b"403"]),
        (status.UNIMPLEMENTED, [b"404"]),
        (status.UNAVAILABLE, [b"429", b"502", b"503", b"504"]),
        (status.UNKNOWN, [b"200", b"418", b"", b"abc", b"5030"]),
    ],
)
def test_an_answer_that_is_not_grpcs_has_the_status_that_grpc_gives_it(code, http_statuses):
    for http_status in http_statuses:
        block = b"\x08" + bytes((len(http_status),)) + http_status + b"\x0f\x10\x09text/html"

        error = refusal(SETTINGS + headers(block) + data(b"<h1>no</h1>", frames.END_STREAM))

        assert error.code == code
        assert "text/html" in error.message


@pytest.mark.parametrize(
    ("received", "code", "complaint"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 13, "does not speak gRPC"),
        (ACK, 13, "does not speak gRPC"),
        (headers(HEAD), 13, "does not speak gRPC"),
        (SETTINGS + b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", 13, "a frame of 16385 octets"),
        (SETTINGS + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13, "a frame of 16777215 octets"),
        (SETTINGS + data(prefixed(b"early")), 13, "data before headers"),
        (SETTINGS + headers(HEAD) + headers(STATUS_OK), 13, "trailers that do not end the stream"),
        (SETTINGS + headers(HEAD, 0) + data(b""), 13, "interrupted"),
        (SETTINGS + headers(HEAD, 0) + frames.frame(200, 0, 0, b""), 13, "interrupted"),
        (SETTINGS + frames.frame(frames.CONTINUATION, 4, 1, HEAD), 13, "continued where none is open"),
        (SETTINGS + headers(HEAD, 0) + frames.frame(frames.CONTINUATION, 4, 3, b""), 13, "for stream 3"),
        (SETTINGS + frames.frame(frames.DATA, 0, 3, b""), 13, "for stream 3"),
        (SETTINGS + frames.frame(frames.PING, 0, 1, bytes(8)), 13, "for stream 1"),
        (SETTINGS + frames.frame(frames.PING, 0, 0, bytes(7)), 13, "ping"),
        (SETTINGS + frames.frame(frames.PUSH_PROMISE, 4, 1, bytes(8)), 13, "pushed"),
        (SETTINGS + frames.frame(frames.RST_STREAM, 0, 1, bytes(3)), 13, "a number in 3 octets"),
        (SETTINGS + frames.frame(frames.GOAWAY, 0, 0, bytes(3)), 13, "a number in 3 octets"),
        (SETTINGS + frames.frame(frames.SETTINGS, 0, 0, bytes(5)), 13, "settings cut off"),
        (settings((4, 2**31)), 13, "initial window out of range"),
        (SETTINGS + window_update(0, 0), 13, "window update out of range"),
        (SETTINGS + window_update(1, 2**31 - 1), 13, "window update out of range"),
        (SETTINGS + headers(b"\x05" + HEAD[:4], frames.PADDED), 13, "more padding than frame"),
        (SETTINGS + headers(b"", frames.PADDED), 13, "more padding than frame"),
        (SETTINGS + headers(b"\x00", frames.PRIORITIZED), 13, "priority fields cut off"),
        (SETTINGS + headers(b"\xbe"), 13, "header compression: no table entry 62"),
        (SETTINGS + headers(HEAD) + data(b"", frames.END_STREAM), 2, "grpc-status is '', not a number"),
        (answer(trailers=b"\x00\x0bgrpc-status\x02-1"), 2, "grpc-status is '-1', not a number"),
        (answer(trailers=b"\x00\x0bgrpc-status\x03999"), 999, ""),
        (answer(trailers=b"\x00\x01x\x01y"), 2, "not a number"),
        (SETTINGS + headers(HEAD + STATUS_OK, END), 13, "exactly one message"),
        (SETTINGS + headers(HEAD) + data(b"\0\0\0") + headers(STATUS_OK, END), 13, "exactly one message"),
        (
            SETTINGS + headers(HEAD) + data(prefixed(b"a") * 2) + headers(STATUS_OK, END),
            13,
            "exactly one message",
        ),
        (
            SETTINGS + headers(HEAD) + data(prefixed(b"a")[:-1]) + headers(STATUS_OK, END),
            13,
            "exactly one message",
        ),
        (
            SETTINGS + headers(HEAD) + data(prefixed(b"a", 1)) + headers(STATUS_OK, END),
            13,
            "a compressed reply",
        ),
        (SETTINGS + headers(HEAD) + data(b"\0\xff\xff\xff\xff"), 8, "more than 16777216 octets"),
    ],
)
def test_what_a_peer_must_not_do(received, code, complaint):
    error = refusal(received)

    assert error.code == code
    assert complaint in error.message


def test_a_header_block_without_end_is_refused():
    fragment = frames.frame(frames.CONTINUATION, 0, 1, bytes(16384))

    assert (
        "a header block of more than 65536 octets"
        in refusal(SETTINGS + headers(b"", 0) + fragment * 5).message
    )


def test_padding_counts_against_the_size_of_the_reply():
    padding = data(b"\xff" + bytes(255), frames.PADDED)
    received = SETTINGS + headers(HEAD) + padding * (exchange.LARGEST_REPLY // 256 + 1)

    assert "more than 16777216 octets" in refusal(received).message


def test_the_whole_reply_fits_the_windows_that_were_opened():
    _, sent = open_call()
    opened = list(sent_frames(sent))

    assert opened[0][:3] == (frames.SETTINGS, 0, 0)
    assert dict(frames.settings(opened[0][3])) == {2: 0, 4: exchange.LARGEST_REPLY, 6: hpack.LARGEST_LIST}
    assert opened[1][0] == frames.WINDOW_UPDATE
    assert 65535 + frames.number(opened[1][3]) == exchange.LARGEST_REPLY


def test_the_request_headers_are_those_that_grpc_asks_for():
    _, sent = open_call()
    block = next(payload for kind, _, _, payload in sent_frames(sent) if kind == frames.HEADERS)

    assert hpack.Decoder().decode(block) == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/tke.eni.v1.Cni/Add"),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", b"tke-route-eni"),
        (b"te", b"trailers"),
        (b"grpc-timeout", b"10000m"),
    ]


def sent_frames(sent):
    """Cut what the client sent, after the preface if that is there."""
    sent = sent.removeprefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    while sent:
        length = int.from_bytes(sent[:3], "big")
        yield sent[3], sent[4], int.from_bytes(sent[5:9], "big"), sent[9 : 9 + length]
        sent = sent[9 + length :]


grants = st.one_of(
    st.tuples(st.just("connection"), st.integers(1, 100_000)),
    st.tuples(st.just("stream"), st.integers(1, 100_000)),
    st.tuples(st.just("initial"), st.integers(0, 200_000)),
)


@given(st.integers(0, 300_000), st.lists(grants, max_size=12))
def test_the_request_never_exceeds_what_the_peer_granted(size, script):
    message = bytes(i % 251 for i in range(size))
    call, sent = open_call(message)
    credit = {"connection": 65535, "stream": 65535, "initial": 65535}
    arrived = []
    ended = False
    for whom, amount in [("initial", 65535), *script, ("connection", 1_000_000), ("stream", 1_000_000)]:
        for kind, flags, stream, payload in sent_frames(sent):
            if kind == frames.DATA:
                assert (stream, ended) == (1, False)
                assert len(payload) <= min(frames.LARGEST_FRAME, credit["connection"], credit["stream"])
                arrived.append(payload)
                ended = bool(flags & frames.END_STREAM)
                credit["connection"] -= len(payload)
                credit["stream"] -= len(payload)
        if whom == "initial":
            credit["stream"] += amount - credit["initial"]
            sent = call.receive(settings((4, amount)))
        else:
            sent = call.receive(window_update(0 if whom == "connection" else 1, amount))
        credit[whom] = amount if whom == "initial" else credit[whom] + amount
    arrived += [payload for kind, _, _, payload in sent_frames(sent) if kind == frames.DATA]

    assert b"".join(arrived) == prefixed(message)


kinds = st.one_of(st.integers(0, 9), st.integers(0, 255))
some_frames = st.builds(
    frames.frame, kinds, st.integers(0, 255), st.sampled_from([0, 1, 1, 1, 3]), st.binary(max_size=40)
)
likely_frames = st.sampled_from(
    [SETTINGS, ACK, headers(HEAD), headers(STATUS_OK, END), data(prefixed(b"a")), window_update(0, 1), HEAD]
)


@given(st.booleans(), st.lists(st.one_of(some_frames, likely_frames, st.binary(max_size=30)), max_size=20))
def test_whatever_arrives_gives_a_reply_an_rpc_error_or_more_waiting(polite, received):
    call, _ = open_call()
    with contextlib.suppress(status.RpcError):
        for piece in [SETTINGS, *received] if polite else received:
            call.receive(piece)
        if call.finished:
            assert isinstance(call.reply(), bytes)
