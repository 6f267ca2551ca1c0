"""How a message is put where people read it: on one line, nothing twice, its advice kept. Pure."""

import re
from typing import Final

_REQUEST: Final = re.compile(r"\s*[\(\[]?\bRequest ?Id[:= ]\s*([0-9A-Za-z-]+)[\)\]]?", re.IGNORECASE)
_GAP: Final = " ... "
_END: Final = 3
"""The end gets one part of so many of what a message may be long."""


def flat(message: str, *, without: str = "") -> str:
    """Return the message on one line, with each RequestId once, and without the one named `without`."""
    seen = {without}

    def once(found: re.Match[str]) -> str:
        known = found.group(1) in seen
        seen.add(found.group(1))
        return "" if known else found.group(0)

    return " ".join(_REQUEST.sub(once, message).split())


def one_line(message: str, limit: int) -> str:
    """Return the message on one line of at most `limit` bytes, with each RequestId once.

    Of one that is too long the middle is left out: what happened stands in front, what to do at the end.
    """
    text = flat(message)
    if len(text.encode()) <= limit:
        return text
    end = text.encode()[-(limit // _END) :].decode(errors="ignore")
    room = limit - len(end.encode()) - len(_GAP)
    return text.encode()[:room].decode(errors="ignore") + _GAP + end
