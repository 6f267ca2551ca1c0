"""Claims that wait until a pass of the sweep shows whether an EIP that the cloud does not show is gone."""

import threading
from collections.abc import Callable

from ipamd.kube.watch import Key


class SweepWaits:
    """Invariant: it has each key that was added and not woken since.

    Thread safety: any thread may call any method.
    """

    def __init__(self, wake: Callable[[Key], object]) -> None:
        """Take what has a key looked at again."""
        self._wake = wake
        self._lock = threading.Lock()
        self._keys: set[Key] = set()

    def add(self, key: Key) -> None:
        """Have the key woken by the next pass that is believed."""
        with self._lock:
            self._keys.add(key)

    def wake(self) -> None:
        """Have all that waits looked at again."""
        with self._lock:
            keys, self._keys = self._keys, set()
        for key in keys:
            self._wake(key)
