"""The Pods whose links are gone from the node: told once each, to the log and to the Pod.

Thread safety: `report` is for one thread at a time, the rest for any.
"""

import logging
from collections.abc import Callable

from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.node.orphan_sandboxes import OrphanSandboxes
from ipamd.core.ledger.states import Address
from ipamd.core.model import PodRef

log = logging.getLogger(__name__)


class LostLinks:
    """Invariant: `cut_off` has the owners without link of the last report; those that exist are told."""

    def __init__(self, orphans: OrphanSandboxes, announcer: ClaimPublisher) -> None:
        """Take who knows which Pods are gone themselves, and who tells the others."""
        self._orphans = orphans
        self._announcer = announcer
        self._listeners: list[Callable[[], None]] = []
        self._told: dict[str, str] = {}
        self.cut_off: tuple[Address, ...] = ()
        """Addresses whose owner has no link any more."""

    def on_more(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after a report of links that were there before."""
        self._listeners.append(listener)

    def report(self, cut_off: tuple[Address, ...]) -> None:
        """Take in which addresses have an owner without link now."""
        before, self.cut_off = self.cut_off, cut_off
        told = {}
        for address in cut_off:
            if address.pod is None or self._orphans.is_over(address):
                continue
            message = f"the link of {address.ip} is gone from the node"
            if address.ip not in self._told:
                self._tell(address.pod, message)
            told[address.ip] = f"Pod {address.pod}: {message}"
        self._told = told
        if set(cut_off) - set(before):
            for listener in self._listeners:
                listener()

    def problems(self) -> list[str]:
        """Return one sentence for each Pod without a link that still exists."""
        return list(self._told.values())

    def _tell(self, pod: PodRef, message: str) -> None:
        log.warning("Pod %s: %s", pod, message)
        self._announcer.warning(pod, "NetworkLost", f"{message}; the Pod needs a new sandbox")
