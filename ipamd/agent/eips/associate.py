"""Binds one EIP to one address: written down, told to the claim, asked of the cloud, waited for, told again.

Each step may be the last one before a crash; the next round of `ipamd.agent.eips.reconciler` starts at the
top and finds every step done already that was done. Thread safety: one call for an EIP at a time; calls for
different EIPs run in parallel.
"""

import logging
from collections.abc import Callable

from ipamd.agent.eips.confirm import EipConfirmation
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.eips.record import EipRecord
from ipamd.cloud.tencent import TencentCloud
from ipamd.cloud.witness import AnsweredCall, witnessed
from ipamd.core import model
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.eip import binding_plan
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger import eip_records
from ipamd.core.ledger.states import Address, Binding, BindStage
from ipamd.core.timing.deadline import Deadline

Accepted = Callable[[model.PodRef, AnsweredCall], None]
"""Hears of the request by which the cloud has begun to bind a Pod's EIP; quick, raises nothing."""

log = logging.getLogger(__name__)

SECONDS = 120.0
"""How long one attempt may take; the next one goes on where it ended."""
SETTLE = 3.0
"""Seconds for which an EIP has to be seen loose that is recorded: a request that may have been sent has come
true or is done with after that."""
_ACTION = "AssociateAddress"
_BOUND = (model.EipStatus.BIND, model.EipStatus.BIND_ENI)


class Association:
    """Binds EIPs of one node."""

    def __init__(
        self,
        node: str,
        *,
        cloud: TencentCloud,
        confirmation: EipConfirmation,
        record: EipRecord,
        announcer: ClaimPublisher,
        monotonic: Callable[[], float],
    ) -> None:
        """Take the node's name, who binds and sees it, and where it is written down and told."""
        self._node = node
        self._cloud = cloud
        self._confirmation = confirmation
        self._record = record
        self._announcer = announcer
        self._monotonic = monotonic
        self._accepted: list[Accepted] = []

    def on_accepted(self, listener: Accepted) -> None:
        """Have a listener told from now on; before anything is bound."""
        self._accepted.append(listener)

    def associate(self, action: binding_plan.Associate) -> None:
        """Bind the claim's EIP to the address; return when the cloud shows it and the claim says it.

        An address that has changed hands meanwhile ends it without an error. Raises: CloudError, KubeError,
        StoreError, TryAgainError; the record of the attempt stays.
        """
        claim, pod, ip = action.claim, action.pod, action.address.ip
        record = _binding(claim, BindStage.BINDING)
        if record is None:
            return
        began = self._monotonic()
        deadline = Deadline.after(SECONDS, self._monotonic)
        address = self._record.begin_bind(ip, pod, record)
        if address is None:
            return
        wanted = binding_plan.wanted_binding(address, pod, self._node)
        claim = self._announcer.begin(claim, pod, wanted)

        def in_vain() -> bool:
            return not self._record.is_wanted(ip, pod, record.eip_id)

        try:
            self._bind(record.eip_id, address, pod, deadline, in_vain)
        except (CloudError, TryAgainError):
            if not in_vain():
                raise
            log.info("%s is not bound to %s any more, as Pod %s is gone", record.eip_id, ip, pod)
            return
        self._record.confirm_bound(ip, record.eip_id, deadline)
        took = self._monotonic() - began
        log.info("EIP %s is bound to %s of Pod %s, took %.1f s", record.eip_id, ip, pod, took)
        self._announcer.bound(claim, pod, wanted, f", took {took:.1f} s")

    def settle(self, action: binding_plan.SettleBinding) -> None:
        """See whether the EIP, which nobody waits for any more, is at the ENI that it stays at.

        It is recorded there, or forgotten. Raises: CloudError, StoreError, TryAgainError.
        """
        address, record = action.address, action.address.eip
        if record is None:
            return
        deadline = Deadline.after(SECONDS, self._monotonic)
        quiet_until = self._monotonic() + SETTLE

        def settled(eip: model.Eip | None) -> bool:
            if eip_records.is_at(eip, address):
                return eip is not None and eip.status in _BOUND
            return self._monotonic() >= quiet_until

        seen = self._confirmation.wait(record.eip_id, settled, deadline, action=_ACTION, task_id="")
        if eip_records.is_at(seen, address):
            self._record.confirm_bound(address.ip, record.eip_id, deadline)
            log.info("%s is at %s, and leaves with %s", record.eip_id, address.ip, address.eni_id)
        else:
            self._record.confirm_unbound(address.ip, record.eip_id, deadline)
            log.info("%s has not come to %s, and stays where it is", record.eip_id, address.ip)

    def announce(self, action: binding_plan.PublishBinding) -> None:
        """Tell what is bound already. Raises: KubeError, StoreError, TryAgainError."""
        claim, pod = action.claim, action.pod
        record = _binding(claim, BindStage.BOUND)
        if record is None or action.address.eip is None:
            return
        address = self._record.begin_bind(action.address.ip, pod, record)
        if address is not None:
            self._announcer.bound(claim, pod, binding_plan.wanted_binding(address, pod, self._node))

    def _bind(
        self,
        eip_id: str,
        address: Address,
        pod: model.PodRef,
        deadline: Deadline,
        in_vain: Callable[[], bool],
    ) -> None:
        """Bind it; what the cloud has accepted is waited for also in vain, as lists may not show it yet."""
        if address.moves_as_eni and self._came_along(eip_id, address, deadline):
            return
        with witnessed() as calls:
            task_id = self._cloud.associate_eip(eip_id, address.eni_id, address.ip, deadline.unless(in_vain))
        for call in calls:
            if call.action == _ACTION:
                for listener in self._accepted:
                    listener(pod, call)
        bound = self._confirmation.wait(
            eip_id,
            lambda eip: eip is None or eip.status in _BOUND,
            deadline,
            action=_ACTION,
            task_id=task_id,
        )
        _check_bound(bound, address, eip_id)

    def _came_along(self, eip_id: str, address: Address, deadline: Deadline) -> bool:
        """Whether the EIP is bound to the address already: it stays at an ENI that moves with its Pod."""
        eip = self._cloud.describe_eip(eip_id, deadline)
        return eip is not None and eip.bound and eip_records.is_at(eip, address)


def _binding(claim: Claim, stage: BindStage) -> Binding | None:
    """Return what is recorded at the address of a claim's EIP; None for a claim without one."""
    if claim.address is None:
        return None
    return Binding(
        eip_id=claim.address.eip_id,
        public_ip=claim.address.public_ip,
        stage=stage,
        claim=str(claim),
        retained=claim.retained,
    )


def _check_bound(eip: model.Eip | None, address: Address, eip_id: str) -> None:
    """Raise CloudError unless the EIP is bound to the address."""
    if eip is None:
        raise cloud_error("DescribeAddresses", "ClientNotFound", f"EIP {eip_id} does not exist any more")
    if not eip_records.is_at(eip, address):
        raise cloud_error(
            "DescribeAddresses",
            "ClientBoundElsewhere",
            f"EIP {eip_id} is bound to {eip.private_ip} on {eip.eni_id}, not to {address.ip}",
        )
