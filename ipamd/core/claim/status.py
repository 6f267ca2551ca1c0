"""What is written into the status of an EIPClaim: merge patches that keep phase and conditions true.

Each function takes the claim as it was read and returns the body of a merge patch for the status subresource.
The patch names the resourceVersion that it was computed from, so that a claim that changed since is refused
with a conflict and read again: the agent and the controller never overwrite each other. Pure.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ipamd.core.claim.change_record import attributes_patch
from ipamd.core.claim.eipclaim import (
    BOUND,
    PROVISIONED,
    READY,
    USABLE,
    Claim,
    ClaimAddress,
    ClaimBinding,
    ClaimPod,
    Phase,
    condition,
)
from ipamd.core.claim.reason import FAILURES, Reason
from ipamd.core.model import Eip
from ipamd.core.text.sameness import essence
from ipamd.core.text.telling import one_line
from ipamd.core.timing import timestamps

_MESSAGE_LIMIT = 1024
"""Characters; metav1.Condition allows 32768, people read less."""


def phase_of(claim: Claim) -> Phase:
    """Return the phase that the rest of the claim amounts to."""
    if claim.deleting:
        return Phase.RELEASING
    if claim.address and condition(claim.conditions, USABLE).get("status") == "False":
        return Phase.FAILED
    if claim.address and claim.binding and condition(claim.conditions, BOUND).get("status") == "True":
        return Phase.BOUND
    needed = condition(claim.conditions, BOUND if claim.address else PROVISIONED)
    if needed.get("status") == "False" and needed.get("reason") in {r.value for r in FAILURES}:
        return Phase.FAILED
    return Phase.PROVISIONED if claim.address else Phase.PENDING


def serve(claim: Claim, pod: ClaimPod) -> dict[str, Any]:
    """Record the Pod that the claim serves, or that it is gone; agents bind for this UID only."""
    return _patch(replace(claim, pod=pod), {"pod": _pod_fields(pod)})


def begin_attempt(claim: Claim, attempt: int, now: float, pod: ClaimPod | None = None) -> dict[str, Any]:
    """Record that an EIP is about to be ordered: whoever comes after a crash knows that one may exist.

    And the Pod that the claim serves, if that is to be recorded as well.
    """
    allocation = {"attempt": attempt, "startedAt": timestamps.to_text(now)}
    changes = {"allocation": allocation, **attributes_patch(claim.request)}
    if pod is None:
        return _patch(claim, changes)
    return _patch(replace(claim, pod=pod), {**changes, "pod": _pod_fields(pod)})


def redate_attempt(claim: Claim, now: float) -> dict[str, Any]:
    """Record that the last order was begun now, as its date is still to come."""
    return _patch(claim, {"allocation": {"startedAt": timestamps.to_text(now)}})


def provisioned(
    claim: Claim, address: ClaimAddress, reason: Reason, now: float, *, request_id: str = ""
) -> dict[str, Any]:
    """Record the EIP of the claim, and whether it is ours to release.

    `request_id` is that of its order, empty where that is not known.
    """
    ordered = f", ordered with RequestId {request_id}" if request_id else ""
    conditions = with_condition(
        tuple(c for c in claim.conditions if c.get("type") != USABLE),  # that was of another EIP
        kind=PROVISIONED,
        status=True,
        reason=reason,
        message=f"{address.eip_id} ({address.public_ip}){ordered}",
        now=now,
    )
    return _patch(
        replace(claim, address=address, conditions=conditions),
        {
            "address": {"id": address.eip_id, "ip": address.public_ip, "owned": address.owned},
            "conditions": list(conditions),
        },
        now,
    )


def not_provisioned(
    claim: Claim, reason: Reason, message: str, now: float, *, certain: bool
) -> dict[str, Any] | None:
    """Record why the claim has no EIP; `certain` if nothing of the last order can have been carried out.

    None when the claim says all this, but for RequestIds and times.
    """
    forgets = certain and claim.allocation is not None and claim.allocation.started is not None
    if not forgets and says(claim, PROVISIONED, reason, message):
        return None
    conditions = with_condition(
        claim.conditions, kind=PROVISIONED, status=False, reason=reason, message=message, now=now
    )
    changes: dict[str, Any] = {"conditions": list(conditions)}
    if certain and claim.allocation:
        changes["allocation"] = {"startedAt": None}
    return _patch(replace(claim, conditions=conditions), changes, now)


def eip_lost(claim: Claim, message: str, now: float) -> dict[str, Any]:
    """Record that the claim's EIP does not exist any more.

    It is forgotten, so that the claim gets one anew: of a user's list, or by an order, which begins with an
    attempt, and so a ClientToken, of its own. One that the user put there without a list stays recorded: none
    is ordered in the place of a user's.
    """
    conditions = with_condition(
        claim.conditions, kind=PROVISIONED, status=False, reason=Reason.EIP_LOST, message=message, now=now
    )
    changes: dict[str, Any] = {"conditions": list(conditions)}
    listed = claim.request is not None and claim.request.order is None
    if claim.address is None or not (claim.address.owned or listed):
        return _patch(replace(claim, conditions=conditions), changes, now)
    attempt = claim.allocation.attempt if claim.allocation else 0
    changes |= {"address": None, "allocation": {"attempt": attempt + 1, "startedAt": None}}
    return _patch(replace(claim, address=None, conditions=conditions), changes, now)


def lock_of(eip: Eip) -> tuple[Reason | None, str]:
    """Return why nobody can use the EIP now, and what to do; None and "" when it can be used."""
    if eip.is_blocked:
        return Reason.EIP_BLOCKED, f"{eip.eip_id} is blocked (attack or abuse): see the console"
    if eip.is_arrears:
        return Reason.EIP_IN_ARREARS, f"{eip.eip_id} is isolated for arrears: top up the account"
    return None, ""


def locked(claim: Claim, reason: Reason | None, message: str, now: float) -> dict[str, Any] | None:
    """Record that the claim's EIP is locked, or is so no more; None when there is nothing new."""
    if reason is None and condition(claim.conditions, USABLE).get("status") != "False":
        return None
    if reason is not None and says(claim, USABLE, reason, message):
        return None
    conditions = with_condition(
        claim.conditions,
        kind=USABLE,
        status=reason is None,
        reason=reason or Reason.EIP_UNLOCKED,
        message=message or "the cloud has unlocked the EIP",
        now=now,
    )
    return _patch(replace(claim, conditions=conditions), {}, now)


def binding_begun(claim: Claim, binding: ClaimBinding, now: float) -> dict[str, Any]:
    """Record where the EIP is about to be associated; before the cloud is asked, by the agent of that node.

    From then on the controller leaves the EIP alone until the agent takes the binding back.
    """
    conditions = with_condition(
        claim.conditions,
        kind=BOUND,
        status=False,
        reason=Reason.BINDING,
        message=f"being bound to {binding.private_ip} on {binding.eni_id}",
        now=now,
    )
    return _patch(
        replace(claim, binding=binding, conditions=conditions),
        {"binding": _binding_fields(binding), "conditions": list(conditions)},
        now,
    )


def bound(claim: Claim, binding: ClaimBinding, now: float) -> dict[str, Any]:
    """Record where the EIP is associated; by the agent of that node."""
    conditions = with_condition(
        claim.conditions,
        kind=BOUND,
        status=True,
        reason=Reason.BOUND,
        message=f"to {binding.private_ip} on {binding.eni_id}",
        now=now,
    )
    return _patch(
        replace(claim, binding=binding, conditions=conditions),
        {"binding": _binding_fields(binding), "conditions": list(conditions)},
        now,
    )


def bind_failed(claim: Claim, reason: Reason, message: str, now: float) -> dict[str, Any] | None:
    """Record why the EIP could not be bound; None when the claim says so, but for RequestIds and times.

    Each repeat has a RequestId of its own, and one that changes nothing else is not worth a write.
    """
    if says(claim, BOUND, reason, message):
        return None
    conditions = with_condition(
        claim.conditions, kind=BOUND, status=False, reason=reason, message=message, now=now
    )
    return _patch(replace(claim, conditions=conditions), {"conditions": list(conditions)}, now)


def says(claim: Claim, kind: str, reason: Reason, message: str) -> bool:
    """Whether the claim says of a condition that it is false for this reason, with any RequestId and time."""
    return says_of(claim.conditions, kind, reason.value, message)


def says_of(conditions: tuple[Mapping[str, Any], ...], kind: str, reason: str, message: str) -> bool:
    """Whether one of the conditions is false for this reason, with any RequestId and time."""
    old = condition(conditions, kind)
    said, says = (essence(str(text)) for text in (old.get("message"), one_line(message, _MESSAGE_LIMIT)))
    return old.get("status") == "False" and old.get("reason") == reason and said == says


def unbound(claim: Claim, reason: Reason, message: str, now: float) -> dict[str, Any]:
    """Record that the EIP is associated nowhere."""
    conditions = with_condition(
        claim.conditions, kind=BOUND, status=False, reason=reason, message=message, now=now
    )
    return _patch(
        replace(claim, binding=None, conditions=conditions),
        {"binding": None, "conditions": list(conditions)},
        now,
    )


def with_condition(
    conditions: tuple[Mapping[str, Any], ...],
    *,
    kind: str,
    status: bool,
    reason: Reason,
    message: str,
    now: float,
) -> tuple[Mapping[str, Any], ...]:
    """Return the conditions with one of them set; its transition time changes only with its status."""
    return set_condition(conditions, kind, status=status, reason=reason.value, message=message, now=now)


def set_condition(
    conditions: tuple[Mapping[str, Any], ...],
    kind: str,
    *,
    status: bool,
    reason: str,
    message: str,
    now: float,
) -> tuple[Mapping[str, Any], ...]:
    """Return the conditions of any object of ours with one of them set, as `with_condition` does."""
    text = "True" if status else "False"
    old = condition(conditions, kind)
    since = old.get("lastTransitionTime") if old.get("status") == text else None
    new = {
        "type": kind,
        "status": text,
        "reason": reason,
        "message": one_line(message, _MESSAGE_LIMIT),
        "lastTransitionTime": since or timestamps.to_text(now),
    }
    return (*(c for c in conditions if c.get("type") != kind), new)


def _summed_up(claim: Claim, now: float) -> tuple[Mapping[str, Any], ...]:
    """Return the conditions with Ready, which repeats the reason of the one that the claim hangs on."""
    phase = phase_of(claim)
    provisioned = condition(claim.conditions, PROVISIONED)
    has_eip = claim.address is not None and provisioned.get("status") != "False"
    cause = condition(claim.conditions, BOUND) if has_eip else provisioned
    usable = condition(claim.conditions, USABLE)
    if has_eip and usable.get("status") == "False":
        cause = usable
    reason, message = str(cause.get("reason", "")), str(cause.get("message", ""))
    if phase is Phase.RELEASING:
        reason, message = phase.value, "the claim is being deleted"
    elif has_eip and not cause:
        reason, message = Reason.WAITING.value, "the agent of the Pod's node binds the EIP"
    status = has_eip and phase is Phase.BOUND
    return set_condition(claim.conditions, READY, status=status, reason=reason, message=message, now=now)


def _patch(after: Claim, changes: dict[str, Any], now: float | None = None) -> dict[str, Any]:
    """Return the patch; one that changes conditions, at the time `now`, brings Ready in step."""
    if now is not None:
        changes = {**changes, "conditions": list(_summed_up(after, now))}
    return {
        "metadata": {"resourceVersion": after.resource_version},
        "status": {**changes, "phase": phase_of(after).value},
    }


def _pod_fields(pod: ClaimPod) -> dict[str, str | None]:
    last_seen = None if pod.last_seen is None else timestamps.to_text(pod.last_seen)
    return {"uid": pod.uid, "node": pod.node, "lastSeen": last_seen}


def _binding_fields(binding: ClaimBinding) -> dict[str, str]:
    return {
        "node": binding.node,
        "eniID": binding.eni_id,
        "privateIP": binding.private_ip,
        "podUID": binding.pod_uid,
        "sandbox": binding.sandbox,
    }
