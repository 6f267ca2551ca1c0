"""What has failed and is not tried again for a while, by subject: an object of the cloud, a claim, an action.

A failure keeps its subject for the window of its kind, if it is one that only time or a person lifts; any
other for a back-off that grows while it repeats. A success forgets it. Where several things are done to a
subject, one that has failed does not hold up the others: what could not be bound can be let go.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError
from ipamd.core.timing.backoff import Backoff

_BACKOFF = Backoff(first=1.0, longest=30.0)


@dataclass(frozen=True, slots=True)
class _Failure:
    until: Mapping[str, float]
    """When each thing that was done to the subject, and failed, may be tried again."""
    what: str
    """What failed last."""
    error: IpamError
    in_a_row: int


class FailureCache:
    """Invariant: a subject is here exactly from a failure to its next success, or until it is left out.

    Thread safety: any thread may call any method.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        backoff: Backoff = _BACKOFF,
    ) -> None:
        """Take a clock in seconds, what gives floats in [0, 1), and how others are backed off from."""
        self._clock = clock
        self._random = random
        self._backoff = backoff
        self._guard = threading.Lock()
        self._failures: dict[str, _Failure] = {}

    def failed(self, subject: str, error: IpamError, what: str = "") -> float:
        """Keep a failure of what was done; return for how many seconds that is not to be tried again."""
        with self._guard:
            before = self._failures.get(subject)
            in_a_row = before.in_a_row + 1 if before else 1
            window = error.kind.policy.retry_after if isinstance(error, CloudError) else 0.0
            pause = window or self._backoff.delay(in_a_row, self._random)
            until = {**(before.until if before else {}), what: self._clock() + pause}
            self._failures[subject] = _Failure(until, what, error, in_a_row)
            return pause

    def succeeded(self, subject: str) -> None:
        """Forget the subject's failures."""
        with self._guard:
            self._failures.pop(subject, None)

    def is_closed(self, subject: str, what: str = "") -> bool:
        """Whether this is not to be tried now for the subject."""
        with self._guard:
            failure = self._failures.get(subject)
            return failure is not None and what in failure.until and failure.until[what] > self._clock()

    def error(self, subject: str) -> IpamError | None:
        """Return the last failure of the subject, None after a success."""
        with self._guard:
            failure = self._failures.get(subject)
            return failure.error if failure else None

    def errors(self) -> dict[str, IpamError]:
        """Return the last failure of each subject that has failed since its last success."""
        with self._guard:
            return {subject: failure.error for subject, failure in self._failures.items()}

    def told(self) -> dict[str, str]:
        """Return for people why each subject failed, what to do, and when it is tried again."""
        with self._guard:
            now = self._clock()
            return {subject: _told(failure, now) for subject, failure in self._failures.items()}

    def relieve(self, kind: CloudErrorKind) -> None:
        """Forget what failed for this reason: something has just lifted it."""
        with self._guard:
            self._failures = {
                subject: failure
                for subject, failure in self._failures.items()
                if not (isinstance(failure.error, CloudError) and failure.error.kind is kind)
            }

    def keep_only(self, subjects: Collection[str]) -> None:
        """Forget every other subject: it does not exist any more."""
        with self._guard:
            self._failures = {s: f for s, f in self._failures.items() if s in subjects}


def _told(failure: _Failure, now: float) -> str:
    left = failure.until[failure.what] - now
    return f"{failure.error}; again in {left:.0f} s" if left >= 1 else f"{failure.error}; again at once"
