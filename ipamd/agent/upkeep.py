"""What is done again and again: compare the kernel, the store and the cloud, and mend what differs.

Each part of a round stands for itself: one that fails is logged and does not keep the others from their turn.
Thread safety: the rounds have a thread of their own; the reading methods may be called from any thread.
"""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.announcing import Announcer
from ipamd.agent.cloud_check import CloudCheck
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pending import PendingDeletes
from ipamd.agent.repairing import Found, Repairing
from ipamd.agent.starting import Reconciler
from ipamd.agent.sweeping import Sweeping
from ipamd.core.deadline import Deadline
from ipamd.core.errors import IpamError
from ipamd.net.dataplane import DataPlane

log = logging.getLogger(__name__)

_SPREAD = 0.1
"""Part of the interval that is left to chance: nodes that were started at one moment drift apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepParts:
    """Who does what."""

    dataplane: DataPlane
    primary_mac: str
    direct_cidrs: tuple[str, ...]
    enis: NodeEnis
    reconciler: Reconciler
    repairing: Repairing
    sweeping: Sweeping
    pending: PendingDeletes
    announcer: Announcer
    cloud_check: CloudCheck
    nudge: Callable[[], None]
    """Has pool and binder look again."""


class Upkeep:
    """Keeps kernel, store and cloud in step.

    Invariant: `_drift` says what is wrong with the node's own network since the last round; `_begun` and
    `_ended` count rounds of the thread; `_connected` and `_removed` only grow.
    """

    def __init__(self, parts: UpkeepParts, *, interval: float) -> None:
        """Take the parts and the seconds between two rounds."""
        self._parts = parts
        self._interval = interval
        self._drift: dict[str, str] = {}
        self._cut_off: dict[str, str] = {}
        self._connected = 0
        self._removed = 0
        self._wanted = threading.Event()
        self._progress = threading.Condition()
        self._begun = 0
        self._ended = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin the rounds."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the rounds."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def round_now(self, deadline: Deadline) -> bool:
        """Have a round made that begins now or later, with a look at the cloud; whether it ended in time."""
        with self._progress:
            wanted = self._begun + 1
            self._parts.cloud_check.hasten()
            self._wanted.set()
            return self._progress.wait_for(lambda: self._ended >= wanted, deadline.remaining())

    def drift(self) -> list[str]:
        """Return what is wrong with the node's network and could not be mended."""
        return list(self._drift.values())

    def cut_off(self) -> list[str]:
        """Return one sentence for each Pod without a link that still exists."""
        return list(self._cut_off.values())

    def repairs(self) -> dict[str, int]:
        """Return how often since the start something that others had done was mended, by what it was."""
        return {
            "node": self._parts.dataplane.mended,
            "pod": self._connected,
            "leftover": self._removed,
            "eip": self._parts.cloud_check.unbound,
        }

    def round(self) -> None:
        """Make one round now, on the caller's thread: before the first request is served."""
        parts = self._parts
        self._attempt("node", lambda: parts.dataplane.ensure_node(parts.primary_mac, parts.direct_cidrs))
        self._attempt("ENIs", self._mend_enis)
        if parts.cloud_check.is_due:
            self._attempt("cloud", parts.cloud_check.look)
        self._attempt("addresses", parts.cloud_check.report)
        if parts.reconciler.is_settled:
            # Before that, every Pod of a lost store would look like something that nobody owns.
            self._attempt("Pods", self._repair)
            self._attempt("queued DELs", parts.pending.drain)
        parts.nudge()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait(self._interval * (1 - _SPREAD * random.random()))  # noqa: S311 - no secret
            self._wanted.clear()
            if not self._stopping.is_set():
                with self._progress:
                    self._begun += 1
                self.round()
                with self._progress:
                    self._ended = self._begun
                    self._progress.notify_all()

    def _attempt(self, what: str, work: Callable[[], object]) -> None:
        try:
            work()
        except IpamError as e:
            if self._drift.get(what) != e.message:
                log.error("upkeep of %s failed: %s", what, e)  # noqa: TRY400 - the message says it all
            self._drift[what] = e.message
        except Exception as e:  # the other parts and the next round must have their turn
            log.exception("upkeep of %s failed by a defect", what)
            self._drift[what] = f"a defect of the agent: {type(e).__name__}: {e}"
        else:
            self._drift.pop(what, None)

    def _mend_enis(self) -> None:
        if self._parts.enis.mend():
            # An ENI is usable again: what was put in quarantine with it is looked at now.
            self._parts.cloud_check.hasten()

    def _repair(self) -> None:
        found = self._parts.repairing.repair()
        self._connected += found.mended
        self._removed += found.removed
        self._parts.sweeping.sweep(found.cut_off)
        self._report(found)

    def _report(self, found: Found) -> None:
        cut_off = {}
        for address in found.cut_off:
            if address.pod is None or self._parts.sweeping.is_unknown(address):
                continue
            message = f"the link of {address.ip} is gone from the node"
            if address.ip not in self._cut_off:
                log.warning("Pod %s: %s", address.pod, message)
                text = f"{message}; the Pod needs a new sandbox"
                self._parts.announcer.warning(address.pod, "NetworkLost", text)
            cut_off[address.ip] = f"Pod {address.pod}: {message}"
        self._cut_off = cut_off
