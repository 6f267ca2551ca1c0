"""One call of a method without fields, made as the plugin makes its calls: does a server answer it?"""

import socket
import time
from pathlib import Path
from typing import Final

from ipamd.core.timing.deadline import Deadline
from ipamd.grpc_server import frames, header_fields
from ipamd.grpc_server.frames import ConnectionBreachError, FrameReader

_STREAM: Final = 1
_CHUNK: Final = 1 << 16
_MOST_OCTETS: Final = 4 << 20
# By static table entries: ":method POST", ":scheme http", and the names :path, :authority, content-type.
_BEFORE_PATH: Final = b"\x83\x86\x04"
_BEHIND_PATH: Final = b"\x01\x09localhost\x0f\x10\x10application/grpc" + header_fields.literal(
    b"te", b"trailers"
)
_NO_FIELDS: Final = b"\x00" * 5
_OK: Final = b"0"


def problem(path: Path, method: str, seconds: float) -> str:
    """Return why `method` ("/package.Service/Method") is not answered with OK in time; empty when it is."""
    try:
        status, text = _called(path, method, Deadline.after(seconds, time.monotonic))
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except OSError as e:
        return e.strerror or str(e)
    except (ConnectionBreachError, header_fields.HeaderCompressionError) as e:
        return f"what answers there does not speak gRPC: {e}"
    return (
        ""
        if status == _OK
        else f"gRPC status {status.decode('ascii', 'replace')} {text.decode('ascii', 'replace')}"
    )


def _called(path: Path, method: str, deadline: Deadline) -> tuple[bytes, bytes]:
    """Return grpc-status and grpc-message. Raises: OSError, and what the codecs raise."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_seconds(deadline))
        connection.connect(str(path))
        connection.sendall(_request(method, deadline))
        reader, decoder, fields = (
            FrameReader(greeted=True),
            header_fields.HeaderDecoder(),
            dict[bytes, bytes](),
        )
        received = 0
        while received < _MOST_OCTETS:
            connection.settimeout(_seconds(deadline))
            data = connection.recv(_CHUNK)
            if not data:
                raise ConnectionResetError(0, "the connection was closed before an answer")
            received += len(data)
            reader.feed(data)
            while (frame := reader.next()) is not None:
                if frame.kind == frames.HEADERS and frame.stream == _STREAM:
                    fields.update(decoder.decode(frames.content(frame.flags, frame.payload)) or ())
                    if frame.flags & frames.END_STREAM:
                        return fields.get(b"grpc-status", b"none"), fields.get(b"grpc-message", b"")
                elif frame.kind in (frames.RST_STREAM, frames.GOAWAY):
                    raise ConnectionResetError(0, "the call was refused")
        raise ConnectionResetError(0, f"an answer of more than {_MOST_OCTETS} octets")


def _request(method: str, deadline: Deadline) -> bytes:
    path = method.encode()
    timeout = header_fields.literal(b"grpc-timeout", b"%dm" % max(1, int(deadline.remaining() * 1000)))
    block = _BEFORE_PATH + bytes((len(path),)) + path + _BEHIND_PATH + timeout
    return (
        frames.PREFACE
        + frames.settings_frame({frames.INITIAL_WINDOW_SIZE: _MOST_OCTETS})
        + frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.numbers(_MOST_OCTETS))
        + frames.frame(frames.HEADERS, frames.END_HEADERS, _STREAM, block)
        + frames.frame(frames.DATA, frames.END_STREAM, _STREAM, _NO_FIELDS)
    )


def _seconds(deadline: Deadline) -> float:
    left = deadline.remaining()
    if left <= 0:
        raise TimeoutError
    return left
