"""What a peer of the server says, as frames, and how what it gets is read."""

import time

from ipamd.grpc_server import frames, header_fields
from ipamd.grpc_server.frames import ErrorCode

ADD = "/tke.eni.v1.Cni/Add"
STATUS = "/tke.eni.v1.Cni/Status"
FIRST = frames.PREFACE + frames.settings_frame({})
"""How a client begins."""


def request_headers(path, *more, method=b"POST", kind=b"application/grpc"):
    return b"".join(
        header_fields.literal(name, value)
        for name, value in (
            (b":method", method),
            (b":scheme", b"http"),
            (b":path", path.encode()),
            (b"te", b"trailers"),
            (b"content-type", kind),
            *more,
        )
    )


def message(content=b""):
    return b"\0" + len(content).to_bytes(4, "big") + content


def headers_frame(stream, path=STATUS, *more, flags=frames.END_HEADERS, **fields):
    return frames.frame(frames.HEADERS, flags, stream, request_headers(path, *more, **fields))


def request(stream, path=STATUS, content=b""):
    """The frames of one whole request."""
    return headers_frame(stream, path) + frames.frame(
        frames.DATA, frames.END_STREAM, stream, message(content)
    )


def data(stream, payload, flags=0):
    return frames.frame(frames.DATA, flags, stream, payload)


def ping(payload=b"12345678"):
    return frames.frame(frames.PING, 0, 0, payload)


def reset(stream):
    return frames.frame(frames.RST_STREAM, 0, stream, frames.numbers(ErrorCode.CANCEL))


def window(stream, octets):
    return frames.frame(frames.WINDOW_UPDATE, 0, stream, frames.numbers(octets))


def received(connection, until, seconds=5.0):
    """The frames that come until one of them is what is waited for, or the end; read by our own reader."""
    reader, found = frames.FrameReader(greeted=True), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            data = connection.recv(65536)
        except (TimeoutError, ConnectionResetError):
            break
        if not data:
            break
        reader.feed(data)
        while (frame := reader.next()) is not None:
            found.append(frame)
            if until(frame):
                return found
    return found


def ends(stream):
    """Whether a frame ends a stream."""
    return lambda frame: (
        frame.stream == stream
        and (
            frame.kind == frames.RST_STREAM
            or (frame.kind in (frames.HEADERS, frames.DATA) and bool(frame.flags & frames.END_STREAM))
        )
    )


def is_goaway(frame):
    return frame.kind == frames.GOAWAY


def fields(frames_of_answer):
    """The header fields of all blocks of an answer."""
    decoder = header_fields.HeaderDecoder()
    return {
        name: value
        for frame in frames_of_answer
        if frame.kind == frames.HEADERS
        for name, value in decoder.decode(frame.payload)
    }
