"""Checks that the flags of both daemons share; each names the flag, its value and what is allowed. Pure."""

import re

from ipamd.core import durations
from ipamd.core.errors import InvalidInputError


def matching(flag: str, value: str, pattern: re.Pattern[str], what: str, *, optional: bool = False) -> str:
    """Return the value if all of it matches, or if it is empty and may be; else InvalidInputError."""
    if not pattern.fullmatch(value) and not (optional and value == ""):
        state = f"is {value[:80]!r}" if value else "is not given"
        raise InvalidInputError(f"{flag} {state}", advice=f"give {what}")
    return value


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
