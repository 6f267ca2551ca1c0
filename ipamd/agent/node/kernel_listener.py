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
from ipamd.core.timing.allowance import Allowance
from ipamd.net.kernel_watch import KernelWatch
from ipamd.net.notices import LINK

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
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._watch: KernelWatch | None = None
        self._thread = threading.Thread(target=self._run, name="kernel-listening", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End it."""
        self._stopping.set()
        with self._changing:
            if self._watch is not None:
                self._watch.interrupt()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._watching() as watch:
                    # What was changed before is not told.
                    self._wake()
                    self._listen(watch)
            except IpamError as e:
                log.warning("changes in the kernel are noticed only at each --repair-interval: %s", e)
                self._stopping.wait(_AGAIN_SECONDS)
            except Exception:  # a thread that ends would be missed by nobody
                log.exception("listening to the kernel failed by a defect and begins again")
                self._stopping.wait(_AGAIN_SECONDS)

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
        allowance = Allowance.full(_BURST, _PERIOD, time.monotonic())
        while not self._stopping.is_set():
            reasons = [reason for reason in watch.wait() if self._matters(reason)]
            if not reasons:
                continue
            pause = allowance.wait(time.monotonic())
            if pause:
                self._stopping.wait(pause)
                reasons += watch.wait(0.0)
            allowance = allowance.used(time.monotonic())
            log.debug("changed in the kernel by somebody: %s", ", ".join(dict.fromkeys(reasons)))
            self._wake()
