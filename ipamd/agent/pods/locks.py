"""One thread at a time for each sandbox, and for each address: what happens to links happens under a lock.

A runtime may call ADD and DEL of one sandbox at once, or the same verb twice: these take the sandbox's lock.
Where two sandboxes, or a sandbox and the repair, meet, they meet at an address: whoever changes what the
kernel has of an address, or the ledger because of it, holds the lock of the address, and looks at the ledger
after it got it. Who needs both takes the sandbox's first; nobody has two of a kind. Locks are held
across netlink calls and the ledger's commit (milliseconds), never across a wait.
"""

import contextlib

from ipamd.core import model
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.keyed_lock import KeyedLock


class PodLocks:
    """The locks of sandboxes and addresses. Thread safety: any thread, not re-entrant."""

    def __init__(self) -> None:
        self._locks: KeyedLock[str] = KeyedLock()

    def of_sandbox(
        self, key: model.SandboxKey, deadline: Deadline
    ) -> contextlib.AbstractContextManager[None]:
        """Hold the lock of a sandbox; TryAgainError when it does not come in time."""
        return self._taken(f"sandbox {key.container_id:.13} {key.ifname}", str(key), deadline)

    def of_address(self, ip: str, deadline: Deadline) -> contextlib.AbstractContextManager[None]:
        """Hold the lock of an address; TryAgainError when it does not come in time."""
        return self._taken(f"address {ip}", ip, deadline)

    def _taken(self, subject: str, name: str, deadline: Deadline) -> contextlib.AbstractContextManager[None]:
        return self._locks.held(
            name, deadline, lambda: TryAgainError(f"another request for {subject} is still under way")
        )
