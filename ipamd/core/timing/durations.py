"""Durations as flags and annotations spell them, in the manner of Go: 90s, 5m, 1h30m. Pure."""

import re

from ipamd.core.errors import InvalidInputError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)", re.ASCII)


def parse(text: str) -> float:
    """Return the seconds that the text means; InvalidInputError for anything else than Go's notation."""
    parts = _PART.findall(text)
    if text == "0":
        return 0.0
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidInputError(
            f"duration {text[:40]!r} is not understood", advice="write it like 90s, 5m or 1h30m"
        )
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


def text_of(seconds: float) -> str:
    """Return the shortest notation of a duration in whole seconds."""
    left = round(seconds)
    written = ""
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            written += f"{count}{unit}"
    return written or "0s"
