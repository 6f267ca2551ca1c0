"""How many may do something at once; one more is refused, and does not wait."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from ipamd.core.errors import IpamError


class ConcurrencyLimit:
    """Invariant: at most `count` slots are taken. Thread safety: any thread may call any method."""

    def __init__(self, count: int) -> None:
        """Take how many slots there are."""
        self.count = count
        self._free = threading.BoundedSemaphore(count)

    @contextlib.contextmanager
    def slot(self, refusal: Callable[[], IpamError]) -> Iterator[None]:
        """Have a slot inside the block; the `refusal` is raised at once when all are taken."""
        if not self._free.acquire(blocking=False):
            raise refusal()
        try:
            yield
        finally:
            self._free.release()
