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

    def __init__(
        self, shared_ledger: SharedLedger, dataplane: DataPlane, locks: PodLocks, *, cooldown: float
    ) -> None:
        """Take where they are recorded, the locks of the addresses, and how long these cool when freed."""
        self._shared_ledger = shared_ledger
        self._dataplane = dataplane
        self._locks = locks
        self._cooldown = cooldown

    def begin_bind(self, ip: str, pod: model.PodRef, record: Binding) -> Address | None:
        """Record a binding that is to be made; return the address, None if the Pod cannot have it there.

        Raises: StoreError.
        """
        return self._shared_ledger.apply(lambda shared_ledger: _begin(shared_ledger, ip, pod, record)).address

    def is_wanted(self, ip: str, pod: model.PodRef, eip_id: str) -> bool:
        """Whether a binding that was begun is still to be made: the address is the Pod's, or kept for it."""
        address = self._shared_ledger.current.addresses.get(ip)
        if address is None or address.pod != pod or address.eip is None:
            return False
        return address.eip.eip_id == eip_id and address.eip.stage is not BindStage.UNBINDING

    def confirm_bound(self, ip: str, eip_id: str, deadline: Deadline) -> None:
        """Take in that the cloud shows the EIP at the address. Raises: StoreError, TryAgainError."""
        self._change(ip, lambda shared_ledger: eip_records.confirm_bound(shared_ledger, ip, eip_id), deadline)

    def begin_unbind(self, before: Address, eip_id: str, deadline: Deadline) -> Address | None:
        """Record that an EIP is to be unbound; return the address, None if it is another's by now.

        A hold ends with it, because its Pod comes back elsewhere or not at all. Raises: StoreError,
        TryAgainError.
        """

        def begun(shared_ledger: Ledger) -> Transition:
            address = shared_ledger.addresses.get(before.ip)
            if address is None or address.eip is None or address.eip.eip_id != eip_id:
                return Transition(shared_ledger)
            if address.pod != before.pod:
                return Transition(shared_ledger)
            unbinding = eip_records.begin_unbind(shared_ledger, address.ip, eip_id)
            if not isinstance(address.state, Held):
                return unbinding
            # The second transition holds the address with both changes, so one commit is enough.
            return ledger.vacate(unbinding.ledger, address.ip, self._cooldown, self._shared_ledger.now())

        return self._change(before.ip, begun, deadline)

    def confirm_unbound(self, ip: str, eip_id: str, deadline: Deadline) -> None:
        """Take in that the EIP is off the address, which cools if nobody has it.

        Raises: StoreError, TryAgainError.
        """

        def forgotten(shared_ledger: Ledger) -> Transition:
            return eip_records.confirm_unbound(
                shared_ledger, ip, eip_id, self._cooldown, self._shared_ledger.now()
            )

        self._change(ip, forgotten, deadline)

    def _change(
        self, ip: str, operation: Callable[[Ledger], Transition], deadline: Deadline
    ) -> Address | None:
        with self._locks.of_address(ip, deadline):
            address = self._shared_ledger.apply(operation).address
            self._show_in_kernel(address)
        return address

    def _show_in_kernel(self, address: Address | None) -> None:
        """Let the data plane know whether the Pod has its EIP; what fails here is mended by the repair."""
        if address is None or address.exclusive or not isinstance(address.state, Assigned):
            return
        try:
            self._dataplane.set_eip_pod(address.ip, wanted=address.is_eip_pod)
        except KernelError as e:
            log.warning("the kernel does not yet know about the EIP of %s: %s", address.ip, e)


def _begin(shared_ledger: Ledger, ip: str, pod: model.PodRef, record: Binding) -> Transition:
    """Record the binding, unless the address is not this Pod's any more or one of the EIPs is in the way."""
    address = shared_ledger.addresses.get(ip)
    elsewhere = shared_ledger.with_eip(record.eip_id)
    if address is None or address.pod != pod or (elsewhere is not None and elsewhere.ip != ip):
        return Transition(shared_ledger)
    if address.eip is not None and (
        address.eip.eip_id != record.eip_id or address.eip.stage is BindStage.UNBINDING
    ):
        return Transition(shared_ledger)
    return eip_records.begin_bind(shared_ledger, ip, record)
