"""Reading fields out of the JSON objects that the API answers with.

The API leaves fields out, sends null for what has no value, and now and then a number as text: all of that is
taken. What is of the wrong shape raises ShapeError, and so does a missing identity: a row that cannot be told
from others must not silently vanish from a listing, because what a listing lacks may be taken for gone.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

MOST_ROWS = 10_000
"""More entries than any object or page can have."""
_LONGEST_TEXT = 4096


class ShapeError(ValueError):
    """An answer does not have the shape that the API documents; the message names the field."""


def text(row: Row, name: str) -> str:
    """Return a text, "" when it is missing or null."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ShapeError(f"{name} is {_shown(value)}, not a text of sensible length")
    return value


def identity(row: Row, name: str) -> str:
    """Return a text that must be there."""
    value = text(row, name)
    if not value:
        raise ShapeError(f"{name} is missing")
    return value


def integer(row: Row, name: str, default: int = 0) -> int:
    """Return a number, also one that came as text; `default` when it is missing or null."""
    value = row.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ShapeError(f"{name} is {_shown(value)}, not a whole number")
    return value


def flag(row: Row, name: str, *, default: bool = False) -> bool:
    """Return a boolean; `default` when it is missing or null."""
    value = row.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ShapeError(f"{name} is {_shown(value)}, not true or false")
    return value


def child(row: Row, name: str) -> Row:
    """Return a nested object, an empty one when it is missing or null."""
    value = row.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ShapeError(f"{name} is {_shown(value)}, not an object")
    return value


def rows(row: Row, name: str) -> list[Row]:
    """Return a list of objects, an empty one when it is missing or null."""
    values = _list(row, name)
    for value in values:
        if not isinstance(value, dict):
            raise ShapeError(f"{name} has an entry {_shown(value)}, not an object")
    return values


def texts(row: Row, name: str) -> tuple[str, ...]:
    """Return a list of texts, an empty one when it is missing or null."""
    values = _list(row, name)
    for value in values:
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise ShapeError(f"{name} has an entry {_shown(value)}, not a text of sensible length")
    return tuple(values)


def ip(row: Row, name: str) -> str:
    """Return an address in its usual spelling, "" when it is missing, null or empty."""
    value = text(row, name)
    if not value:
        return ""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as e:
        raise ShapeError(f"{name} is {_shown(value)}, not an IP address") from e


def tags(row: Row, name: str = "TagSet") -> dict[str, str]:
    """Return a list of Key and Value pairs as a dict."""
    return {identity(tag, "Key"): text(tag, "Value") for tag in rows(row, name)}


def _list(row: Row, name: str) -> list[Any]:
    value = row.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST_ROWS:
        raise ShapeError(f"{name} is {_shown(value)}, not a list of at most {MOST_ROWS} entries")
    return value


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    return repr(value)[:80]
