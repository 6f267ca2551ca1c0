"""One thread at a time for each sandbox, and for each address: what happens to links happens in turns.

A runtime may call ADD and DEL of one sandbox at once, or the same verb twice: these take the sandbox's turn.
Where two sandboxes, or a sandbox and the repair, meet, they meet at an address: whoever changes what the
kernel has of an address, or the ledger because of it, has the turn of the address, and looks at the ledger
after it got the turn. Who needs both takes the sandbox's first; nobody has two of a kind. Turns are held
across netlink calls and the ledger's commit (milliseconds), never across a wait.
"""

import contextlib
import threading
from collections.abc import Iterator

from ipamd.core import model
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.deadline import Deadline


class Turns:
    """Locks by name, made when needed and dropped when unused. Thread safety: any thread, not re-entrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    def of_sandbox(
        self, key: model.SandboxKey, deadline: Deadline
    ) -> contextlib.AbstractContextManager[None]:
        """Hold the turn of a sandbox; TryAgainError when it does not come in time."""
        return self._taken(f"sandbox {key.container_id:.13} {key.ifname}", str(key), deadline)

    def of_address(self, ip: str, deadline: Deadline) -> contextlib.AbstractContextManager[None]:
        """Hold the turn of an address; TryAgainError when it does not come in time."""
        return self._taken(f"address {ip}", ip, deadline)

    @contextlib.contextmanager
    def _taken(self, subject: str, name: str, deadline: Deadline) -> Iterator[None]:
        lock = self._enter(name)
        try:
            if not lock.acquire(timeout=deadline.remaining()):
                raise TryAgainError(f"another request for {subject} is still under way")
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
