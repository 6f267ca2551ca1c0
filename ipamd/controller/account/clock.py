"""Whether the wall clock of this process can be believed: compared with the cloud's (Date of its answers).

A claim that is kept expires by the wall clock, as only that goes on while no controller runs. One that is
days ahead would delete them all at once. So the date when a Pod was missed is written, and claims are deleted
for it, only while both clocks agree. Else, and where no answer of the cloud has a date, claims expire by what
this process has counted itself (`ipamd.core.claim.expiry`). The API server's Date is no witness: it may be of
the same machine, or a proxy's.
Thread safety: any thread may call any method.
"""

import logging
import threading
from collections.abc import Callable
from enum import Enum

from ipamd.controller.events import Tell

log = logging.getLogger(__name__)

MOST_APART = 120.0
"""Seconds; the cloud refuses signatures at 300, and a Date may be as old as the answer was slow."""
PATIENCE = 300.0
"""Seconds without a date of the cloud until it is told: the first answers come sooner."""
_TOLD_AGAIN = 3600.0
"""Seconds; the API server forgets Events after about an hour."""
_COUNTED = "kept claims expire only when this controller has itself missed their Pods for all of their time"


class Agreement(Enum):
    """What the comparison of the two clocks has given; the values are labels of a metric."""

    AGREED = "agreed"
    APART = "apart"
    UNKNOWN = "unknown"
    """No answer of the cloud had a date."""


class ClockChecks:
    """Compares two clocks whenever it is asked, and tells when they fall apart, or one cannot be read."""

    def __init__(
        self,
        wall: Callable[[], float],
        cloud_time: Callable[[], float | None],
        tell: Tell,
        *,
        steady: Callable[[], float],
    ) -> None:
        """Take our clock and the cloud's (None: not seen yet), and who tells what concerns the cluster.

        `steady` is a clock that nobody sets.
        """
        self._wall = wall
        self._cloud_time = cloud_time
        self._tell = tell
        self._steady = steady
        self._lock = threading.Lock()
        self._state = Agreement.AGREED
        self._tell_at = 0.0

    @property
    def state(self) -> Agreement:
        """What the last look of `doubt` has given."""
        with self._lock:
            return self._state

    def doubt(self) -> str:
        """Return why our clock is not believed; empty when it is."""
        cloud = self._cloud_time()
        ahead = 0.0 if cloud is None else self._wall() - cloud
        if cloud is None:
            state, reason = Agreement.UNKNOWN, "CloudTimeUnknown"
            said = (
                f"no answer of the cloud has said what time it is (HTTP header Date): {_COUNTED}; let what "
                "stands between controller and cloud pass that header on"
            )
        elif abs(ahead) > MOST_APART:
            state, reason = Agreement.APART, "ClockDoubted"
            side = "ahead of" if ahead > 0 else "behind"
            said = (
                f"the controller's clock is {side} the cloud's by more than {MOST_APART:g} s: {_COUNTED}; "
                "set the clock of the controller's node"
            )
        else:
            state, reason, said = Agreement.AGREED, "", ""
        if self._news(state):
            log.warning("%s%s", said, f" ({ahead:.0f} s)" if ahead else "")
            self._tell("Warning", reason, said)
        return said

    def _news(self, state: Agreement) -> bool:
        """Note the state; return whether it is to be told now."""
        now = self._steady()
        with self._lock:
            if state is not self._state:
                self._state = state
                self._tell_at = now + (PATIENCE if state is Agreement.UNKNOWN else 0.0)
            due = state is not Agreement.AGREED and now >= self._tell_at
            if due:
                self._tell_at = now + _TOLD_AGAIN
            return due
