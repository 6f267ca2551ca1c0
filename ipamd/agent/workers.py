"""A few threads that execute slow jobs (cloud calls) one after the other.

Unlike the executor of the standard library its threads do not keep the process alive: a cloud call may last a
minute, a stop may not, and everything that a job does is safe to be cut off and resumed by the next start.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Workers:
    """Threads for jobs. Thread safety: any thread may submit; `stop` is for one."""

    def __init__(self, count: int, name: str) -> None:
        """Take how many jobs may run at once, and the name of the threads; `start` starts them."""
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Start the threads; what was submitted before is begun now."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Have the job executed; it must handle its own errors."""
        self._jobs.put(job)

    def stop(self, timeout: float) -> bool:
        """Begin no further job and wait for those that run; return whether all have ended."""
        end = time.monotonic() + timeout
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait()
        for _ in self._threads:
            self._jobs.put(None)
        started = [thread for thread in self._threads if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in started)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:  # a worker outlives the defect of a job
                log.exception("a job failed in %s", threading.current_thread().name)
