"""How long ago something was, in a few characters, as kubectl tells it. Pure."""

from datetime import datetime

_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def age(seconds: float) -> str:
    """Return a span in its largest unit, in two units while the larger is small: 95 s is 1m35s."""
    left = max(0, int(seconds))
    for number, (unit, size) in enumerate(_UNITS):
        if left < size:
            continue
        below, below_size = (*_UNITS, ("s", 1))[number + 1]
        rest = left % size // below_size
        return f"{left // size}{unit}{rest}{below}" if left < 10 * size and rest else f"{left // size}{unit}"
    return f"{left}s"


def took(milliseconds: int) -> str:
    """Return a duration; empty for none."""
    if not milliseconds:
        return ""
    return f"{milliseconds}ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f}s"


def since(text: str, now: float) -> str:
    """Return the age of an RFC 3339 time at Unix time `now`; empty for no time."""
    return age(now - datetime.fromisoformat(text).timestamp()) if text else ""


def ahead(text: str, now: float) -> str:
    """Return `in 3m` for an RFC 3339 time to come; empty for no time."""
    return f"in {age(datetime.fromisoformat(text).timestamp() - now)}" if text else ""


def ago(text: str, now: float) -> str:
    """Return `3m ago`, or `never` for no time."""
    return f"{since(text, now)} ago" if text else "never"
