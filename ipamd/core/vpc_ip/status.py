"""What is written into the status of a VpcIPClaim: merge patches that keep phase and conditions true.

Each function takes the claim as it was read and returns the body of a merge patch for the status subresource.
The patch names the resourceVersion that it was computed from, so that a claim that changed since is refused
with a conflict and read again: the agent and the controller never overwrite each other. The agent of a node
writes `assigning`, `assigned`, `assign_failed`, `address_in_use` and `unassigned`; the rest is the
controller's. Pure.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ipamd.core.claim.eipclaim import ClaimPod, Phase, condition
from ipamd.core.claim.status import says_of, set_condition
from ipamd.core.timing import timestamps
from ipamd.core.vpc_ip.reason import ADDRESS_FAILURES, VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import (
    ASSIGNED,
    PROVISIONED,
    READY,
    RESERVED,
    AddressBinding,
    AddressOrder,
    FixedAddress,
    VpcIpClaim,
)

MOST_REFUSED = 20
"""Addresses that are remembered as somebody else's; the oldest are forgotten first."""
_FAILURES = frozenset(reason.value for reason in ADDRESS_FAILURES)


def phase_of(claim: VpcIpClaim) -> Phase:
    """Return the phase that the rest of the claim amounts to."""
    if claim.deleting:
        return Phase.RELEASING
    if claim.address and claim.binding and condition(claim.conditions, ASSIGNED).get("status") == "True":
        return Phase.BOUND
    needed = condition(claim.conditions, ASSIGNED if claim.address else PROVISIONED)
    if needed.get("status") == "False" and needed.get("reason") in _FAILURES:
        return Phase.FAILED
    return Phase.PROVISIONED if claim.address else Phase.PENDING


def assigning(claim: VpcIpClaim, binding: AddressBinding, now: float) -> dict[str, Any]:
    """Record where the address is about to be assigned, before the cloud is asked; by that node's agent.

    From then on the controller leaves the address alone until the agent takes the binding back.
    """
    conditions = _set(
        claim,
        ASSIGNED,
        holds=False,
        reason=VpcIpReason.ASSIGNING,
        message=f"being assigned to {binding.eni_id}",
        now=now,
    )
    after = replace(claim, binding=binding, conditions=conditions)
    return _patch(after, {"binding": _binding_fields(binding)}, now)


def assigned(claim: VpcIpClaim, binding: AddressBinding, now: float) -> dict[str, Any]:
    """Record where the address is, as the cloud lists it; by the agent of that node."""
    ip = claim.address.ip if claim.address else ""
    conditions = _set(
        claim,
        ASSIGNED,
        holds=True,
        reason=VpcIpReason.ASSIGNED,
        message=f"{ip} to {binding.eni_id} of node {binding.node}",
        now=now,
    )
    after = replace(claim, binding=binding, assigned_ip=ip, conditions=conditions)
    return _patch(after, {"binding": _binding_fields(binding), "assignedIP": ip}, now)


def assign_failed(claim: VpcIpClaim, reason: VpcIpReason, message: str, now: float) -> dict[str, Any] | None:
    """Record why the address could not be assigned; None when the claim says so, but for RequestIds."""
    if says_of(claim.conditions, ASSIGNED, reason.value, message):
        return None
    conditions = _set(claim, ASSIGNED, holds=False, reason=reason, message=message, now=now)
    return _patch(replace(claim, conditions=conditions), {}, now)


def address_in_use(claim: VpcIpClaim, message: str, now: float) -> dict[str, Any]:
    """Record that the cloud has refused to assign the address, as somebody uses it; it is at no ENI of ours.

    The controller chooses another one for a claim whose address no Pod has had.
    """
    return unassigned(claim, VpcIpReason.ADDRESS_IN_USE, message, now)


def unassigned(claim: VpcIpClaim, reason: VpcIpReason, message: str, now: float) -> dict[str, Any]:
    """Record that the address is at no ENI."""
    conditions = _set(claim, ASSIGNED, holds=False, reason=reason, message=message, now=now)
    return _patch(replace(claim, binding=None, conditions=conditions), {"binding": None}, now)


def serve(claim: VpcIpClaim, pod: ClaimPod) -> dict[str, Any]:
    """Record the Pod that the claim serves, or that it is gone; agents assign for this UID only."""
    last_seen = None if pod.last_seen is None else timestamps.to_text(pod.last_seen)
    return _patch(replace(claim, pod=pod), {"pod": {"uid": pod.uid, "node": pod.node, "lastSeen": last_seen}})


def begin_order(claim: VpcIpClaim, order: AddressOrder) -> dict[str, Any]:
    """Record what is about to be asked: whoever comes after a crash knows that it may exist."""
    return _patch(claim, {"allocation": _order_fields(order)})


def redate_order(claim: VpcIpClaim, now: float) -> dict[str, Any]:
    """Record that the last order was begun now, as its date is still to come."""
    return _patch(claim, {"allocation": {"startedAt": timestamps.to_text(now)}})


def end_order(claim: VpcIpClaim) -> dict[str, Any]:
    """Record that nothing of the last order is to come any more."""
    return _patch(claim, {"allocation": {"startedAt": None}})


def provisioned(
    claim: VpcIpClaim, address: FixedAddress, reason: VpcIpReason, message: str, now: float
) -> dict[str, Any]:
    """Record the address of the claim, and whether VPC or ENI keep it; the reason is that of Reserved."""
    conditions = _set(
        claim,
        PROVISIONED,
        holds=True,
        reason=VpcIpReason.CHOSEN,
        message=f"{address.ip} in {address.subnet_id}",
        now=now,
    )
    conditions = set_condition(
        tuple(c for c in conditions if c.get("type") != ASSIGNED or claim.binding),
        RESERVED,
        status=address.is_reserved,
        reason=reason.value,
        message=message,
        now=now,
    )
    fields = {
        "ip": address.ip,
        "subnetID": address.subnet_id,
        "zone": address.zone or None,
        "reservationID": address.reservation_id or None,
        "eniID": address.eni_id or None,
    }
    changes: dict[str, Any] = {"address": fields}
    if address.is_reserved:  # else what was asked for may still turn up
        changes["allocation"] = {"startedAt": None}
    return _patch(replace(claim, address=address, conditions=conditions), changes, now)


def not_provisioned(
    claim: VpcIpClaim, reason: VpcIpReason, message: str, now: float
) -> dict[str, Any] | None:
    """Record why the claim has no address; None when it says so, but for RequestIds and times."""
    if says_of(claim.conditions, PROVISIONED, reason.value, message):
        return None
    conditions = _set(claim, PROVISIONED, holds=False, reason=reason, message=message, now=now)
    return _patch(replace(claim, conditions=conditions), {}, now)


def not_reserved(claim: VpcIpClaim, reason: VpcIpReason, message: str, now: float) -> dict[str, Any] | None:
    """Record why the VPC does not keep the claim's address; None when it says so, but for RequestIds.

    A reservation or an ENI that was recorded is forgotten: it does not exist any more.
    """
    forgets = claim.address is not None and claim.address.is_reserved
    if not forgets and says_of(claim.conditions, RESERVED, reason.value, message):
        return None
    conditions = _set(claim, RESERVED, holds=False, reason=reason, message=message, now=now)
    changes: dict[str, Any] = {"allocation": {"startedAt": None}} if claim.allocation.attempt else {}
    if claim.address is None:
        return _patch(replace(claim, conditions=conditions), changes, now)
    address = replace(claim.address, reservation_id="", eni_id="")
    changes |= {"address": {"reservationID": None, "eniID": None}}
    return _patch(replace(claim, address=address, conditions=conditions), changes, now)


def given_up(claim: VpcIpClaim, reason: VpcIpReason, message: str, now: float) -> dict[str, Any]:
    """Record that only the book keeps the address now; what the agent was refused before counts no more."""
    conditions = _set(claim, RESERVED, holds=False, reason=reason, message=message, now=now)
    conditions = tuple(c for c in conditions if c.get("type") != ASSIGNED or claim.binding)
    address = replace(claim.address, reservation_id="") if claim.address else None
    after = replace(claim, address=address, conditions=conditions)
    return _patch(after, {"address": {"reservationID": None}, "allocation": {"startedAt": None}}, now)


def releasing(claim: VpcIpClaim, now: float) -> dict[str, Any] | None:
    """Record that a deleted claim waits, and for what; None when it says so."""
    if says_of(claim.conditions, READY, Phase.RELEASING.value, _awaited(claim)):
        return None
    return _patch(claim, {}, now)


def refuse_address(claim: VpcIpClaim, message: str, now: float) -> dict[str, Any]:
    """Take from a claim an address that is somebody else's, and remember that it is."""
    refused = claim.refused_ips
    if claim.address:
        refused = (*(ip for ip in refused if ip != claim.address.ip), claim.address.ip)[-MOST_REFUSED:]
    conditions = set_condition(
        tuple(c for c in claim.conditions if c.get("type") not in (ASSIGNED, RESERVED)),
        PROVISIONED,
        status=False,
        reason=VpcIpReason.ADDRESS_IN_USE.value,
        message=message,
        now=now,
    )
    after = replace(claim, address=None, refused_ips=refused, conditions=conditions)
    changes = {"address": None, "refusedIPs": list(refused), "allocation": {"startedAt": None}}
    return _patch(after, changes, now)


def _set(
    claim: VpcIpClaim, kind: str, *, holds: bool, reason: VpcIpReason, message: str, now: float
) -> tuple[Mapping[str, Any], ...]:
    return set_condition(claim.conditions, kind, status=holds, reason=reason.value, message=message, now=now)


def _summed_up(claim: VpcIpClaim, now: float) -> tuple[Mapping[str, Any], ...]:
    """Return the conditions with Ready, which repeats the reason of the one that the claim hangs on."""
    phase = phase_of(claim)
    cause = condition(claim.conditions, ASSIGNED if claim.address else PROVISIONED)
    reason, message = str(cause.get("reason", "")), str(cause.get("message", ""))
    if phase is Phase.RELEASING:
        reason, message = phase.value, _awaited(claim)
    elif not cause:
        reason, message = VpcIpReason.WAITING.value, "the agent of the Pod's node assigns the address"
    ready = phase is Phase.BOUND
    return set_condition(claim.conditions, READY, status=ready, reason=reason, message=message, now=now)


def _awaited(claim: VpcIpClaim) -> str:
    """Return what a deleted claim waits for."""
    if claim.binding is None or claim.address is None:
        return "the claim is being deleted"
    return (
        f"the claim is being deleted: {claim.address.ip} is given back when Pod {claim} is gone and the "
        f"agent of node {claim.binding.node} has unassigned it"
    )


def _patch(after: VpcIpClaim, changes: dict[str, Any], now: float | None = None) -> dict[str, Any]:
    """Return the patch; one that changes conditions, at the time `now`, brings Ready in step."""
    if now is not None:
        changes = {**changes, "conditions": list(_summed_up(after, now))}
    return {
        "metadata": {"resourceVersion": after.resource_version},
        "status": {**changes, "phase": phase_of(after).value},
    }


def _binding_fields(binding: AddressBinding) -> dict[str, str]:
    return {"node": binding.node, "eniID": binding.eni_id, "podUID": binding.pod_uid}


def _order_fields(order: AddressOrder) -> dict[str, Any]:
    return {
        "attempt": order.attempt,
        "subnetID": order.subnet_id,
        "ip": order.ip or None,
        "startedAt": None if order.started is None else timestamps.to_text(order.started),
    }
