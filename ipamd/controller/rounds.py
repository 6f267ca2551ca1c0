"""Work that the leader does now and then beside its queue, in a thread of its own: rounds.

A round looks at everything and says in how many seconds the next is due; a nudge brings it forward. Nudges
that come in a burst make one round, and two rounds are `pause` seconds apart, so whatever a round costs or
writes is bounded. What goes wrong ends the round, not the thread: the next comes after a growing delay. That
holds for a Lease that is not believed in at the moment, too: only `stop` ends the thread.
"""

import logging
import random
import threading
from collections.abc import Callable

from ipamd.core.errors import CloudError, IpamError
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.leases import NotLeaderError

log = logging.getLogger(__name__)


class Rounds:
    """Invariant: at most one round runs, and none begins after `stop`.

    Thread safety: `start` and `stop` are for one thread each; `nudge` is for all, and returns at once.
    """

    def __init__(
        self, name: str, work: Callable[[], float], *, pause: float, backoff: Backoff | None = None
    ) -> None:
        """Take what a round does; it returns the seconds until the next one."""
        self._name = name
        self._work = work
        self._pause = pause
        self._backoff = backoff or Backoff(first=2.0, longest=300.0)
        self._nudged = threading.Event()
        self._stopping = threading.Event()
        self._told: object = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start with a round at once."""
        self._thread.start()

    def nudge(self) -> None:
        """Bring the next round forward."""
        self._nudged.set()

    def stop(self, timeout: float) -> bool:
        """Let the round end that runs; return whether it has within `timeout` seconds."""
        self._stopping.set()
        self._nudged.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._nudged.clear()
            try:
                wait = self._work()
            except NotLeaderError as e:  # a late renewal may yet succeed; who has lost for good is stopped
                failures += 1
                wait = self._backoff.delay(failures, random.random)
                log.debug("%s: left to the leader: %s; again in %.0f s", self._name, e, wait)
            except IpamError as e:
                failures += 1
                wait = self._backoff.delay(failures, random.random)
                self._tell(e, wait)
            except Exception:  # a defect must not end the thread for the rest of the leader's time
                failures += 1
                wait = self._backoff.delay(failures, random.random)
                log.exception("%s failed unexpectedly; again in %.0f s", self._name, wait)
            else:
                failures, self._told = 0, None
            if failures:
                self._stopping.wait(wait)  # whatever changes meanwhile does not mend what failed
            elif not self._stopping.wait(self._pause):
                self._nudged.wait(max(0.0, wait - self._pause))

    def _tell(self, error: IpamError, wait: float) -> None:
        """Say it once, as long as it is the same: a missing permission stays for days."""
        same = (type(error), error.action, error.code) if isinstance(error, CloudError) else str(error)
        if same == self._told:
            log.debug("%s: %s; again in %.0f s", self._name, error, wait)
            return
        self._told = same
        lasting = isinstance(error, CloudError) and error.kind.policy.needs_operator
        until = "it is tried again now and then" if lasting else f"again in {wait:.0f} s"
        log.warning("%s: %s; %s", self._name, error, until)
