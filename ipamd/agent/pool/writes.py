"""The pool's cloud writes that are under way, one for each subject, and what the cloud refuses.

A subject is an ENI, or the creation of one. A few workers carry the writes out. What fails is closed for a
while, so that it is not asked again at once.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from ipamd import logs
from ipamd.agent.pool.executor import SubnetRefusedError
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime import chance
from ipamd.runtime.failure_cache import FailureCache
from ipamd.runtime.task import note_defect
from ipamd.runtime.workers import OF_JOBS, JobQueue, Workers, do_job

log = logging.getLogger(__name__)

CREATION: Final = "new ENI"
"""What the creation of an ENI is called where others are called by their id."""
_WORKERS = 4


class PoolWrites:
    """Invariant: a subject is in `_arriving` exactly while a worker has a write for it; under `_guard` only.

    Thread safety: any thread may call any public method.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take the clock of the pauses after failures."""
        self._listeners: list[Callable[[], None]] = []
        self._guard = threading.Condition()
        self._arriving: dict[str, int] = {}  # by subject: how many addresses it will bring
        self.growth = FailureCache(clock=clock, random=chance.fraction)
        self.returns = FailureCache(clock=clock, random=chance.fraction)
        """Of giving back: that an ENI must keep an address does not say that it cannot have another."""
        self._jobs = JobQueue()
        self._workers = Workers("pool-worker", _WORKERS, self._jobs, do_job, policy=OF_JOBS)

    def on_end(self, listener: Callable[[], None]) -> None:
        """Have `listener` hear of the end of each write; before the start."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Let the workers begin."""
        self._workers.start()

    def stop(self, timeout: float) -> bool:
        """Take no more; return whether what was under way has ended in so many seconds."""
        return self._workers.stop(timeout)

    def arriving(self) -> dict[str, int]:
        """Return what is under way: how many addresses each will bring to the pool, 0 for all else."""
        with self._guard:
            return dict(self._arriving)

    def activity(self) -> list[str]:
        """Return in words what is under way, and what was refused."""
        under_way = [
            f"{count} addresses for {what}" if count else f"a change of {what}"
            for what, count in self.arriving().items()
        ]
        errors = [*self.growth.errors().items(), *self.returns.errors().items()]
        return under_way + [f"{what}: {error.message}" for what, error in errors]

    def refusals(self) -> list[IpamError]:
        """Return what was refused, the cloud's own words first: they carry its code and RequestId."""
        return sorted(self.growth.errors().values(), key=lambda e: not isinstance(e, CloudError))

    def grow(self, subject: str, count: int, write: Callable[[], None]) -> None:
        """Hand a write that brings so many addresses to a worker, unless one for its subject is under way."""
        self._begin(subject, count, write, self.growth)

    def give_back(self, eni_id: str, write: Callable[[], None]) -> None:
        """Hand a write that gives back addresses of an ENI to a worker, on the same terms."""
        self._begin(eni_id, 0, write, self.returns)

    def _begin(self, subject: str, count: int, write: Callable[[], None], failures: FailureCache) -> None:
        with self._guard:
            if subject in self._arriving:
                return
            self._arriving[subject] = count
        self._jobs.submit(partial(self._carry_out, subject, write, failures))

    def _carry_out(self, subject: str, write: Callable[[], None], failures: FailureCache) -> None:
        with logs.about(eni="" if subject == CREATION else subject):
            self._attempt(subject, write, failures)

    def _attempt(self, subject: str, write: Callable[[], None], failures: FailureCache) -> None:
        try:
            write()
            failures.succeeded(subject)
        except SubnetRefusedError as e:
            # The next round creates the ENI in another subnet, if there is one.
            pause = self.growth.failed(e.subnet_id, e.cause)
            log.warning("pool, new ENI in %s: %s (there again in %.0f s)", e.subnet_id, e, pause)
        except IpamError as e:
            pause = failures.failed(subject, e)
            log.warning("pool, %s: %s (again in %.0f s)", subject, e, pause)
        except Exception as e:  # a worker must give its subject back
            log.exception("pool, %s: a defect", subject)
            note_defect()
            failures.failed(subject, IpamError(f"a defect of the agent: {type(e).__name__}"))
        finally:
            self._end(subject)

    @contextlib.contextmanager
    def turn(self, eni_id: str, deadline: Deadline) -> Iterator[None]:
        """Have an ENI's turn inside the block: the cloud takes one request at a time for an ENI.

        Raises: TryAgainError when it does not come in time.
        """
        with self._guard:
            if not self._guard.wait_for(lambda: eni_id not in self._arriving, deadline.remaining()):
                raise TryAgainError(f"another request for ENI {eni_id} is still under way")
            self._arriving[eni_id] = 0
        try:
            yield
        finally:
            self._end(eni_id)

    def _end(self, subject: str) -> None:
        with self._guard:
            del self._arriving[subject]
            self._guard.notify_all()
        for listener in self._listeners:
            listener()
