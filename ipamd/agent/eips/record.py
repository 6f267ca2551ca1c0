"""What ledger and kernel have of an EIP at an address, changed together in the address's turn.

Thread safety: any thread may call any method.
"""

import logging
from collections.abc import Callable

from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.errors import KernelError
from ipamd.core.ledger import eip_records, ledger
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage, Held
from ipamd.core.timing.deadline import Deadline
from ipamd.net.dataplane import DataPlane

log = logging.getLogger(__name__)


class EipRecord:
    """The EIPs of one node's addresses, as recorded."""

    def __init__(self, book: SharedLedger, dataplane: DataPlane, turns: PodLocks, *, cooldown: float) -> None:
        """Take where they are recorded, the locks of the addresses, and how long these cool when freed."""
        self._book = book
        self._dataplane = dataplane
        self._turns = turns
        self._cooldown = cooldown

    def begin_bind(self, ip: str, pod: model.PodRef, record: Binding) -> Address | None:
        """Record a binding that is to be made; return the address, None if the Pod cannot have it there.

        Raises: StoreError.
        """
        return self._book.apply(lambda book: _begin(book, ip, pod, record)).address

    def confirm_bound(self, ip: str, eip_id: str, deadline: Deadline) -> None:
        """Take in that the cloud shows the EIP at the address. Raises: StoreError, TryAgainError."""
        self._change(ip, lambda book: eip_records.confirm_bound(book, ip, eip_id), deadline)

    def begin_unbind(self, before: Address, eip_id: str, deadline: Deadline) -> Address | None:
        """Record that an EIP is to be unbound; return the address, None if it is another's by now.

        A hold ends with it, because its Pod comes back elsewhere or not at all. Raises: StoreError,
        TryAgainError.
        """

        def begun(book: Ledger) -> Transition:
            address = book.addresses.get(before.ip)
            if address is None or address.eip is None or address.eip.eip_id != eip_id:
                return Transition(book)
            if address.pod != before.pod:
                return Transition(book)
            unbinding = eip_records.begin_unbind(book, address.ip, eip_id)
            if not isinstance(address.state, Held):
                return unbinding
            # The second transition holds the address with both changes, so one commit is enough.
            return ledger.vacate(unbinding.ledger, address.ip, self._cooldown, self._book.now())

        return self._change(before.ip, begun, deadline)

    def confirm_unbound(self, ip: str, eip_id: str, deadline: Deadline) -> None:
        """Take in that the EIP is off the address, which cools if nobody has it.

        Raises: StoreError, TryAgainError.
        """

        def forgotten(book: Ledger) -> Transition:
            return eip_records.confirm_unbound(book, ip, eip_id, self._cooldown, self._book.now())

        self._change(ip, forgotten, deadline)

    def _change(
        self, ip: str, operation: Callable[[Ledger], Transition], deadline: Deadline
    ) -> Address | None:
        with self._turns.of_address(ip, deadline):
            address = self._book.apply(operation).address
            self._show_in_kernel(address)
        return address

    def _show_in_kernel(self, address: Address | None) -> None:
        """Let the data plane know whether the Pod has its EIP; what fails here is mended by the repair."""
        if address is None or not isinstance(address.state, Assigned):
            return
        try:
            self._dataplane.set_eip_pod(address.ip, wanted=address.is_eip_pod)
        except KernelError as e:
            log.warning("the kernel does not yet know about the EIP of %s: %s", address.ip, e)


def _begin(book: Ledger, ip: str, pod: model.PodRef, record: Binding) -> Transition:
    """Record the binding, unless the address is not this Pod's any more or one of the EIPs is in the way."""
    address = book.addresses.get(ip)
    elsewhere = book.with_eip(record.eip_id)
    if address is None or address.pod != pod or (elsewhere is not None and elsewhere.ip != ip):
        return Transition(book)
    if address.eip is not None and (
        address.eip.eip_id != record.eip_id or address.eip.stage is BindStage.UNBINDING
    ):
        return Transition(book)
    return eip_records.begin_bind(book, ip, record)
