"""What the status of an EIPPool says: which EIPs it has, who has them, who waits, and what is wrong. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ipamd.core.claim.eipclaim import condition
from ipamd.core.eip_pool.eippool import READY, EipPool
from ipamd.core.model import Eip, EipStatus
from ipamd.core.text.telling import one_line
from ipamd.core.timing import timestamps

_MESSAGE_LIMIT = 1024
MOST_WAITING = 20
"""Claims of the line that are named, and that hear of each change of their place."""
MOST_LISTED = 100
"""EIPs that are named one by one: an object of etcd has 1.5 MiB, and each change writes the list again."""


class PoolReason(Enum):
    """Why the condition Ready is as it is; refusals of the cloud have the words of the claim's conditions."""

    READY = "Ready"
    EXHAUSTED = "Exhausted"
    """All EIPs are taken and claims wait; it is True, as the pool works as it was told to."""
    INVALID = "InvalidSpec"
    DELETING = "Deleting"
    NO_EIPS = "NoEIPs"
    EIP_NOT_SHOWN = "EIPNotShown"


class PoolEipState(Enum):
    """What an EIP of a pool is."""

    FREE = "Free"
    HELD = "Held"
    CHANGING = "Changing"
    """Being created, unbound or released."""
    UNUSABLE = "Unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSight:
    """The pool as it was seen in one pass."""

    eips: Mapping[str, Eip] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Ids of the spec that do not exist."""
    holders: Mapping[str, str] = field(default_factory=dict)
    """namespace/name of the claim that has an EIP, by the EIP's id."""
    line: tuple[str, ...] = ()
    """namespace/name of the claims that wait, in their order."""
    refusal: tuple[str, str] | None = None
    """Reason and message of what the cloud refuses, or what is wrong with the pool."""


def state_of(eip: Eip, sight: PoolSight, releasing: Iterable[str] = ()) -> PoolEipState:
    """Return what the EIP is to the pool."""
    if eip.eip_id in sight.holders:
        return PoolEipState.HELD
    if eip.is_blocked or eip.is_arrears or eip.cascade_release or eip.bound:
        return PoolEipState.UNUSABLE
    if eip.eip_id in releasing or eip.status is not EipStatus.UNBIND or not eip.public_ip:
        return PoolEipState.CHANGING
    return PoolEipState.FREE


def counts(pool: EipPool, sight: PoolSight) -> dict[PoolEipState, int]:
    """Return how many EIPs of the pool are in each state."""
    states = [state_of(eip, sight, pool.releasing) for eip in sight.eips.values()]
    return {state: states.count(state) for state in PoolEipState}


def patch(pool: EipPool, sight: PoolSight, now: float) -> dict[str, Any] | None:
    """Return the merge patch that brings the status in step; None when it is."""
    number = counts(pool, sight)
    said = {
        "observedGeneration": pool.generation,
        "total": len(sight.eips),
        "free": number[PoolEipState.FREE],
        "bound": number[PoolEipState.HELD],
        "waiting": len(sight.line),
        "waitingClaims": list(sight.line[:MOST_WAITING]),
        "addresses": [_address(pool, sight, eip) for eip in _listed(pool, sight)],
        "addressesOmitted": max(0, len(sight.eips) - MOST_LISTED) or None,
        "conditions": [_ready(pool, sight, now)],
    }
    if all(pool.status.get(name) == value for name, value in said.items()):
        return None
    return _patch(pool, said)


def begin_order(pool: EipPool, attempt: int, now: float) -> dict[str, Any]:
    """Record that an EIP is about to be ordered: whoever comes after a crash knows that one may exist."""
    started = timestamps.to_text(now)
    return _patch(
        pool, {"allocation": {"attempt": attempt, "startedAt": started, "id": None, "taskID": None}}
    )


def redate_order(pool: EipPool, now: float) -> dict[str, Any]:
    """Record that the last order was begun now, as its date is still to come."""
    return _patch(pool, {"allocation": {"startedAt": timestamps.to_text(now)}})


def order_accepted(pool: EipPool, eip_id: str, task_id: str) -> dict[str, Any]:
    """Record what the cloud has promised."""
    created = sorted({*pool.created, eip_id})
    return _patch(pool, {"allocation": {"id": eip_id, "taskID": task_id}, "created": created})


def end_order(pool: EipPool, *, failed: bool = False) -> dict[str, Any]:
    """Record that nothing of the order is to come any more, or nothing at all if it has failed."""
    changes: dict[str, Any] = {"allocation": {"startedAt": None, "id": None, "taskID": None}}
    if failed and pool.allocation.eip_id:
        changes["created"] = sorted({*pool.created} - {pool.allocation.eip_id})
    return _patch(pool, changes)


def with_lists(pool: EipPool, *, created: Iterable[str], releasing: Iterable[str]) -> dict[str, Any]:
    """Record which EIPs there are, and which of them are being released: no claim gets one of those."""
    return _patch(pool, {"created": sorted(created), "releasing": sorted(releasing)})


def _patch(pool: EipPool, changes: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": pool.resource_version}, "status": changes}


def _listed(pool: EipPool, sight: PoolSight) -> list[Eip]:
    """Choose what is named where not all can be: first what somebody may have to look after."""
    urgency = (PoolEipState.UNUSABLE, PoolEipState.CHANGING, PoolEipState.HELD, PoolEipState.FREE)
    first = sorted(
        sight.eips.values(),
        key=lambda eip: (urgency.index(state_of(eip, sight, pool.releasing)), eip.eip_id),
    )
    return sorted(first[:MOST_LISTED], key=lambda eip: eip.eip_id)


def _address(pool: EipPool, sight: PoolSight, eip: Eip) -> dict[str, str]:
    said = {"id": eip.eip_id, "ip": eip.public_ip, "state": state_of(eip, sight, pool.releasing).value}
    if holder := sight.holders.get(eip.eip_id):
        return {**said, "claim": holder}
    return {**said, "boundTo": eip.place} if eip.bound else said


def _ready(pool: EipPool, sight: PoolSight, now: float) -> dict[str, Any]:
    status, reason, message = _readiness(pool, sight)
    old = condition(tuple(pool.status.get("conditions") or ()), READY)
    since = old.get("lastTransitionTime") if old.get("status") == status else None
    return {
        "type": READY,
        "status": status,
        "reason": reason,
        "message": one_line(message, _MESSAGE_LIMIT),
        "lastTransitionTime": since or timestamps.to_text(now),
        "observedGeneration": pool.generation,
    }


def _readiness(pool: EipPool, sight: PoolSight) -> tuple[str, str, str]:
    if pool.deleting:
        held = ", ".join(f"{i} by {claim}" for i, claim in sorted(sight.holders.items())) or "none"
        message = f"what was created for the pool and is free is released; still held: {held}"
        return "False", PoolReason.DELETING.value, message
    if pool.spec is None:
        return "False", PoolReason.INVALID.value, pool.problem
    if sight.refusal:
        return "False", *sight.refusal
    if sight.missing:
        there = f"{', '.join(sight.missing)} of spec.addressIDs do not exist in this account and region"
        return "False", "EIPNotFound", f"{there}: correct the list"
    if not sight.eips and not pool.spec.order:
        none = f"there is no EIP {pool.spec.selector}: give one the tag or name"
        return "False", PoolReason.NO_EIPS.value, none
    number = counts(pool, sight)
    text = (
        f"{len(sight.eips)} EIPs, {number[PoolEipState.FREE]} free, {number[PoolEipState.HELD]} held, "
        f"{len(sight.line)} claims wait"
    )
    if sight.line and not number[PoolEipState.FREE]:
        return "True", PoolReason.EXHAUSTED.value, text
    return "True", PoolReason.READY.value, text
