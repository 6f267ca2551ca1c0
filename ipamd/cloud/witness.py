"""Lets the caller of an operation know the requests that it made: their RequestIds are what support asks for.

An operation returns what it is for, and may take several requests. Thread safety: a thread hears of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredCall:
    """A request that the cloud has answered without an error."""

    action: str
    request_id: str
    seconds: float
    """Until the answer was there."""


_heard: Final[ContextVar[list[AnsweredCall] | None]] = ContextVar("heard", default=None)


@contextmanager
def witnessed() -> Iterator[list[AnsweredCall]]:
    """Give a list into which this thread's requests come while the block lasts."""
    calls: list[AnsweredCall] = []
    token = _heard.set(calls)
    try:
        yield calls
    finally:
        _heard.reset(token)


def tell(call: AnsweredCall) -> None:
    """Tell whoever listens in this thread; nobody may."""
    calls = _heard.get()
    if calls is not None:
        calls.append(call)
