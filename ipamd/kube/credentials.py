"""Who we are to the API server: bearer tokens from files that rotate, and what may stand in a header at all.

No error here repeats a credential, whatever is wrong with it. Thread safety: any thread may call any method.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ipamd.core.errors import InvalidInputError
from ipamd.kube.errors import ForbiddenError

log = logging.getLogger(__name__)

_TOKEN = re.compile(r"[!-~]+")
_HEADER = re.compile(r"[ -~]*")
_LARGEST = 1 << 20
"""Bytes of a token's file that are read: more than any header takes."""
_READ_AGAIN = 60.0
"""Seconds for which a token is taken from memory, as client-go does; it is renewed long before its end."""


def token_from(text: str, title: str) -> str:
    """Return the token that a text holds, without white space around it.

    `title` says where the text stands. Raises: InvalidInputError.
    """
    token = text.strip()
    if not token:
        raise InvalidInputError(f"{title} is empty", advice="put a bearer token there")
    if not _TOKEN.fullmatch(token):
        place = next(n for n, c in enumerate(token, 1) if not _TOKEN.fullmatch(c))
        raise InvalidInputError(
            f"{title} is no bearer token: its character {place} of {len(token)} is a blank, a line feed "
            "or another one that no header takes",
            advice="put one token there and nothing else",
        )
    return token


def header_from(text: str, title: str) -> str:
    """Return a text that may be the value of a header; errors: InvalidInputError."""
    if not _HEADER.fullmatch(text) or text != text.strip():
        raise InvalidInputError(
            f"{title} has a line feed, white space at an end, or a character beyond ASCII",
            advice="a header cannot carry that: correct it",
        )
    return text


class TokenFile:
    """The token that stands in a file which somebody else replaces.

    Invariant: once the file held a token, one is given: the last that was there.
    """

    def __init__(self, path: Path, title: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take the file, and how errors call it; nothing is read before it is asked for."""
        self._path = path
        self._title = title
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token = ""
        self._again = float("-inf")
        self._complaint = ""

    def __call__(self) -> str:
        """Return the value of the Authorization header.

        Raises: ForbiddenError while the file has held no token yet.
        """
        with self._lock:
            now = self._monotonic()
            if now >= self._again:
                self._read()
                self._again = now + _READ_AGAIN
            return f"Bearer {self._token}"

    def refused(self) -> None:
        """Read the file again before the next request."""
        with self._lock:
            self._again = float("-inf")

    def _read(self) -> None:
        try:
            with self._path.open("rb") as stream:
                self._token = token_from(stream.read(_LARGEST).decode(), self._title)
        except (OSError, UnicodeDecodeError, InvalidInputError) as e:
            complaint = _complaint(self._title, e)
            if not self._token:
                raise ForbiddenError(complaint, advice="see that the file holds a bearer token") from None
            if complaint != self._complaint:
                log.warning("%s; the token that was there before is used on", complaint)
            self._complaint = complaint
        else:
            self._complaint = ""


def _complaint(title: str, error: Exception) -> str:
    if isinstance(error, InvalidInputError):
        return error.message
    why = error.strerror if isinstance(error, OSError) else "it is no text"
    return f"{title} cannot be read: {why}"
