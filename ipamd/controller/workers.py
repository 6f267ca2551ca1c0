"""The threads that work the queue while this process leads, and the resync that brings everything back.

A worker lets nothing escape: an expected error backs the key off, an unexpected one too, with its traceback
in the log.
Thread safety: any thread may call any method.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from ipamd.controller.queueing import WorkQueue
from ipamd.controller.rests import Rest
from ipamd.core.errors import CloudError, TryAgainError
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.errors import KubeError
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.watch import Key

log = logging.getLogger(__name__)


class Workers:
    """Invariant: after `stop` has returned True no worker runs."""

    def __init__(
        self,
        queue: WorkQueue[Key],
        reconcile: Callable[[Key], Rest],
        *,
        number: int,
        keys: Callable[[], Iterable[Key]],
        resync: float,
    ) -> None:
        """Take what to do with a key, and all `keys` that are looked at every `resync` seconds."""
        self._queue = queue
        self._reconcile = reconcile
        self._keys = keys
        self._resync = resync
        self._stopping = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._work, name=f"worker-{n}", daemon=True) for n in range(number)),
            threading.Thread(target=self._bring_back, name="resync", daemon=True),
        ]

    def start(self) -> None:
        """Start the threads; the first resync comes at once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> bool:
        """Let each worker end what it has begun; return whether all have within `timeout` seconds."""
        self._stopping.set()
        self._queue.close()
        deadline = Deadline.after(timeout, time.monotonic)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(deadline.remaining())
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (key := self._queue.get()) is not None:
            try:
                self._settle(key, self._reconcile(key))
            except NotLeaderError as e:  # a late renewal may yet succeed; who has lost for good ends
                delay = self._queue.failed(key)
                log.debug("%s/%s is left to the leader: %s; again in %.1f s", *key, e, delay)
            except (KubeError, CloudError, TryAgainError) as e:
                delay = self._queue.failed(key)
                log.warning("%s/%s: %s; again in %.1f s", *key, e, delay)
            except Exception:  # a defect in one claim's case must not end the work on all others
                delay = self._queue.failed(key)
                log.exception("%s/%s failed unexpectedly; again in %.1f s", *key, delay)
            finally:
                self._queue.done(key)

    def _settle(self, key: Key, rest: Rest) -> None:
        if rest.failed:
            self._queue.failed(key, at_least=rest.after or 0.0)
            return
        self._queue.succeeded(key)
        if rest.after is not None:
            self._queue.add_after(key, rest.after)

    def _bring_back(self) -> None:
        while True:
            for key in self._keys():
                self._queue.add(key)
            if self._stopping.wait(self._resync):
                return
