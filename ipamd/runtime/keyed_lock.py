"""A lock for each name: made when it is needed, dropped when nobody has it or waits for it."""

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from ipamd.core.errors import IpamError
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.request_threads import waits

K = TypeVar("K", bound=Hashable)


class KeyedLock(Generic[K]):
    """Invariant: `_locks` has the names that somebody has or waits for, with their number.

    Thread safety: any thread; not re-entrant.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[K, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def held(self, name: K, deadline: Deadline, refusal: Callable[[], IpamError]) -> Iterator[None]:
        """Have the lock of a name inside the block; the `refusal` is raised when it does not come in time."""
        lock = self._enter(name)
        try:
            if not lock.acquire(blocking=False) and not _waited_for(lock, deadline):
                raise refusal()
            try:
                yield
            finally:
                lock.release()
        finally:
            self._leave(name)

    def _enter(self, name: K) -> threading.Lock:
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = (lock, users + 1)
            return lock

    def _leave(self, name: K) -> None:
        with self._guard:
            lock, users = self._locks[name]
            if users == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, users - 1)


def _waited_for(lock: threading.Lock, deadline: Deadline) -> bool:
    """Wait for a lock that somebody has; return whether it came."""
    with waits():
        return lock.acquire(timeout=deadline.remaining())
