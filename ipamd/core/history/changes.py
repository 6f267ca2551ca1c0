"""What a change of the ledger, of an EIPClaim or of a Pod means for the Pod's history. Pure.

Each function compares a state with the one before and yields what has happened, in words; the same state
twice is no event.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ipamd.core.annotations.eip import wants_eip
from ipamd.core.claim.eipclaim import BOUND, EGRESS_THROUGH_EIP, PROVISIONED, USABLE, Claim, condition
from ipamd.core.claim.reason import Reason
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger.states import Address, Assigned, BindStage, Held, State, Unbinding

_CONDITIONS = {PROVISIONED: "order", BOUND: "bind", USABLE: "EIP", EGRESS_THROUGH_EIP: "egress"}
"""The conditions that are told, and under which step."""

_UNDER_WAY = frozenset(reason.value for reason in (Reason.BINDING, Reason.WAITING, Reason.UNBOUND))
"""Reasons for which a condition is False while all goes as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodChange:
    """What has happened, before anybody says when."""

    pod: str
    step: str
    text: str
    failed: bool = False
    took: float | None = None
    """Seconds, where who tells it knows; else it is found out from what began it."""


def of_pod(before: PodView | None, after: PodView | None, node: str) -> Iterator[PodChange]:
    """Yield what has happened to a Pod of this node by what the API server tells."""
    if after is None:
        if before is not None:
            yield PodChange(pod=str(before.ref), step="gone", text="the API server has the Pod no more")
        return
    pod = str(after.ref)
    if before is None or before.ref != after.ref:
        wants = ", and asks for an EIP" if wants_eip(after) else ""
        yield PodChange(pod=pod, step="seen", text=f"scheduled to {node}, UID {after.ref.uid}{wants}")
        before = None
    if after.deleting and not (before and before.deleting):
        yield PodChange(pod=pod, step="leaving", text="the Pod is being deleted")
    elif after.finished and not (before and before.finished):
        yield PodChange(pod=pod, step="leaving", text=f"the Pod has ended: {after.phase}")
    elif after.phase == "Running" and (before is None or before.phase != "Running"):
        yield PodChange(
            pod=pod, step="running", text=f"the kubelet says Running, with {after.pod_ip or 'no IP'}"
        )


def of_claim(before: Claim | None, after: Claim | None, pod: str) -> Iterator[PodChange]:
    """Yield what has happened to the EIPClaim of a Pod."""
    if after is None:
        if before is not None:
            yield PodChange(pod=pod, step="claim", text="the EIPClaim is gone from this node")
        return
    if before is None:
        yield PodChange(pod=pod, step="claim", text="the EIPClaim is there")
    elif after.deleting and not before.deleting:
        yield PodChange(pod=pod, step="claim", text="the EIPClaim is being deleted")
    if after.problem and (before is None or before.problem != after.problem):
        yield PodChange(pod=pod, step="claim", text=after.problem, failed=True)
    if after.allocation and (before is None or before.allocation != after.allocation):
        text = f"the controller orders an EIP, attempt {after.allocation.attempt}"
        yield PodChange(pod=pod, step="order", text=text)
    if after.address and (before is None or before.address != after.address):
        whose = _ordered(after) if after.address.owned else "the user's own"
        text = f"EIP {after.address.public_ip} ({after.address.eip_id}), {whose}"
        yield PodChange(pod=pod, step="order", text=text)
    yield from _of_conditions(before, after, pod)


def _ordered(claim: Claim) -> str:
    """Return that the EIP was ordered, with the RequestId where the controller has written it down."""
    told = str(condition(claim.conditions, PROVISIONED).get("message") or "")
    _, request, request_id = told.partition("RequestId ")
    return f"ordered ({request}{request_id})" if request else "ordered"


def _of_conditions(before: Claim | None, after: Claim, pod: str) -> Iterator[PodChange]:
    for kind, step in _CONDITIONS.items():
        told = condition(after.conditions, kind)
        was = condition(before.conditions, kind) if before else {}
        same = all(told.get(key) == was.get(key) for key in ("status", "reason", "message"))
        # That it is well is told by what it led to: the EIP of the claim, the stage in the ledger.
        if told.get("status") == "False" and not same:
            text = f"{kind}=False, {told.get('reason')}: {told.get('message')}"
            yield PodChange(pod=pod, step=step, text=text, failed=told.get("reason") not in _UNDER_WAY)
        elif kind == EGRESS_THROUGH_EIP and told.get("status") == "True" and not same:
            yield PodChange(pod=pod, step=step, text="the EIP is the way out")


def of_address(before: Address | None, after: Address | None) -> Iterator[PodChange]:
    """Yield what has happened to the Pod that an address belongs or belonged to."""
    pod_before = before.pod if before else None
    pod = after.pod if after else None
    if before is not None and pod_before is not None and pod != pod_before:
        yield from _left(before, after)
    if after is None or pod is None:
        return
    if isinstance(after.state, Assigned):
        was = before.state if before and pod_before == pod else None
        if not isinstance(was, Assigned) or was.key != after.state.key:
            held = ", the one that was held for it" if isinstance(was, Held) else ""
            text = f"gets {after.ip} on {after.eni_id}, link {after.state.host_interface}{held}"
            yield PodChange(pod=str(pod), step="address", text=text)
        if after.quarantined and not (before and before.quarantined):
            text = f"the cloud does not list {after.ip} at this node any more"
            yield PodChange(pod=str(pod), step="address", text=text, failed=True)
    elif after.fixed and isinstance(after.state, Held) and not isinstance(_state(before), Assigned):
        yield from _of_fixed(before, after, str(pod))
    elif isinstance(after.state, Held) and not (before and isinstance(before.state, Held)):
        yield PodChange(pod=str(pod), step="DEL", text=f"the sandbox is gone; {after.ip} is held for the Pod")
    yield from _of_eip(before if pod_before == pod else None, after, str(pod))


def _of_fixed(before: Address | None, after: Address, pod: str) -> Iterator[PodChange]:
    """Yield how a fixed address comes that no sandbox has had yet."""
    if before is None and after.quarantined:
        text = f"its fixed address {after.ip} is being assigned to {after.eni_id}"
    elif (before is None or before.quarantined) and not after.quarantined:
        text = f"its fixed address {after.ip} is at {after.eni_id}, and waits for its sandbox"
    else:
        return
    yield PodChange(pod=pod, step="address", text=text)


def _state(address: Address | None) -> State | None:
    return address.state if address is not None else None


def _left(before: Address, after: Address | None) -> Iterator[PodChange]:
    pod = str(before.pod)
    if after is None:
        yield PodChange(pod=pod, step="address", text=f"{before.ip} is gone from the node", failed=True)
    elif isinstance(after.state, Unbinding):
        eip = after.eip.eip_id if after.eip else ""
        yield PodChange(pod=pod, step="DEL", text=f"gives {before.ip} back; {eip} is being unbound")
    else:
        text = f"gives {before.ip} back, which is {type(after.state).__name__.lower()} now"
        yield PodChange(pod=pod, step="DEL", text=text)


def _of_eip(before: Address | None, after: Address, pod: str) -> Iterator[PodChange]:
    eip, was = after.eip, before.eip if before else None
    if eip is None:
        if was is not None:
            yield PodChange(pod=pod, step="bind", text=f"EIP {was.public_ip} ({was.eip_id}) is unbound")
        return
    if was is not None and (was.eip_id, was.stage) == (eip.eip_id, eip.stage):
        return
    told = {
        BindStage.BINDING: f"binding EIP {eip.public_ip} ({eip.eip_id}) to {after.ip} is begun",
        BindStage.BOUND: f"EIP {eip.public_ip} ({eip.eip_id}) is bound to {after.ip}",
        BindStage.UNBINDING: f"unbinding EIP {eip.public_ip} ({eip.eip_id}) is begun",
    }
    yield PodChange(pod=pod, step="bind", text=told[eip.stage])
