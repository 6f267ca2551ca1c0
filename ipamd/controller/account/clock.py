"""Whether the wall clock of this process can be believed: compared with the cloud's (Date of its answers).

A claim that is kept expires by the wall clock, as only that goes on while no controller runs. One that is
days ahead would delete them all at once. So the date when a Pod was missed is written, and claims are deleted
for their age, only while both clocks agree.
Thread safety: any thread may call any method.
"""

import logging
import threading
from collections.abc import Callable

from ipamd.controller.events import Tell

log = logging.getLogger(__name__)

MOST_APART = 120.0
"""Seconds; the cloud refuses signatures at 300, and a Date may be as old as the answer was slow."""


class ClockChecks:
    """Compares two clocks whenever it is asked, and tells once when they fall apart."""

    def __init__(self, wall: Callable[[], float], cloud_time: Callable[[], float | None], tell: Tell) -> None:
        """Take our clock and the cloud's (None: not seen yet), and who tells what concerns the cluster."""
        self._wall = wall
        self._cloud_time = cloud_time
        self._tell = tell
        self._lock = threading.Lock()
        self._doubted = False

    def doubt(self) -> str:
        """Return why our clock is not believed; empty when it is."""
        cloud = self._cloud_time()
        if cloud is None:
            return "no answer of the cloud has said what time it is"
        ahead = self._wall() - cloud
        doubted = abs(ahead) > MOST_APART
        with self._lock:
            news, self._doubted = doubted and not self._doubted, doubted
        if not doubted:
            return ""
        side = "ahead of" if ahead > 0 else "behind"
        said = (
            f"the controller's clock is {side} the cloud's by more than {MOST_APART:g} s: no kept claim "
            "expires until they agree; set the clock of the controller's node"
        )
        if news:
            log.warning("%s (%.0f s)", said, ahead)
            self._tell("Warning", "ClockDoubted", said)
        return said
