"""EIPs that somebody has unbound from running Pods: told until they are bound again, and then a repair.

The EIP reconciler binds them; here is only known that it was not by our will that they were loose.
Thread safety: any thread may call any method; `ledger_changed` does not block.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final

from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.core.ledger import drift
from ipamd.core.ledger.states import BindStage
from ipamd.core.model import PodRef


class LooseEips:
    """Invariant: `_waiting` has the Pods whose EIP was found unbound and is not bound again by the ledger."""

    def __init__(self, shared_ledger: SharedLedger, repaired: Callable[[Difference], None]) -> None:
        """Take where it is seen that an EIP is bound again, and who is told of it then."""
        self._shared_ledger: Final = shared_ledger
        self._repaired: Final = repaired
        self._guard = threading.Lock()
        self._waiting: dict[PodRef, str] = {}
        shared_ledger.on_change(self.ledger_changed)

    def found(self, unbound: Mapping[PodRef, str]) -> None:
        """Take in what was found unbound: by Pod, what to tell of it."""
        with self._guard:
            self._waiting = {**self._waiting, **unbound}
        # One that is bound again already has changed the ledger before we knew of it.
        self.ledger_changed()

    def waiting(self) -> dict[PodRef, str]:
        """Return what to tell of each Pod whose EIP is not bound again."""
        with self._guard:
            return dict(self._waiting)

    def ledger_changed(self) -> None:
        """Tell of each EIP that is bound again, and forget those that nobody waits for any more."""
        if not self._waiting:
            return
        with self._guard:
            ledger = self._shared_ledger.current
            stages = {pod: drift.eip_stage(ledger, pod) for pod in self._waiting}
            waiting = self._waiting
            self._waiting = {pod: text for pod, text in waiting.items() if stages[pod] is BindStage.BINDING}
        for pod, text in waiting.items():
            if stages[pod] is BindStage.BOUND:
                self._repaired(Difference(code=FindingCode.EIP_NOT_BOUND, subject=f"eip/{pod}", text=text))
