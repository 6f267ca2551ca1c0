"""The part of a repair round that looks at the cloud: when it is due, and what is said of what it finds.

One DescribeNetworkInterfaces shows all ENIs of the node with their addresses and the EIPs at them; how often
is decided by `ipamd.core.timing.poll_interval`. What was lost is taken in by the ledger, mended by pool and
EIP reconciler where they can, and told here in any case: to the log and to the Pod. Thread safety: `look` and
`report` are for one thread, the rest for any.
"""

import logging
import threading
from collections.abc import Callable

from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.enis import NodeEnis
from ipamd.agent.node.loose_eips import LooseEips
from ipamd.agent.node.recovery import Recovery
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.ledger import drift
from ipamd.core.timing.deadline import Deadline
from ipamd.core.timing.poll_interval import LookPace
from ipamd.runtime import chance

log = logging.getLogger(__name__)

_LOOK_SECONDS = 30.0


class CloudCheck:
    """Invariant: two looks without a cause are at least as far apart as the pace says."""

    def __init__(  # noqa: PLR0913 - who looks, who is told, and when
        self,
        reconciler: Recovery,
        *,
        shared_ledger: SharedLedger,
        enis: NodeEnis,
        announcer: ClaimPublisher,
        loose: LooseEips,
        interval: float,
        monotonic: Callable[[], float],
    ) -> None:
        """Take who looks, where the outcome is seen, who is told, and the seconds between two looks."""
        self._reconciler = reconciler
        self._shared_ledger = shared_ledger
        self._enis = enis
        self._announcer = announcer
        self._loose = loose
        self._monotonic = monotonic
        self._pace = LookPace(interval=interval)
        self._due_at = float("-inf")
        self._hastened = threading.Event()
        self._told: frozenset[model.PodRef] = frozenset()
        self._listeners: list[Callable[[], None]] = []
        self.unbound = 0
        """How many EIPs were found unbound by somebody else; pool and EIP reconciler bind them again."""

    def on_addresses(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when a look has brought or taken addresses, or made the ledger true."""
        self._listeners.append(listener)

    @property
    def is_due(self) -> bool:
        """Whether it is time."""
        return self._hastened.is_set() or self._monotonic() >= self._due_at

    def hasten(self) -> None:
        """Make it due now: there is a cause."""
        self._hastened.set()

    def look(self) -> None:
        """Compare with the cloud, tell Pods of what they have lost there. Raises: KernelError, StoreError."""
        self._hastened.clear()
        before, state = self._shared_ledger.current, self._state()
        self._look()
        if set(self._missing()) - self._told:
            # One listing may be short; people are told of what two do not show.
            self._look()
        unbound = drift.unbound(before, self._shared_ledger.current)
        for pod, message in unbound.items():
            self.unbound += 1
            log.warning("Pod %s: %s", pod, message)
            self._announcer.warning(pod, "EIPUnbound", message)
        self._loose.found(unbound)
        if self._state() != state:
            for listener in self._listeners:
                listener()

    def report(self) -> None:
        """Tell each Pod once that its address cannot be used, by a look or for want of the ENI's link."""
        missing = self._missing()
        for pod, message in missing.items():
            if pod not in self._told:
                log.warning("Pod %s: %s", pod, message)
                self._announcer.warning(pod, "AddressLost", message)
        self._told = frozenset(missing)

    def missing(self) -> list[str]:
        """Return one sentence for each Pod whose address cannot be used."""
        return [f"Pod {pod}: {message}" for pod, message in self._missing().items()]

    def _look(self) -> None:
        failure = self._reconciler.look(Deadline.after(_LOOK_SECONDS, self._monotonic))
        self._pace = self._pace.after(failure.kind if failure else None)
        self._due_at = self._monotonic() + self._pace.seconds(chance.fraction)

    def _state(self) -> tuple[bool, frozenset[str]]:
        return self._reconciler.is_settled, frozenset(self._shared_ledger.current.addresses)

    def _missing(self) -> dict[model.PodRef, str]:
        problems = {eni.eni_id: eni.problem for eni in self._enis.enis.values() if eni.problem}
        return drift.missing(self._shared_ledger.current, problems)
