"""Workers that bring objects to where they should be, by key: one `WorkQueue`, one function.

A key's failure backs the key off and nobody else. A worker lets nothing escape: an expected error is told in
a line, a defect with its traceback, and counted.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ipamd.core.errors import IpamError
from ipamd.runtime.work_queue import WorkQueue
from ipamd.runtime.workers import OF_JOBS, Workers

log = logging.getLogger(__name__)

K = TypeVar("K", bound=tuple[str, str])
"""Namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How the work on one object ended."""

    requeue_after: float | None = None
    """Seconds until it is looked at again; None: only a change or the resync brings it back."""
    failed: bool = False
    """Whether to back off, by `requeue_after` at least."""


class ReconcileWorkers(Generic[K]):
    """Invariant: after `stop` has returned True no worker runs. Thread safety: any thread."""

    def __init__(
        self,
        name: str,
        count: int,
        queue: WorkQueue[K],
        reconcile: Callable[[K], Result],
        *,
        no_news: tuple[type[IpamError], ...] = (),
    ) -> None:
        """Take what to do with a key; errors of `no_news` are nothing to tell."""
        self._queue = queue
        self._reconcile = reconcile
        self._no_news = no_news
        self._workers = Workers(name, count, queue, self._work, policy=OF_JOBS)

    def start(self) -> None:
        """Start the threads."""
        self._workers.start()

    def stop(self, timeout: float) -> bool:
        """Let each worker end what it has begun; return whether all have within `timeout` seconds."""
        return self._workers.stop(timeout)

    def _work(self, key: K) -> None:
        try:
            self._settle(key, self._reconcile(key))
        except IpamError as e:
            delay = self._queue.failed(key)
            level = logging.DEBUG if isinstance(e, self._no_news) else logging.WARNING
            log.log(level, "%s/%s: %s; again in %.1f s", *key, e, delay)
        except Exception as e:
            delay = self._queue.failed(key)
            e.add_note(f"while looking at {'/'.join(key)}, which comes again in {delay:.1f} s")
            raise  # to be told and counted as any worker's
        finally:
            self._queue.done(key)

    def _settle(self, key: K, result: Result) -> None:
        if result.failed:
            self._queue.failed(key, at_least=result.requeue_after or 0.0)
            return
        self._queue.succeeded(key)
        if result.requeue_after is not None:
            self._queue.add_after(key, result.requeue_after)
