"""Binds one EIP to one address: written down, told to the claim, asked of the cloud, waited for, told again.

Each step may be the last one before a crash; the next round of `ipamd.agent.eips.reconciler` starts at the
top and finds every step done already that was done. Thread safety: one call for an EIP at a time; calls for
different EIPs run in parallel.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.eips.confirm import EipConfirmation
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.cloud_errors import cloud_error
from ipamd.core.eip import binding_plan
from ipamd.core.errors import KernelError
from ipamd.core.ledger import eip_records
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage
from ipamd.core.timing.deadline import Deadline
from ipamd.net.dataplane import DataPlane

log = logging.getLogger(__name__)

SECONDS = 120.0
"""How long one attempt may take; the next one goes on where it ended."""
_BOUND = (model.EipStatus.BIND, model.EipStatus.BIND_ENI)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindTools:
    """What EIPs are bound and unbound with."""

    cloud: TencentCloud
    effects: EipConfirmation
    book: SharedLedger
    dataplane: DataPlane
    turns: PodLocks
    announcer: ClaimPublisher
    monotonic: Callable[[], float]


def associate(action: binding_plan.Associate, node: str, tools: BindTools) -> None:
    """Bind the claim's EIP to the address; return when the cloud shows it and the claim says it.

    An address that has changed hands meanwhile ends it without an error. Raises: CloudError, KubeError,
    StoreError, TryAgainError; the record of the attempt stays.
    """
    claim, pod, ip = action.claim, action.pod, action.address.ip
    if claim.address is None:
        return
    began = tools.monotonic()
    deadline = Deadline.after(SECONDS, tools.monotonic)
    record = Binding(
        eip_id=claim.address.eip_id,
        public_ip=claim.address.public_ip,
        stage=BindStage.BINDING,
        claim=str(claim),
        retained=claim.retained,
    )
    address = tools.book.apply(lambda book: _begin(book, ip, pod, record)).address
    if address is None:
        return
    wanted = binding_plan.wanted_binding(address, pod, node)
    claim = tools.announcer.begin(claim, pod, wanted)
    task_id = tools.cloud.associate_eip(record.eip_id, address.eni_id, ip, deadline)
    bound = tools.effects.wait(
        record.eip_id,
        lambda eip: eip is None or eip.status in _BOUND,
        deadline,
        action="AssociateAddress",
        task_id=task_id,
    )
    _check_bound(bound, address, record.eip_id)
    change(ip, lambda book: eip_records.confirm_bound(book, ip, record.eip_id), tools, deadline)
    took = tools.monotonic() - began
    log.info("EIP %s is bound to %s of Pod %s, took %.1f s", record.eip_id, ip, pod, took)
    tools.announcer.bound(claim, pod, wanted, f", took {took:.1f} s")


def announce(action: binding_plan.PublishBinding, node: str, tools: BindTools) -> None:
    """Tell what is bound already. Raises: KubeError, StoreError."""
    claim, pod, ip = action.claim, action.pod, action.address.ip
    if claim.address is None or action.address.eip is None:
        return
    record = Binding(
        eip_id=claim.address.eip_id,
        public_ip=claim.address.public_ip,
        stage=BindStage.BOUND,
        claim=str(claim),
        retained=claim.retained,
    )
    address = tools.book.apply(lambda book: _begin(book, ip, pod, record)).address
    if address is not None:
        tools.announcer.bound(claim, pod, binding_plan.wanted_binding(address, pod, node))


def change(
    ip: str, operation: Callable[[Ledger], Transition], tools: BindTools, deadline: Deadline
) -> Address | None:
    """Change the stage of an EIP in the ledger and what the kernel has of it, in the address's turn.

    Return the transition's address. Raises: StoreError, TryAgainError.
    """
    with tools.turns.of_address(ip, deadline):
        address = tools.book.apply(operation).address
        _show_in_kernel(address, tools)
    return address


def _show_in_kernel(address: Address | None, tools: BindTools) -> None:
    """Let the data plane know whether the Pod has its EIP; what fails here is mended by the repair."""
    if address is None or not isinstance(address.state, Assigned):
        return
    try:
        tools.dataplane.set_eip_pod(address.ip, wanted=address.is_eip_pod)
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
