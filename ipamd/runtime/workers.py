"""A few threads that do the jobs of one queue.

Unlike the executor of the standard library they do not keep the process alive: a call of the cloud may last a
minute, a stop may not, and everything that a job does is safe to be cut off and resumed by the next start.
A job whose defect means something to somebody (a key to be given back) tells that itself and raises it again.
"""

import queue
import time
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.defects import Policy, Survive
from ipamd.runtime.task import Task

OF_JOBS: Final = Survive(backoff=Backoff(first=0.1, longest=1.0))
"""For workers whose jobs back off by themselves: the next job is another one, and must not wait."""

J_co = TypeVar("J_co", covariant=True)
J = TypeVar("J")


class Source(Protocol[J_co]):
    """Where jobs come from."""

    def get(self) -> J_co | None:
        """Wait for a job and take it; None when it is closed."""

    def close(self) -> None:
        """Give no more jobs, and end all waits."""


class JobQueue:
    """Jobs in order of their coming. Thread safety: any thread may call any method."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def submit(self, job: Callable[[], None]) -> None:
        """Have a job done."""
        self._jobs.put(job)

    def get(self) -> Callable[[], None] | None:
        """Wait for a job and take it; None when it is closed."""
        job = self._jobs.get()
        if job is None:
            self._jobs.put(None)  # for the next who waits
        return job

    def close(self) -> None:
        """Drop the jobs that wait, and end all waits."""
        try:
            while True:
                self._jobs.get_nowait()
        except queue.Empty:
            self._jobs.put(None)


class Workers(Generic[J]):
    """Invariant: after `stop` has returned True no job runs.

    Thread safety: any thread may call any method.
    """

    def __init__(
        self, name: str, count: int, source: Source[J], work: Callable[[J], None], *, policy: Policy
    ) -> None:
        """Take how many jobs may run at once; `start` starts the threads."""
        self._source = source
        self._work = work
        self._tasks = [Task(name, self._do_one, policy=policy, number=number) for number in range(count)]

    def start(self) -> None:
        """Start the threads; jobs that wait are begun now."""
        for task in self._tasks:
            task.start()

    def stop(self, timeout: float) -> bool:
        """Begin no further job, wait for those that run; return whether all have ended."""
        deadline = Deadline.after(timeout, time.monotonic)
        for task in self._tasks:
            task.stopping.set()
        self._source.close()
        return all(task.join(deadline.remaining()) for task in self._tasks)

    def _do_one(self) -> bool:
        job = self._source.get()
        if job is None:
            return False
        self._work(job)
        return True


def do_job(job: Callable[[], None]) -> None:
    """Do a job of a `JobQueue`."""
    job()
