"""What was refused and is not asked for again for a while: a subnet, an ENI, the creation of ENIs.

A refusal that only time or a person lifts (full, quota, permission, money) closes its subject for the window
of its kind; any other failure for a back-off that grows while it repeats. A success opens it again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.core.errors import CloudError, CloudErrorKind, IpamError
from ipamd.core.timing.backoff import Backoff

_BACKOFF = Backoff(first=1.0, longest=30.0)


@dataclass(frozen=True, slots=True)
class _Closure:
    until: float
    error: IpamError
    failures: int


class Closures:
    """Refusals by subject. Thread safety: any thread may call any method."""

    def __init__(self, *, clock: Callable[[], float], random: Callable[[], float]) -> None:
        """Take a clock in seconds and a source of floats in [0, 1)."""
        self._clock = clock
        self._random = random
        self._guard = threading.Lock()
        self._closed: dict[str, _Closure] = {}

    def failed(self, subject: str, error: IpamError) -> float:
        """Close the subject because of a failure; return for how many seconds."""
        with self._guard:
            before = self._closed.get(subject)
            failures = before.failures + 1 if before else 1
            window = error.kind.policy.retry_after if isinstance(error, CloudError) else 0.0
            pause = window or _BACKOFF.delay(failures, self._random)
            self._closed[subject] = _Closure(self._clock() + pause, error, failures)
            return pause

    def succeeded(self, subject: str) -> None:
        """Open the subject and forget its failures."""
        with self._guard:
            self._closed.pop(subject, None)

    def is_closed(self, subject: str) -> bool:
        """Whether the subject is not to be asked for now."""
        with self._guard:
            closure = self._closed.get(subject)
            return closure is not None and closure.until > self._clock()

    def error(self, subject: str) -> IpamError | None:
        """Return the last failure of the subject, None after a success."""
        with self._guard:
            closure = self._closed.get(subject)
            return closure.error if closure else None

    def errors(self) -> dict[str, IpamError]:
        """Return the last failure of each subject that has failed since its last success."""
        with self._guard:
            return {subject: closure.error for subject, closure in self._closed.items()}

    def relieve(self, kind: CloudErrorKind) -> None:
        """Open what was refused for this reason: something has just made room."""
        with self._guard:
            self._closed = {
                subject: closure
                for subject, closure in self._closed.items()
                if not (isinstance(closure.error, CloudError) and closure.error.kind is kind)
            }

    def keep_only(self, subjects: set[str]) -> None:
        """Forget every other subject: it does not exist any more."""
        with self._guard:
            self._closed = {s: c for s, c in self._closed.items() if s in subjects}
