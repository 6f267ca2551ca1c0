"""The CNI error object, made without a JSON library.

The specification (version 1.1.0, sections "Error" and "STATUS") wants cniVersion, code, msg and details on
stdout together with exit code 1; a runtime shows "msg; details". No state, safe from any thread.
"""

INVALID_ENVIRONMENT = 4
IO_FAILURE = 5
INVALID_CONFIG = 7
TRY_AGAIN_LATER = 11
PLUGIN_NOT_AVAILABLE = 50
INTERNAL = 999
"""Not of the specification: what the reference library (containernetworking/cni pkg/types) uses."""

_FALLBACK_VERSION = "1.0.0"
_LONGEST_TEXT = 4096
_MARKER = b'"cniVersion"'


class PluginError(Exception):
    """A verb failed: what happened (`message`) and what to do next (`details`), for people."""

    def __init__(self, code: int, message: str, details: str) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = details


def error_object(error: PluginError, config: bytes) -> bytes:
    """Format an error in the version that the network configuration asks for; valid JSON for any text."""
    return (
        f'{{"cniVersion": "{requested_version(config)}", "code": {error.code}, '
        f'"msg": "{_escaped(error.message)}", "details": "{_escaped(error.details)}"}}\n'
    ).encode()


def requested_version(config: bytes) -> str:
    """Find cniVersion in a configuration that may not even be JSON.

    Takes the first "cniVersion" key with a plain x.y.z; libcni sorts keys, so it comes before prevResult.
    """
    position = config.find(_MARKER)
    while position >= 0:
        rest = config[position + len(_MARKER) : position + 128].lstrip()
        if rest.startswith(b":"):
            quoted = rest[1:].lstrip().split(b'"', 2)
            if len(quoted) == 3 and not quoted[0] and _is_plain_version(quoted[1]):
                return quoted[1].decode()
        position = config.find(_MARKER, position + 1)
    return _FALLBACK_VERSION


def _is_plain_version(text: bytes) -> bool:
    numbers = text.split(b".")
    return len(numbers) == 3 and all(number.isdigit() and len(number) < 4 for number in numbers)


def _escaped(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "..."
    # A surrogate stands for a byte that was not UTF-8; JSON has no place for it.
    text = text.encode("utf-8", "replace").decode()
    return "".join(
        "\\" + char if char in '"\\' else char if char >= " " else f"\\u{ord(char):04x}" for char in text
    )
