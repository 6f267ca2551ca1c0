"""Which messages are news beside each other: neither a RequestId nor a time makes them so. Pure."""

import re

_PASSING = re.compile(
    r"RequestId [^\s,;)]+"
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\b1[5-9]\d{8}\b"
)
"""RequestIds, times as text, and seconds since the epoch from 2017 on."""


def essence(message: str) -> str:
    """Return the message without what differs at each repeat."""
    return _PASSING.sub("", message)
