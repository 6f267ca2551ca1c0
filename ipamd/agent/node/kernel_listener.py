"""Has the kernel repaired as soon as somebody else changes what is ours; the interval is the safety net.

Changes come in heaps (a flush of rules is one message for each), so a little is waited for more. A
foreigner that undoes every repair must not keep the node busy: some rounds may follow each other at once,
and then one for every few seconds. Thread safety: a thread of its own; any thread may start and stop it.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Final

from ipamd.core.errors import IpamError
from ipamd.core.timing.token_bucket import TokenBucket
from ipamd.net.kernel_watch import KernelWatch
from ipamd.net.notices import LINK
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task

log = logging.getLogger(__name__)

_BURST: Final = 5
_PERIOD: Final = 5.0
_AGAIN_SECONDS: Final = 10.0


class KernelListener:
    """Calls `wake` for what the kernel tells.

    Invariant: `_watch` is open as long as it is there; it is changed and interrupted under `_changing` only.
    """

    def __init__(self, wake: Callable[[], None], links: Callable[[], Collection[str]]) -> None:
        """Take what has a round made, and what gives the names of our links: those of sandboxes and ENIs."""
        self._wake = wake
        self._links = links
        self._changing = threading.Lock()
        self._watch: KernelWatch | None = None
        self._task = Task("kernel-listening", self._work, policy=Survive())

    def start(self) -> None:
        """Begin to listen."""
        self._task.start()

    def stop(self, timeout: float) -> bool:
        """End it; return whether it has ended in time."""
        self._task.stopping.set()
        with self._changing:
            if self._watch is not None:
                self._watch.interrupt()
        return self._task.join(timeout)

    def _work(self) -> bool:
        """Listen until the stop, or until it fails; the next piece of work listens anew."""
        try:
            with self._watching() as watch:
                # What was changed before is not told.
                self._wake()
                self._listen(watch)
        except IpamError as e:
            log.warning("changes in the kernel are noticed only at each --repair-interval: %s", e)
            self._task.stopping.wait(_AGAIN_SECONDS)
        return True

    def _matters(self, reason: str) -> bool:
        """Whether it is not of a foreign link, or one that goes as it should, by DEL or with its sandbox."""
        kind, _, link = reason.partition(" ")
        return kind != LINK or link in self._links()

    @contextlib.contextmanager
    def _watching(self) -> Iterator[KernelWatch]:
        watch = KernelWatch()
        with self._changing:
            self._watch = watch
        try:
            yield watch
        finally:
            with self._changing:
                self._watch = None
                watch.close()

    def _listen(self, watch: KernelWatch) -> None:
        bucket = TokenBucket(rate=1 / _PERIOD, burst=_BURST)
        while not self._task.stopping.is_set():
            reasons = [reason for reason in watch.wait() if self._matters(reason)]
            if not reasons:
                continue
            pause = bucket.reserve(time.monotonic())
            if pause:
                self._task.stopping.wait(pause)
                reasons += watch.wait(0.0)
            log.debug("changed in the kernel by somebody: %s", ", ".join(dict.fromkeys(reasons)))
            self._wake()
