"""The two protobuf messages of proto/tke/eni/v1/cni.proto by hand: CniRequest out, CniReply in.

What is accepted is read exactly as the protobuf library reads it; groups, which no generated code writes any
more, are refused. Fields that a newer agent may add are skipped. No state, safe from any thread.
"""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class WireError(Exception):
    """The bytes are not a CniReply."""


def encode_request(environment: list[bytes], stdin: bytes) -> bytes:
    """Serialize a CniRequest; an empty stdin is left out, as proto3 wants."""
    fields = [b"\x0a" + _varint(len(entry)) + entry for entry in environment]
    if stdin:
        fields.append(b"\x12" + _varint(len(stdin)) + stdin)
    return b"".join(fields)


def decode_reply(message: bytes) -> tuple[bytes, int]:
    """Read stdout and exit code from a CniReply; raises WireError."""
    stdout = b""
    exit_code = 0
    position = 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise WireError(f"field number {number}")
        if kind == _VARINT:
            value, position = _read_varint(message, position)
            if number == 2:
                exit_code = _int32(value)
            continue
        if kind == _BYTES:
            length, position = _read_varint(message, position)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"wire type {kind}")
        end = position + length
        if end > len(message):
            raise WireError("the message ends inside a field")
        if kind == _BYTES and number == 1:
            stdout = message[position:end]
        position = end
    return stdout, exit_code


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    """Return value and next position; at most ten bytes."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise WireError("the message ends inside a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise WireError("a number of more than ten bytes")


def _int32(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value
