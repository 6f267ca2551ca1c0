"""What becomes of a defect (an exception that nobody expected) in a thread of a daemon.

A thread that ends by one is missed by nobody: its work is no longer done, and the process looks healthy. So
each thread says before it starts what its defects lead to, and what they have led to is counted.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ipamd.core.timing.backoff import Backoff

UNHEALTHY_AFTER: Final = 300.0
"""Seconds for which a thread has to fail by defects alone until its process is said to be sick.

A restart may mend it, and costs the node a moment without an agent: not for a defect that passes by itself.
"""
_SILENCE: Final = 150.0
"""Seconds without a further defect after which the piece of work that is being done is taken for a good one.

More than the longest pause, because a failing thread is quiet as well while it waits.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survive:
    """Log the defect, wait, and do the next piece of work; be unhealthy when nothing but defects comes."""

    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, longest=60.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndProcess:
    """Log the defect and end: what is left undone is dangerous, or only a new process can do it."""

    tell: Callable[[], None]
    """Has the process end; called on the thread, once."""


Policy = Survive | EndProcess
"""What a thread's defects lead to."""


@dataclass(frozen=True, slots=True)
class DefectRecord:
    """What has become of the work of one thread; times are monotonic, in seconds.

    Invariant: `since` and `latest` are the first and the last defect after the last success (or the last long
    time without one), None together when there was none.
    """

    total: int = 0
    in_a_row: int = 0
    since: float | None = None
    latest: float | None = None
    error: str = ""
    over: bool = False
    """Whether the thread has ended by a defect."""

    def failed(self, error: BaseException, now: float) -> "DefectRecord":
        """Return the record after a piece of work that ended by a defect."""
        anew = self.since is None or not self.is_failing(now)
        return dataclasses.replace(
            self,
            total=self.total + 1,
            in_a_row=1 if anew else self.in_a_row + 1,
            since=now if anew else self.since,
            latest=now,
            error=f"{type(error).__name__}: {error}",
        )

    def noted(self) -> "DefectRecord":
        """Return the record after a defect that the work has survived by itself: it goes on with the rest."""
        return dataclasses.replace(self, total=self.total + 1)

    def succeeded(self) -> "DefectRecord":
        """Return the record after a piece of work without a defect."""
        return self if self.since is None else DefectRecord(total=self.total)

    def ended(self) -> "DefectRecord":
        """Return the record of a thread that ended by its last defect."""
        return dataclasses.replace(self, over=True)

    def is_failing(self, now: float) -> bool:
        """Whether the last work ended by a defect, and what is done since may do so as well."""
        return self.over or (self.latest is not None and now - self.latest <= _SILENCE)

    def problem(self, now: float) -> str:
        """Return why a restart is due; empty while it is not."""
        if self.over:
            return f"it has ended by a defect: {self.error}"
        if self.since is None or self.latest is None or not self.is_failing(now):
            return ""
        if self.latest - self.since < UNHEALTHY_AFTER:
            return ""
        return f"it has failed {self.in_a_row} times in a row by a defect: {self.error}"
