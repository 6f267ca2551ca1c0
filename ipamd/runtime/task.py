"""A thread of a daemon: it has a name and a policy for defects, and nobody misses its end.

All threads that live as long as their daemon are tasks, or made of them (`loop`, `workers`). The tasks of
a process are known here, as its threads are to the interpreter: the liveness probe and the metrics ask.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ipamd.runtime import chance, failpoints
from ipamd.runtime.clock import SYSTEM, Clock
from ipamd.runtime.defects import DefectRecord, EndProcess, Policy
from ipamd.runtime.metric import Metric, counters, gauges

log = logging.getLogger(__name__)

_guard = threading.Lock()
_running: set["Task"] = set()
_defects: Counter[str] = Counter()
"""By name, of all tasks that there were: a counter must not fall when one ends."""
_current = threading.local()


class Task:
    """A thread that does one piece of work after the other until there is none, or until it is stopped.

    Invariant: the thread ends only after `stop`, when `work` says that it was the last piece, or as its
    policy says; it is among `running()` from `start` to such an end; if it ended by a defect, until `stop`.
    Thread safety: any thread may call any method.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], bool],
        *,
        policy: Policy,
        number: int | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """Take what does a piece of work, which it may wait for, and returns whether there may be more.

        `number` tells several tasks of one name apart.
        """
        self.name = name
        self.policy = policy
        self.stopping = threading.Event()
        """Set from `stop` on: who waits in a piece of work ends it."""
        self._work = work
        self._clock = clock
        self._record = DefectRecord()
        thread_name = name if number is None else f"{name}-{number}"
        self._thread = threading.Thread(target=self._run, name=thread_name, daemon=True)

    def start(self) -> None:
        """Start the thread; RuntimeError when the node has no room for one more."""
        with _guard:
            _running.add(self)
        try:
            self._thread.start()
        except RuntimeError:
            with _guard:
                _running.discard(self)
            raise

    def stop(self, timeout: float | None) -> bool:
        """Have it end after the piece of work under way, wait for so many seconds; return whether it has."""
        self.stopping.set()
        return self.join(timeout)

    def join(self, timeout: float | None) -> bool:
        """Wait for its end; return whether it has come. One that was never started has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        ended = not self._thread.is_alive()
        if ended and self.stopping.is_set():
            with _guard:
                _running.discard(self)
        return ended

    @property
    def has_started(self) -> bool:
        """Whether `start` was called."""
        return self._thread.ident is not None

    @property
    def thread(self) -> threading.Thread:
        """The thread itself."""
        return self._thread

    @property
    def record(self) -> DefectRecord:
        """What has become of its work."""
        return self._record

    def problem(self) -> str:
        """Return why the process should be started anew for its sake; empty while it should not."""
        problem = self._record.problem(self._clock.now())
        return f"{self._thread.name}: {problem}" if problem else ""

    def is_failing(self) -> bool:
        """Whether its last work ended by a defect, not so long ago that the present one is a good one."""
        return self._record.is_failing(self._clock.now())

    def _run(self) -> None:
        _current.task = self
        more = True
        while more and not self.stopping.is_set():
            try:
                with failpoints.failpoint(f"{failpoints.LOOP}{self.name}"):
                    more = self._work()
            except BaseException as e:  # noqa: BLE001 - told and counted; an end would be missed by nobody
                if self._takes(e):
                    continue
                return
            self._record = self._record.succeeded()
        with _guard:
            _running.discard(self)

    def _takes(self, error: BaseException) -> bool:
        """Take a defect as the policy says; return whether to go on."""
        self._record = self._record.failed(error, self._clock.now())
        self._count()
        match self.policy:
            case EndProcess(tell=tell):
                log.critical("%s ends the process by a defect", self._thread.name, exc_info=error)
                self._record = self._record.ended()
                tell()
                return False
            case policy:
                pause = policy.backoff.delay(self._record.in_a_row, chance.fraction)
                log.error("%s failed by a defect; again in %.1f s", self._thread.name, pause, exc_info=error)
                self._clock.wait(self.stopping, pause)
                return True

    def note_defect(self) -> None:
        """Count a defect that the work survives by itself; it does not make the task a failing one."""
        self._record = self._record.noted()
        self._count()

    def _count(self) -> None:
        with _guard:
            _defects[self.name] += 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What is shown of the tasks of one name."""

    name: str
    defects: int
    """Since the start of the process."""
    failing: bool
    """Whether the last piece of work of one of them ended by a defect."""


def note_defect() -> None:
    """Count a defect that the calling task survives by itself, and which it has told.

    For who goes on with the next of several things. On a thread that is no task it is nobody's.
    """
    task: Task | None = getattr(_current, "task", None)
    if task is not None:
        task.note_defect()


def running() -> list[Task]:
    """Return the tasks of this process."""
    with _guard:
        return list(_running)


def seen() -> list[Seen]:
    """Return what is shown of the tasks of this process, by name."""
    tasks = running()
    with _guard:
        names = sorted({task.name for task in tasks} | set(_defects))
        return [
            Seen(
                name,
                defects=_defects[name],
                failing=any(task.name == name and task.is_failing() for task in tasks),
            )
            for name in names
        ]


def metrics() -> Iterator[Metric]:
    """Yield what is shown of the tasks of this process in numbers."""
    shown = seen()
    yield counters(
        "tke_eni_loop_defects",
        "Defects of the daemon's threads that were survived; the log has each with its traceback.",
        "loop",
        {each.name: each.defects for each in shown},
    )
    yield gauges(
        "tke_eni_loop_failing",
        "1 while the last work of a thread ended by a defect.",
        "loop",
        {each.name: int(each.failing) for each in shown},
    )


def problem() -> str:
    """Return why this process should be started anew, as its tasks see it; empty while it should not."""
    return "; ".join(sorted(filter(None, (task.problem() for task in running()))))
