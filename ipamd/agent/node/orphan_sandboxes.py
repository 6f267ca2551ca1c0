"""Frees what belonged to Pods that are gone without a DEL, and never on doubt.

A sandbox is ended only if three say so: for the watch its Pod is gone or has finished, for the API server
asked live too (UIDs compared), and the kernel has no link of it. A Pod that was force-deleted while its
containers still run therefore keeps its address until the runtime has stopped them.
Thread safety: `sweep` is for one thread at a time.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ipamd.agent.cni.delete import Delete
from ipamd.agent.pods.source import PodSource
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.errors import IpamError
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Address, Assigned
from ipamd.core.timing.deadline import Deadline

log = logging.getLogger(__name__)

_AT_ONCE = 5
"""Pods asked for in one sweep: it must not become a burst of requests after an outage."""
_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanSandboxes:
    """Looks for owners that are gone."""

    shared_ledger: SharedLedger
    pods: PodSource
    deleting: Delete
    cooldown: float

    def sweep(self, cut_off: Iterable[Address]) -> int:
        """End those of the given sandboxes, which had no link, whose Pods are gone; return how many."""
        if not self.pods.has_synced:
            return 0
        ended = 0
        # The kernel was looked at a while ago: who got a new sandbox since then is another one's business.
        current = self.shared_ledger.current.addresses
        for address in [a for a in cut_off if current.get(a.ip) == a and self.is_over(a)][:_AT_ONCE]:
            state = address.state
            if not isinstance(state, Assigned):
                continue
            try:
                if self._exists(state.pod):
                    continue
                log.warning("Pod %s is gone without a DEL: %s is freed", state.pod, address.ip)
                self.deleting.end(state.key, Deadline.after(_SECONDS, time.monotonic))
                ended += 1
            except IpamError as e:
                log.warning("whether Pod %s is gone is not known, %s stays: %s", state.pod, address.ip, e)
        return ended

    def end_holds(self, kind: str, pod: PodView) -> None:
        """Hear of a change of a Pod: one that is gone, going or has finished does not come back."""
        if kind == "deleted" or not pod.wants_sandbox:
            self._end_holds(pod.ref)

    def _end_holds(self, pod: model.PodRef) -> None:
        """End the hold for a Pod that is gone, going or has finished; one for its name goes on.

        A kubelet reports a Pod's end after the DEL of its sandbox, so at the DEL it still looked alive.
        """
        ended = self.shared_ledger.note(
            lambda shared_ledger: ledger.end_holds(
                shared_ledger, pod, self.cooldown, self.shared_ledger.now()
            )
        )
        for address in ended.changed:
            log.info("Pod %s does not come back, %s is held no more", pod, address.ip)

    def is_over(self, address: Address) -> bool:
        """Whether the watch does not know the address's Pod (any more), or knows that it has finished."""
        return self.pods.is_over(address.pod)

    def _exists(self, pod: model.PodRef) -> bool:
        live = self.pods.live(pod.namespace, pod.name, timeout=_SECONDS)
        return live is not None and live.ref == pod and not live.finished
