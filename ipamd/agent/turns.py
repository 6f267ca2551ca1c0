"""One thread at a time for each Pod: what ADD and DEL do to a Pod's link happens in turns.

A runtime may call ADD for a new sandbox while the DEL of the old one is under way, or the same verb twice.
Ownership is settled by the ledger; turns only keep two threads from wiring and unwiring one host interface
at once. A turn is held across netlink calls and the ledger's commit (milliseconds), never across a wait.
"""

import contextlib
import threading
from collections.abc import Iterator

from ipamd.core.deadline import Deadline
from ipamd.core.errors import TryAgainError


class Turns:
    """Locks by name, made when needed and dropped when unused. Thread safety: any thread, not re-entrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def taken(self, name: str, deadline: Deadline) -> Iterator[None]:
        """Hold the turn of `name`; TryAgainError when it does not come in time."""
        lock = self._enter(name)
        try:
            if not lock.acquire(timeout=deadline.remaining()):
                raise TryAgainError(f"another request for Pod {name} is still under way")
            try:
                yield
            finally:
                lock.release()
        finally:
            self._leave(name)

    def _enter(self, name: str) -> threading.Lock:
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = (lock, users + 1)
            return lock

    def _leave(self, name: str) -> None:
        with self._guard:
            lock, users = self._locks[name]
            if users == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, users - 1)
