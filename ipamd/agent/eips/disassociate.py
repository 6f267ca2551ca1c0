"""Unbinds one EIP from one address, and only if it is there and nobody wants it there.

The cloud is looked at before it is asked: an EIP that went elsewhere is not ours to unbind any more. The
address is released only when the task of the unbinding is over and the cloud no longer shows the EIP at it:
one look alone is not believed, as lists of the cloud may be some seconds old, nor is a task, which is a hint.
Thread safety: one call for an EIP at a time; calls for different EIPs run in parallel.
"""

import logging
from collections.abc import Callable

from ipamd.agent.eips.associate import SECONDS, SETTLE
from ipamd.agent.eips.confirm import EipConfirmation
from ipamd.agent.eips.ownership import Disposal, EipOwnership
from ipamd.agent.eips.record import EipRecord
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.eip import binding_plan
from ipamd.core.ledger import eip_records
from ipamd.core.ledger.states import Address, Binding
from ipamd.core.timing.deadline import Deadline

log = logging.getLogger(__name__)


class Disassociation:
    """Unbinds EIPs of one node."""

    def __init__(
        self,
        *,
        cloud: TencentCloud,
        confirmation: EipConfirmation,
        ownership: EipOwnership,
        record: EipRecord,
        monotonic: Callable[[], float],
    ) -> None:
        """Take who unbinds and sees it, who allows it, and where it is written down."""
        self._cloud = cloud
        self._confirmation = confirmation
        self._ownership = ownership
        self._record = record
        self._monotonic = monotonic

    def disassociate(self, action: binding_plan.Disassociate) -> None:
        """Unbind the recorded EIP and free the address of it; return when the cloud shows that.

        Raises: CloudError, KubeError, StoreError, TryAgainError; IpamError for an EIP that is not ours. The
        record then stays, and with it the address stays out of the pool.
        """
        before = action.address
        record = before.eip
        deadline = Deadline.after(SECONDS, self._monotonic)
        if record is None or not (action.certain or self._is_unwanted(before, record, deadline)):
            return
        address = self._record.begin_unbind(before, record.eip_id, deadline)
        if address is None:
            return
        log.info("unbinding %s from %s: %s", record.eip_id, address.ip, action.why)
        eip = self._confirmation.look(record.eip_id, deadline)
        if eip_records.is_at(eip, address):
            self._unbind(record.eip_id, address, deadline)
        else:
            self._settle(record.eip_id, address, deadline)
        self._record.confirm_unbound(address.ip, record.eip_id, deadline)
        log.info("%s is unbound from %s", record.eip_id, address.ip)

    def _is_unwanted(self, address: Address, record: Binding, deadline: Deadline) -> bool:
        disposal = self._ownership.disposal(address, record)
        if disposal is Disposal.FORGET:
            self._record.confirm_unbound(address.ip, record.eip_id, deadline)
        return disposal is Disposal.UNBIND

    def _settle(self, eip_id: str, address: Address, deadline: Deadline) -> None:
        """See the EIP loose for a while, as the first look may be older than the binding; else unbind it.

        A request to bind that may have been sent has come true or is done with after that.
        """
        quiet_until = self._monotonic() + SETTLE
        seen = self._confirmation.wait(
            eip_id,
            lambda eip: eip_records.is_at(eip, address) or self._monotonic() >= quiet_until,
            deadline,
            action="AssociateAddress",
            task_id="",
        )
        if eip_records.is_at(seen, address):
            self._unbind(eip_id, address, deadline)

    def _unbind(self, eip_id: str, address: Address, deadline: Deadline) -> None:
        task_id = self._cloud.disassociate_eip(eip_id, deadline)
        self._confirmation.wait(
            eip_id,
            lambda eip: not eip_records.is_at(eip, address),
            deadline,
            action="DisassociateAddress",
            task_id=task_id,
            certain=True,
        )
        if not task_id:
            # Not asked, because the cloud showed it unbound or on its way; which may have been an old answer.
            self._settle(eip_id, address, deadline)
