"""The end of a sandbox, whoever asks for it: DEL, GC, a failed ADD, a newer Pod of the name.

The kernel comes first, the ledger second: an address that is still wired is never free. Neither API server
nor cloud is asked; what they have to do with an EIP follows in the background.
Thread safety: the caller holds the Pod's turn (`ipamd.agent.turns`).
"""

import logging
from dataclasses import dataclass

from ipamd.agent.address_book import AddressBook
from ipamd.agent.pods import PodSource
from ipamd.core import holding, ledger, names
from ipamd.core.addresses import Address, Assigned, Held
from ipamd.core.pods import PodView
from ipamd.net.dataplane import DataPlane

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Releasing:
    """Ends sandboxes of one node."""

    book: AddressBook
    dataplane: DataPlane
    pods: PodSource
    holds: holding.HoldTimes
    cooldown: float

    def end(
        self,
        address: Address,
        *,
        may_hold: bool = True,
        pod: PodView | None = None,
        link_may_linger: bool = False,
    ) -> None:
        """Unwire the sandbox that owns the address, and keep the address for its Pod if that may come back.

        `pod` is the Pod as the caller knows it, for one that the watch does not know yet. With
        `link_may_linger` the Pod is off the network when this returns, and its link goes a moment later.
        For an address that is held already, decide again whether it needs to be. Errors: KernelError, then
        nothing has changed for the ledger and the call may be repeated; StoreError.
        """
        state = address.state
        if not isinstance(state, Assigned | Held):
            return
        if isinstance(state, Assigned):
            veth = names.host_veth(state.pod.namespace, state.pod.name)
            unwire = self.dataplane.cut_pod if link_may_linger else self.dataplane.unwire_pod
            unwire(address.ip, veth)
        now = self.book.now()
        hold = None
        if may_hold:
            known = self.pods.known(state.pod) or pod
            synced = self.pods.has_synced
            hold = holding.decide(address, known, self.holds, now, cache_synced=synced)
        after = self.book.apply(
            lambda book: ledger.release(book, state.key, hold, self.cooldown, now)
        ).address
        if after is not None:
            log.info(
                "sandbox %.13s of Pod %s is gone, %s is %s",
                state.key.container_id,
                state.pod,
                address.ip,
                type(after.state).__name__.lower(),
            )
