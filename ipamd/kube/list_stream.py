"""A list's answer, decoded while it arrives: one object at a time, whatever the size of the whole.

A list for resourceVersion 0 is answered from the server's watch cache in one piece, whatever `limit` says:
in a cluster of 50,000 Pods hundreds of MiB. Only the object that is being decoded is held here, and a chunk.
Thread safety: for one thread.
"""

import codecs
import json
from collections.abc import Iterator
from typing import Any

from ipamd.kube.errors import UnreachableError

OBJECT_LIMIT = 8 * 1024 * 1024
"""Characters of one object; in etcd it is at most 1.5 MiB."""
_DECODER = json.JSONDecoder()
_WHITE = " \t\r\n"
_CLOSED = '}]"'
"""Ends of a value that more text cannot change; a number ends with what comes after it."""
_AFTER = tuple(",]}" + _WHITE)


class ListStream:
    """Invariant: `_text[_at:]` is what has arrived and is not decoded yet."""

    def __init__(self, title: str, chunks: Iterator[bytes]) -> None:
        """Take how errors call the request, and the bytes of the answer as they come."""
        self._title = title
        self._chunks = chunks
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._at = 0
        self._ended = False
        self.metadata: dict[str, Any] = {}
        """Of the list; complete when `items` has ended."""

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield the objects of the list.

        Raises: UnreachableError when the answer is not the JSON of a list, or breaks off.
        """
        self._take("{")
        while (mark := self._take('"},')) != "}":
            if mark == ",":
                continue
            self._at -= 1
            name = self._value()
            self._take(":")
            if name == "items" and self._peek() == "[":
                yield from self._elements()
                continue
            value = self._value()
            if name == "items" and value is not None:
                raise self._wrong("its items are no list")
            if name == "metadata":
                if not isinstance(value, dict):
                    raise self._wrong("its metadata is no object")
                self.metadata = value
        while self._more():  # to the end: the connection can be used again
            self._at = len(self._text)

    def _elements(self) -> Iterator[dict[str, Any]]:
        self._take("[")
        while self._peek() != "]":
            if self._peek() == ",":
                self._at += 1
                continue
            item = self._value()
            if not isinstance(item, dict):
                raise self._wrong("an item is no object")
            yield item
        self._at += 1

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError as e:
                if not self._more():
                    raise self._wrong(f"it is not JSON: {e}") from e
                continue
            except RecursionError as e:
                raise self._wrong("it is nested too deeply") from e
            whole = self._text[end - 1] in _CLOSED or self._text[end : end + 1] in _AFTER
            if whole or not self._more():
                self._at = end
                return value

    def _take(self, allowed: str) -> str:
        """Take the next character that is no white space; it has to be one of these."""
        mark = self._peek()
        if mark not in allowed:
            raise self._wrong(f"it is not JSON: {mark!r} stands for one of {allowed}")
        self._at += 1
        return mark

    def _peek(self) -> str:
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _WHITE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                raise self._wrong("it breaks off")

    def _more(self) -> bool:
        """Read a chunk behind what is left; return whether there was one."""
        left = len(self._text) - self._at
        if left > OBJECT_LIMIT:
            raise self._wrong(f"an object is longer than {OBJECT_LIMIT} characters")
        if self._ended:
            return False
        chunk = next(self._chunks, b"")
        self._ended = not chunk
        try:
            arrived = self._utf8.decode(chunk, final=self._ended)
        except UnicodeDecodeError as e:
            raise self._wrong(f"it is not JSON: {e}") from e
        self._text = self._text[self._at :] + arrived
        self._at = 0
        return not self._ended

    def _wrong(self, what: str) -> UnreachableError:
        return UnreachableError(f"{self._title}: the API server's answer is not a list of objects: {what}")
