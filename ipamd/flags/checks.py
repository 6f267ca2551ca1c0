"""Checks that several programs' flags share; each names the flag, its value and what is allowed. Pure."""

import ipaddress
import re

from ipamd.core.errors import InvalidInputError
from ipamd.core.timing import durations

_CLUSTER_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}")
_REGION = re.compile(r"[a-z]+(-[a-z0-9]+)+")


def cluster_id(value: str) -> str:
    """Return the value of `--cluster-id` if it can be one; else InvalidInputError."""
    return matching("--cluster-id", value, _CLUSTER_ID, "the cluster's id, for example cls-abcd1234")


def region(value: str) -> str:
    """Return the value of `--region` if it can be one or is empty; else InvalidInputError."""
    return matching("--region", value, _REGION, "a region such as ap-guangzhou", optional=True)


def matching(flag: str, value: str, pattern: re.Pattern[str], what: str, *, optional: bool = False) -> str:
    """Return the value if all of it matches, or if it is empty and may be; else InvalidInputError."""
    if not pattern.fullmatch(value) and not (optional and value == ""):
        state = f"is {value[:80]!r}" if value else "is not given"
        raise InvalidInputError(f"{flag} {state}", advice=f"give {what}")
    return value


def address(flag: str, value: str) -> tuple[str, int] | None:
    """Return host and port of HOST:PORT, None when it is empty; else InvalidInputError."""
    if not value:
        return None
    host, _, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        host = ""
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise InvalidInputError(
            f"{flag} is {value[:80]!r}", advice="give ADDRESS:PORT, for example 127.0.0.1:61680"
        )
    return host, int(port)


def duration(flag: str, value: str, *, least: float = 0, most: float = 86400) -> float:
    """Return the seconds that the value says, if they are in the range; else InvalidInputError."""
    try:
        seconds = durations.parse(value)
    except InvalidInputError as e:
        raise InvalidInputError(f"{flag}: {e.message}", advice=e.advice) from e
    if not least <= seconds <= most:
        raise InvalidInputError(
            f"{flag} is {value}",
            advice=f"allowed are {durations.text_of(least)} to {durations.text_of(most)}",
        )
    return seconds
