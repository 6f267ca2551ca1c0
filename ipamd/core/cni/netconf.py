"""The network configuration that a CNI plugin gets on standard input: decoded, bounded, its version checked.

Raises CniError and nothing else, whatever the bytes are. Fields that only one verb needs stay in `settings`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from ipamd.core.cni import errors
from ipamd.core.cni.errors import SUPPORTED_VERSIONS, CniError, Code

MAX_BYTES: Final = 1 << 20
"""A configuration is a few hundred bytes; GC adds some 100 bytes for each sandbox of the node."""
MAX_NAME: Final = 255
"""Characters of a network name or container ID."""

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*")
_WHERE_IT_COMES_FROM: Final = "look at the file in /etc/cni/net.d that the runtime uses"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConf:
    """The network configuration: what every verb gets on standard input."""

    version: str
    """One of SUPPORTED_VERSIONS."""
    name: str
    settings: Mapping[str, Any]
    """The whole object."""


def parse(stdin: bytes, *, since: str = SUPPORTED_VERSIONS[0], verb: str = "") -> NetConf:
    """Read a configuration for a verb that exists since a version of the specification."""
    settings = _decode(stdin)
    version = settings.get("cniVersion", "")
    if not isinstance(version, str) or version not in SUPPORTED_VERSIONS:
        raise CniError(
            Code.INCOMPATIBLE_VERSION,
            f"cniVersion {errors.shown(version)} of the configuration is not supported",
            advice=f"supported are {', '.join(SUPPORTED_VERSIONS)}",
        )
    if SUPPORTED_VERSIONS.index(version) < SUPPORTED_VERSIONS.index(since):
        raise CniError(
            Code.INCOMPATIBLE_VERSION,
            f"{verb} does not exist in cniVersion {version} of the configuration",
            advice=f"{verb} came with version {since}",
            version=version,
        )
    name = settings.get("name", "")
    if not isinstance(name, str) or not is_name(name):
        raise CniError(
            Code.INVALID_CONFIG,
            f"name {errors.shown(name)} of the configuration is not a network name",
            advice=f"a letter or digit, then letters, digits, '_', '.', '-'; at most {MAX_NAME} characters",
            version=version,
        )
    return NetConf(version=version, name=name, settings=settings)


def is_name(text: str) -> bool:
    """Whether the text may be a network name or container ID (pkg/utils of the reference library)."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def _decode(stdin: bytes) -> dict[str, Any]:
    if len(stdin) > MAX_BYTES:
        raise CniError(
            Code.DECODING_FAILURE,
            f"the configuration on standard input has {len(stdin)} bytes",
            advice=f"at most {MAX_BYTES} are read",
        )
    try:
        settings = json.loads(stdin, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        # ValueError: not JSON, not UTF-8, an integer of thousands of digits.
        raise CniError(
            Code.DECODING_FAILURE,
            f"the configuration on standard input is not JSON: {e}",
            advice=_WHERE_IT_COMES_FROM,
        ) from e
    if not isinstance(settings, dict):
        raise CniError(
            Code.DECODING_FAILURE,
            "the configuration on standard input is not a JSON object",
            advice=_WHERE_IT_COMES_FROM,
        )
    return settings


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")
