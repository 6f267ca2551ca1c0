"""The end of a sandbox, whoever asks for it: DEL, GC, a failed ADD, a newer sandbox of the Pod.

The kernel comes first, the ledger second: an address that is still wired is never free. What is unwired is
what the ledger has recorded for this very sandbox. Neither API server nor cloud is asked; what they have to
do with an EIP follows in the background.
Thread safety: any thread; the turn of the address is taken here.
"""

import logging
from dataclasses import dataclass

from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.source import PodSource
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger import holds as ledger_holds
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Address, Assigned, Held
from ipamd.core.timing.boottime import Boottime
from ipamd.core.timing.deadline import Deadline
from ipamd.net.dataplane import DataPlane

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRelease:
    """Ends sandboxes of one node."""

    shared_ledger: SharedLedger
    dataplane: DataPlane
    pods: PodSource
    exclusive: ExclusiveEnis
    locks: PodLocks
    holds: ledger_holds.HoldTimes
    cooldown: float

    def address_of(self, key: model.SandboxKey) -> Address | None:
        """Return the address that the sandbox has, or that is held because it had it."""
        return next(
            (a for a in self.shared_ledger.current.in_state(Assigned, Held) if _key_of(a) == key), None
        )

    def end(
        self,
        key: model.SandboxKey,
        deadline: Deadline,
        *,
        may_hold: bool = True,
        pod: PodView | None = None,
        link_may_linger: bool = False,
    ) -> None:
        """Unwire the sandbox, if it has an address, and keep that for its Pod if the Pod may come back.

        `pod` is the Pod as the caller knows it, for one that the watch does not know yet. With
        `link_may_linger` the Pod is off the network when this returns, and its link goes a moment later.
        For an address that is held already, decide again whether it needs to be. Raises: KernelError, then
        nothing has changed for the ledger and the call may be repeated; StoreError, TryAgainError.
        """
        found = self.address_of(key)
        if found is None:
            return
        with self.locks.of_address(found.ip, deadline):
            address = self.address_of(key)
            # Another one: a newer sandbox of the Pod has taken over what this one had.
            if address is not None and address.ip == found.ip:
                self._end(address, may_hold=may_hold, pod=pod, link_may_linger=link_may_linger)

    def _end(self, address: Address, *, may_hold: bool, pod: PodView | None, link_may_linger: bool) -> None:
        state = address.state
        if not isinstance(state, Assigned | Held):
            return
        if isinstance(state, Assigned):
            if address.exclusive:
                # While its namespace still is: after that only the kernel can bring it, in its own time.
                self.exclusive.bring_back(address)
            unwire = self.dataplane.cut_pod if link_may_linger else self.dataplane.unwire_pod
            unwire(address.ip, state.host_end)

        def release(shared_ledger: ledger.Ledger) -> ledger.Transition:
            # Decided under the ledger's lock: who hears later that the Pod does not come back finds the hold.
            now = self.shared_ledger.now()
            hold = self._hold(address, pod, now) if may_hold else None
            return ledger.release(shared_ledger, state.key, hold, self.cooldown, now)

        after = self.shared_ledger.note(release).address
        if after is not None:
            log.info(
                "sandbox %.13s of Pod %s is gone, %s is %s",
                state.key.container_id,
                state.pod,
                address.ip,
                type(after.state).__name__.lower(),
            )

    def _hold(self, address: Address, pod: PodView | None, now: Boottime) -> ledger.AddressHold | None:
        known = self.pods.known(address.pod) if address.pod else None
        return ledger_holds.decide(address, known or pod, self.holds, now, cache_synced=self.pods.has_synced)


def _key_of(address: Address) -> model.SandboxKey | None:
    return address.state.key if isinstance(address.state, Assigned | Held) else None
