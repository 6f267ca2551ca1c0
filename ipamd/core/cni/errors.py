"""How a failure is told to a container runtime: error codes and error object of the CNI specification.

Codes 1 to 7, 11, 50 and 51 stand in the specification; 8 and 999 are those of the reference library
(containernetworking/cni, pkg/types); 100 and up are ours to choose. Code 11 asks the runtime to try again.
"""

import json
from enum import IntEnum
from typing import Final

from ipamd.core import errors

SUPPORTED_VERSIONS: Final = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""Versions of the specification that a configuration may ask for, oldest first."""
NEWEST_VERSION: Final = SUPPORTED_VERSIONS[-1]


class Code(IntEnum):
    """Error codes that a runtime may see from us."""

    INCOMPATIBLE_VERSION = 1
    UNSUPPORTED_FIELD = 2
    UNKNOWN_CONTAINER = 3
    INVALID_ENVIRONMENT = 4
    IO_FAILURE = 5
    DECODING_FAILURE = 6
    INVALID_CONFIG = 7
    INVALID_NETNS = 8
    TRY_AGAIN = 11
    PLUGIN_NOT_AVAILABLE = 50
    """STATUS: the plugin cannot serve ADD."""
    LIMITED_CONNECTIVITY = 51
    """STATUS: the plugin cannot serve ADD, and running containers may have lost connectivity."""
    INVALID_POD = 100
    """Something in the Pod's own settings (annotations, names) is wrong."""
    DRIFTED = 101
    """CHECK: the kernel no longer has what ADD made."""
    INTERNAL = 999


class CniError(errors.IpamError):
    """A failure with the code that a runtime gets for it.

    `version` is the one that the configuration asked for, as far as it was understood: the error object has
    to be in it.
    """

    def __init__(self, code: Code, message: str, *, advice: str = "", version: str = NEWEST_VERSION) -> None:
        """Take what happened and what to do about it."""
        super().__init__(message, advice=advice)
        self.code = code
        self.version = version

    def encoded(self) -> bytes:
        """Return the error object as a plugin prints it."""
        content: dict[str, object] = {"cniVersion": self.version, "code": int(self.code), "msg": self.message}
        if self.advice:
            content["details"] = self.advice
        return json.dumps(content).encode()


_CODES: Final[tuple[tuple[type[errors.IpamError], Code], ...]] = (
    (errors.NetnsError, Code.INVALID_NETNS),
    (errors.InvalidInputError, Code.INVALID_POD),
    (errors.TryAgainError, Code.TRY_AGAIN),
    (errors.KernelError, Code.IO_FAILURE),
)


def from_error(error: errors.IpamError, *, version: str = NEWEST_VERSION) -> CniError:
    """Return the error in the runtime's terms; one that has a code already stays as it is."""
    if isinstance(error, CniError):
        return error
    code = next((code for kind, code in _CODES if isinstance(error, kind)), Code.INTERNAL)
    return CniError(code, error.message, advice=error.advice, version=version)


def shown(value: object) -> str:
    """Show a stranger's value in a message: quoted, escaped to ASCII, short."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
