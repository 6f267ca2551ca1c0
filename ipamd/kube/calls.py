"""One request to the API server: through the gate, over the wire, and decoded, or an error of `kube.errors`.

A 429 is waited for inside the call's time; nothing else is repeated here, because only the caller knows
whether a write may be.
Thread safety: any thread may call a `Caller`; a `Watch` is read by one thread and shut down by any.
"""

import json
import time
from collections.abc import Generator, Iterator
from typing import Any

from ipamd.kube import errors
from ipamd.kube.gate import RequestGate
from ipamd.kube.list_stream import ListStream
from ipamd.kube.transport import HttpRequest, Stream, Transport

JsonObject = dict[str, Any]
LIST_SECONDS = 600.0
"""How long the answer to a list may take to arrive."""


class Caller:
    """Gate and transport as one."""

    def __init__(
        self, transport: Transport, gate: RequestGate, *, timeout: float, last: bool = False
    ) -> None:
        """Take the seconds that one call may last when its caller says nothing else.

        With `last` its calls let those of others pass.
        """
        self._transport = transport
        self._gate = gate
        self._timeout = timeout
        self._last = last

    def behind_others(self) -> "Caller":
        """Return the same for calls whose outcome nobody waits for."""
        return Caller(self._transport, self._gate, timeout=self._timeout, last=True)

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def time(self) -> float | None:
        """Return the server's time, as `Transport.time`."""
        return self._transport.time()

    def call(self, request: HttpRequest, timeout: float | None = None) -> JsonObject:
        """Send the request and return the JSON object of its answer, within `timeout` seconds."""
        end = time.monotonic() + (timeout or self._timeout)
        while True:
            remaining = end - time.monotonic()
            self._admit(request, remaining)
            try:
                answer = self._transport.send(request, timeout=max(0.1, end - time.monotonic()))
            except errors.UnreachableError as e:
                self._gate.failed(e.message)
                raise
            if 200 <= answer.status < 300:
                self._gate.answered()
                return _parse(request.title, answer.body)
            error = errors.from_answer(
                request.title,
                status=answer.status,
                body=answer.body,
                retry_after=answer.retry_after,
            )
            self._note(error)
            if not isinstance(error, errors.ThrottledError):
                raise error
            if time.monotonic() + error.retry_after >= end:
                raise error

    def open_watch(self, request: HttpRequest, *, silence: float) -> "Watch":
        """Open a watch that breaks off after `silence` seconds without a byte."""
        return Watch(request.title, self._stream(request, silence=silence, patience=0.0))

    def read_list(self, request: HttpRequest) -> Generator[JsonObject, None, JsonObject]:
        """Yield the objects of a list's answer while it arrives; its generator returns the metadata.

        It breaks off after the call's time without a byte, and after LIST_SECONDS.
        """
        end = time.monotonic() + LIST_SECONDS
        stream = self._stream(request, silence=self._timeout, patience=self._timeout)
        try:
            answer = ListStream(request.title, stream.chunks())
            for item in answer.items():
                yield item
                if time.monotonic() > end:
                    raise errors.UnreachableError(f"{request.title}: the answer did not end in time")
        finally:
            stream.close()
        return answer.metadata

    def _stream(self, request: HttpRequest, *, silence: float, patience: float) -> Stream:
        """Return a stream that the server has opened; a 429 is waited for inside `patience`."""
        end = time.monotonic() + patience
        while True:
            self._admit(request, self._timeout)
            try:
                stream = self._transport.stream(request, silence=silence)
            except errors.UnreachableError as e:
                self._gate.failed(e.message)
                raise
            if stream.status == 200:
                self._gate.answered()
                return stream
            try:
                body = stream.read_error(errors.BODY_LIMIT)
            finally:
                stream.close()
            error = errors.from_answer(
                request.title, status=stream.status, body=body, retry_after=stream.retry_after
            )
            self._note(error)
            if not isinstance(error, errors.ThrottledError) or time.monotonic() + error.retry_after >= end:
                raise error

    def _admit(self, request: HttpRequest, patience: float) -> None:
        if not self._gate.admit(patience, last=self._last):
            raise errors.UnreachableError(
                f"{request.title}: not sent, because the API server fails or too many requests wait for it",
                advice="it is repeated; check the API server if this lasts",
            )

    def _note(self, error: errors.KubeError) -> None:
        if isinstance(error, errors.ThrottledError):
            self._gate.pause(max(1.0, error.retry_after))
        elif isinstance(error, errors.UnreachableError):
            self._gate.failed(error.message)
        else:
            self._gate.answered()


class Watch:
    """One open watch. Read by one thread; `shut_down` may come from any."""

    def __init__(self, title: str, stream: Stream) -> None:
        self._title = title
        self._stream = stream

    def events(self) -> Iterator[tuple[str, JsonObject]]:
        """Yield (ADDED | MODIFIED | DELETED | BOOKMARK, object) until the server ends the watch.

        Raises: SilenceError and UnreachableError as `Stream.lines`; the error of a Status that the server
        sends, GoneError above all.
        """
        for line in self._stream.lines():
            if not line.strip():
                continue
            event = _parse(self._title, line)
            kind, obj = event.get("type"), event.get("object")
            if not isinstance(kind, str) or not isinstance(obj, dict):
                raise errors.UnreachableError(f"{self._title}: an event without type or object")
            if kind == "ERROR":
                raise errors.from_status(self._title, obj)
            yield kind, obj

    def shut_down(self) -> None:
        """Wake the reader and end its iteration, with or without UnreachableError."""
        self._stream.shut_down()

    def close(self) -> None:
        """Give the connection up; by the reader."""
        self._stream.close()


def _parse(title: str, text: bytes) -> JsonObject:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise errors.UnreachableError(f"{title}: the API server's answer is not JSON: {e}") from e
    if not isinstance(document, dict):
        raise errors.UnreachableError(f"{title}: the API server's answer is not a JSON object")
    return document
