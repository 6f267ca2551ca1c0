"""The ADDs that are under way, so that a DEL of their sandbox can end them.

A runtime that has lost patience with an ADD calls DEL, and the ADD may still wait for an address or an EIP.
What it would do later would be done to a sandbox that is gone, so the DEL leaves a mark that the ADD looks at
whenever it gets its sandbox's turn and whenever it is woken.
Thread safety: any thread may call any method.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

from ipamd.core import model, names
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.boottime import Boottime


class PendingAdd:
    """One ADD on its way."""

    def __init__(self, given_up: Callable[[], bool], began: Boottime) -> None:
        """Take how to see whether the caller has stopped to wait, and when the ADD began."""
        self._given_up = given_up
        self.began = began
        """By the ledger's clock."""
        self._deleted = False
        self.has_acquired = False
        """Whether it is its to undo that the sandbox owns an address; changed in the sandbox's turn."""

    def mark_deleted(self) -> None:
        """Note that a DEL of the sandbox has come."""
        self._deleted = True

    @property
    def is_over(self) -> bool:
        """Whether nobody wants its outcome any more."""
        return self._deleted or self._given_up()

    def check(self) -> None:
        """Raise TryAgainError when nobody wants its outcome any more."""
        self.check_deleted()
        if self._given_up():
            raise TryAgainError("the caller has stopped to wait", advice="the kubelet tries again by itself")

    def check_deleted(self) -> None:
        """Raise TryAgainError when the sandbox has been deleted."""
        if self._deleted:
            raise TryAgainError(
                "the sandbox was deleted while its ADD was under way",
                advice="the kubelet makes a new sandbox by itself",
            )


class PendingAdds:
    """The ADDs of one node that have not returned yet.

    Invariant: `_under_way` has them by sandbox and no sandbox without any; touched under `_guard` only.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._under_way: dict[model.SandboxKey, list[PendingAdd]] = {}

    @contextlib.contextmanager
    def begun(
        self, key: model.SandboxKey, given_up: Callable[[], bool], began: Boottime
    ) -> Iterator[PendingAdd]:
        """Have an ADD be under way inside the block."""
        attempt = PendingAdd(given_up, began)
        with self._guard:
            self._under_way.setdefault(key, []).append(attempt)
        try:
            yield attempt
        finally:
            with self._guard:
                self._under_way[key].remove(attempt)
                if not self._under_way[key]:
                    del self._under_way[key]

    def are_under_way(self, key: model.SandboxKey) -> bool:
        """Whether an ADD of this sandbox has not returned yet."""
        with self._guard:
            return key in self._under_way

    def links(self) -> frozenset[str]:
        """Return the names of the links that are being made."""
        with self._guard:
            return frozenset(names.host_veth(key.container_id, key.ifname) for key in self._under_way)

    def inherit(self, key: model.SandboxKey, heir: PendingAdd) -> None:
        """Have this ADD undo, should it fail, what another one that is under way has acquired.

        A runtime that repeats an ADD is answered by the last one; what that has found must not be undone by
        the failure of the one before.
        """
        with self._guard:
            for attempt in self._under_way.get(key, []):
                if attempt is not heir and attempt.has_acquired:
                    attempt.has_acquired, heir.has_acquired = False, True

    def mark_deleted(self, key: model.SandboxKey) -> bool:
        """End the ADDs of a sandbox that is being deleted; return whether there were any."""
        with self._guard:
            attempts = self._under_way.get(key, [])
            for attempt in attempts:
                attempt.mark_deleted()
            return bool(attempts)
