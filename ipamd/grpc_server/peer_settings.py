"""What a client may say in SETTINGS (RFC 9113, section 6.5.2), as far as it matters to who only answers."""

from ipamd.grpc_server import frames
from ipamd.grpc_server.frames import ConnectionBreachError, ErrorCode


def initial_window(payload: bytes) -> int | None:
    """Return the initial window that settings set, if they do. Raises: ConnectionBreachError.

    The header table's size does not matter, because answers are written without a table, nor does a frame
    size, which may only be larger than what is sent.
    """
    window = None
    for setting, value in frames.settings(payload):
        if setting == frames.INITIAL_WINDOW_SIZE:
            if value > frames.LARGEST_NUMBER:
                raise ConnectionBreachError(ErrorCode.FLOW_CONTROL_ERROR, "an initial window out of range")
            window = value
        elif setting == frames.ENABLE_PUSH and value > 1:
            raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, f"SETTINGS_ENABLE_PUSH is {value}")
        elif setting == frames.MAX_FRAME_SIZE and not frames.LARGEST_FRAME <= value < 1 << 24:
            raise ConnectionBreachError(ErrorCode.PROTOCOL_ERROR, f"SETTINGS_MAX_FRAME_SIZE is {value}")
    return window
