"""What has happened to the Pods of this node lately, gathered from what the agent sees and does.

It is memory only: after a restart it begins with what ledger, Pods and claims are then.
Thread safety: any thread may call any method; what listens to the agent's parts is quick.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ipamd import boot
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.history.changes import PodChange
from ipamd.core.history.events import PodEvent, PodMemory
from ipamd.core.history.recorder import PodRecorder
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.timing.boottime import Boottime

_DELETED: Final = "deleted"
_BEHIND: Final = 256
"""Events that a watcher may lag behind; further ones it misses."""
_STEPS: Final = {
    "FailedAddNetwork": "ADD",
    "FailedAssociateEIP": "bind",
    "FailedDisassociateEIP": "bind",
    "FailedAssignVpcIP": "address",
}
"""The step of what is told to a Pod as an Event, by its reason."""
_OF_LEDGER: Final = frozenset({"AssociatedEIP", "AssignedVpcIP"})
"""Reasons of Events about what the ledger has recorded first."""

Events = queue.SimpleQueue[PodEvent]


class PodHistory:
    """Invariant: `_memory` and `_recorder` are used under `_guard` only."""

    def __init__(self, node: str, *, clock: Callable[[], Boottime] = boot.clock) -> None:
        """Take the node's name and the clock of its times."""
        self._clock = clock
        self._guard = threading.Lock()
        self._memory = PodMemory()
        self._recorder = PodRecorder(node, self._memory)
        self._watchers: set[Events] = set()

    def begin(self, ledger: Ledger) -> None:
        """Take in what an earlier agent has left."""
        with self._guard:
            self._recorder.begin(ledger.addresses)

    def ledger_changed(self, transition: Transition, newest: Callable[[], Ledger]) -> None:
        """Take in what a change was about as it is in the newest ledger.

        That is read in turn, so that nothing older comes after it.
        """
        ips = (*(address.ip for address in transition.changed), *transition.forgotten)
        with self._guard:
            addresses = newest().addresses
            self._tell(self._recorder.ledger({ip: addresses.get(ip) for ip in ips}, self._clock()))

    def pod_changed(self, kind: str, pod: PodView) -> None:
        """Take in what the watch tells of a Pod."""
        with self._guard:
            self._tell(self._recorder.pod(pod, self._clock(), gone=kind == _DELETED))

    def claim_changed(self, kind: str, claim: Claim) -> None:
        """Take in what the watch tells of an EIPClaim."""
        with self._guard:
            self._tell(self._recorder.claim(claim, self._clock(), gone=kind == _DELETED))

    def pod_told(self, pod: str, reason: str, message: str, *, warning: bool) -> None:
        """Take in an Event about a Pod (namespace/name), unless the ledger has told the same."""
        if reason in _OF_LEDGER:
            return
        change = PodChange(pod=pod, step=_STEPS.get(reason, reason), text=message, failed=warning)
        self.note(change)

    def note(self, change: PodChange) -> None:
        """Take in what somebody has done."""
        with self._guard:
            self._tell(self._recorder.note(change, self._clock()))

    def of(self, pod: str) -> tuple[PodEvent, ...]:
        """Return what is remembered of a Pod (namespace/name), in order."""
        with self._guard:
            return self._memory.of(pod)

    @contextmanager
    def watched(self) -> Iterator[Events]:
        """Give a queue into which every event comes while the block lasts."""
        events: Events = queue.SimpleQueue()
        with self._guard:
            self._watchers.add(events)
        try:
            yield events
        finally:
            with self._guard:
                self._watchers.discard(events)

    def _tell(self, events: list[PodEvent]) -> None:
        for watcher in self._watchers:
            for event in events:
                if watcher.qsize() < _BEHIND:
                    watcher.put(event)
