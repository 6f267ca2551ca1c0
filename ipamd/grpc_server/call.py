"""One call as its handler sees it: how long it may take, whether anybody waits, how to refuse it."""

import math
import threading
import time
from collections.abc import Callable
from typing import NoReturn, Protocol

from ipamd.grpc_server.status import RpcAbortError, StatusCode


class AnswerSink(Protocol):
    """Where the answers of one connection go."""

    def send_headers(self, stream: int) -> None:
        """Send the headers of an answer."""


class Call:
    """Invariant: once over, a call is over; what listens to its cancellation is called once, if ever.

    Thread safety: any thread may call any method.
    """

    __slots__ = ("_deadline", "_guard", "_is_over", "_listeners", "_sink", "stream")

    def __init__(self, sink: AnswerSink, stream: int, deadline: float = math.inf) -> None:
        """Take where answers go, and the deadline by the monotonic clock."""
        self._sink = sink
        self.stream = stream
        self._deadline = deadline
        self._guard = threading.Lock()
        self._is_over = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def deadline(self) -> float:
        """When the caller stops to wait, by the monotonic clock; infinite when it did not say."""
        return self._deadline

    def time_remaining(self) -> float:
        """Return the seconds until then, not below 0."""
        return max(0.0, self._deadline - time.monotonic())

    def is_active(self) -> bool:
        """Whether anybody waits for the answer."""
        return not self._is_over

    def on_cancel(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when the caller stops to wait before the answer; at once if it has."""
        with self._guard:
            if not self._is_over:
                self._listeners.append(listener)
                return
        listener()

    def send_initial_metadata(self) -> None:
        """Let the caller know that its call has arrived, before there is a message."""
        self._sink.send_headers(self.stream)

    def abort(self, code: StatusCode, text: str) -> NoReturn:
        """End the call with a status. Raises: RpcAbortError, which the server catches."""
        raise RpcAbortError(code, text)

    def end(self) -> list[Callable[[], None]]:
        """Note that nobody waits any more; return who is to be told if that came before the answer."""
        with self._guard:
            self._is_over = True
            listeners, self._listeners = self._listeners, []
        return listeners
