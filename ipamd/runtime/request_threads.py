"""Threads that serve requests: a few at once, and one more for each request that waits.

Few threads are enough for requests that compute, and more only make them take turns. But a request may wait
for long: for an address, for another request's lock, for an answer of the API server. Where it does, the code
says so (`waits`), on whatever thread it runs, and from then on its thread does not count: another one serves
the rest. Where nobody has said so, `relieve` notices that no request ends while others are queued.
"""

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task

RELIEF_SECONDS: Final = 0.1
"""How long nothing may end, with requests in the queue, until one more thread serves."""

Job = Callable[[], None]
_of_thread = threading.local()


class RequestThreads:
    """Invariant: at most `most` threads; more than `count` of them only while some wait, or nothing ends.

    Thread safety: any thread may call any method.
    """

    def __init__(self, name: str, *, count: int, most: int) -> None:
        """Take how many requests are served at once, and how many there may be with those that wait."""
        self._name = name
        self._count = count
        self._most = most
        self._guard = threading.Lock()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._tasks: dict[int, Task] = {}
        self._made = 0
        self._queued = 0
        self._idle = 0
        self._serving = 0
        """Threads that do not wait inside a request: those that are idle, too."""
        self._extra = 0
        """Threads that serve besides because nothing ended, until something does."""
        self._ended = 0
        self._closed = False
        self._seen = (0, 0.0)

    def submit(self, job: Job) -> None:
        """Have a job done, in the order of coming; nothing after `stop`."""
        with self._guard:
            if self._closed:
                return
            self._queued += 1
            made = self._another_if_needed()
        self._jobs.put(job)
        self._start(made)

    def backlog(self) -> int:
        """Return how many jobs nobody has begun."""
        return self._queued

    def relieve(self, now: float) -> float:
        """Let one more thread serve if none has got anywhere; return in how many seconds to ask again.

        For one thread, which asks all the time. `now` is monotonic. Infinite while nothing is queued.
        """
        if not self._queued:
            self._seen = (0, 0.0)
            return math.inf
        with self._guard:
            ended, since = self._seen
            made = None
            if not since or ended != self._ended:
                self._seen = (self._ended, now)
            elif now - since >= RELIEF_SECONDS:
                made = self._another()
                self._extra += made is not None
                self._seen = (self._ended, now)
        self._start(made)
        return RELIEF_SECONDS

    def stop(self, timeout: float) -> bool:
        """Begin no further job, wait for those that run; return whether all have ended."""
        deadline = Deadline.after(timeout, time.monotonic)
        with self._guard:
            self._closed = True
            tasks = list(self._tasks.values())
        for task in tasks:
            task.stopping.set()
        self._jobs.put(None)
        ended = [
            task.join(deadline.remaining()) for task in tasks
        ]  # all are asked: who has ended is forgotten
        return all(ended)

    @contextlib.contextmanager
    def _apart(self) -> Iterator[None]:
        """Have the calling thread not count inside the block."""
        with self._guard:
            self._serving -= 1
            made = self._another_if_needed()
        self._start(made)
        try:
            yield
        finally:
            with self._guard:
                self._serving += 1

    def _another_if_needed(self) -> Task | None:
        if self._queued > self._idle and self._serving < self._count:
            return self._another()
        return None

    def _another(self) -> Task | None:
        """Return a thread to be started, if there may be one more."""
        if len(self._tasks) >= self._most or self._closed:
            return None
        number, self._made = self._made, self._made + 1
        task = Task(self._name, lambda: self._serve(number), policy=_POLICY, number=number)
        self._tasks[number] = task
        self._serving += 1
        return task

    def _start(self, task: Task | None) -> None:
        if task is None:
            return
        try:
            task.start()
        except RuntimeError:  # the node has no room for one more thread: the others do its work
            with self._guard:
                self._serving -= 1
                self._tasks = {number: each for number, each in self._tasks.items() if each is not task}

    def _serve(self, number: int) -> bool:
        """Do one job; return whether the thread is to go on."""
        with self._guard:
            if self._serving > self._count + self._extra:
                self._serving -= 1
                del self._tasks[number]
                return False
            self._idle += 1
        try:
            job = self._jobs.get()
        finally:
            with self._guard:
                self._idle -= 1
        if job is None:
            self._jobs.put(None)  # for the next who waits
            return False
        with self._guard:
            self._queued -= 1
        _of_thread.threads = self
        try:
            job()
        finally:
            _of_thread.threads = None
            with self._guard:
                self._ended += 1
                self._extra = max(0, self._extra - 1)
        return True


_POLICY: Final = Survive(backoff=Backoff(first=0.1, longest=1.0))
"""The next request is another one, and must not wait."""


@contextlib.contextmanager
def waits() -> Iterator[None]:
    """Say that the request of this thread waits inside the block; nothing on a thread that serves none.

    A block inside another one changes nothing.
    """
    threads: RequestThreads | None = getattr(_of_thread, "threads", None)
    if threads is None:
        yield
        return
    _of_thread.threads = None
    try:
        with threads._apart():  # noqa: SLF001 - of this module
            yield
    finally:
        _of_thread.threads = threads
