"""What was repaired on this node: told by WARNINGs, counted by code, and noticed when it does not stay.

Who takes away what is ours again and again (a network daemon, a firewall, a script) loses each time, and so
do the packets in between: that is worth a finding of its own. Thread safety: any thread may call any method.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Final

from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding
from ipamd.core.kernel.difference import Difference
from ipamd.runtime.metric import Metric, counters, gauge

log = logging.getLogger(__name__)

_AGAIN: Final = 5
"""How often the same thing has to be repaired to be called a fight."""
_SPAN: Final = 600.0
"""Seconds in which."""
_MOST: Final = 1000
"""Repairs that are remembered; counted are all."""


class RepairLog:
    """Invariant: `_recent` has the newest repairs, oldest first, each with its number and its time."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._clock = clock
        self._guard = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._recent: deque[tuple[int, float, Difference]] = deque(maxlen=_MOST)
        self._number = 0
        self._listeners: list[Callable[[Difference], None]] = []

    def on_repair(self, listener: Callable[[Difference], None]) -> None:
        """Have each repair told to `listener`, which must not wait; to be used before the first one."""
        self._listeners.append(listener)

    def note(self, difference: Difference) -> None:
        """Tell that a difference was found and made right."""
        log.warning("repaired: %s", difference)
        with self._guard:
            self._number += 1
            self._counts[difference.code.text] += 1
            self._recent.append((self._number, self._clock(), difference))
        for listener in self._listeners:
            listener(difference)

    @property
    def number(self) -> int:
        """How many repairs there were; `since` goes by it."""
        with self._guard:
            return self._number

    def since(self, number: int) -> list[Difference]:
        """Return what was repaired after so many repairs, as far as it is remembered."""
        with self._guard:
            return [difference for n, _, difference in self._recent if n > number]

    def fights(self) -> list[Finding]:
        """Return a finding for each thing that does not stay as it is made."""
        with self._guard:
            oldest = self._clock() - _SPAN
            recent = [difference for _, at, difference in self._recent if at >= oldest]
        times = Counter((difference.code, difference.subject) for difference in recent)
        return [
            Finding(
                code=FindingCode.REPAIRED_AGAIN,
                subject=subject,
                text=f"{code.text} was repaired {count} times in the last {_SPAN / 60:.0f} minutes: "
                f"{_last(recent, code, subject)}",
            )
            for (code, subject), count in times.items()
            if count >= _AGAIN
        ]

    def disturbances(self) -> list[str]:
        """Return the same, one sentence each."""
        return [str(finding) for finding in self.fights()]

    def metrics(self) -> Iterator[Metric]:
        """Yield how often what was repaired, and how much of it does not stay."""
        with self._guard:
            counts = dict(sorted(self._counts.items()))
        yield counters(
            "tke_eni_repairs_by_code", "Repairs by what was wrong (docs/findings.md).", "code", counts
        )
        yield gauge(
            "tke_eni_repairs_fought",
            "Things that are repaired again and again: somebody takes them away each time.",
            len(self.fights()),
        )


def _last(recent: list[Difference], code: FindingCode, subject: str) -> str:
    return next(d.text for d in reversed(recent) if (d.code, d.subject) == (code, subject))
