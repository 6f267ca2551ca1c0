"""What a claim's status says while its EIP is changed: the step, its outcome, the condition UpToDate.

Merge patches in the manner of `status`, which has the rest. Pure.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ipamd.core.claim import change_record
from ipamd.core.claim.change_record import ChangeRecord
from ipamd.core.claim.eip_change import ChangeStep
from ipamd.core.claim.eipclaim import UP_TO_DATE, Claim, condition
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.status import says, with_condition


def begun(claim: Claim, step: ChangeStep, now: float) -> dict[str, Any]:
    """Record a step that is about to be given to the cloud: who comes after a crash looks for its effect."""
    kind, value = step.goal
    record = ChangeRecord(kind=kind, value=value, started=now)
    return _patch(claim, record, reason=Reason.CHANGING, message=str(step), now=now)


def stopped(claim: Claim) -> dict[str, Any]:
    """Record that nothing of the step that was begun is under way: the cloud did not take it."""
    record = replace(claim.change or ChangeRecord(), started=None)
    return {
        "metadata": {"resourceVersion": claim.resource_version},
        "status": {"change": change_record.write(record)},
    }


def refused(claim: Claim, message: str, now: float, *, for_good: bool) -> dict[str, Any] | None:
    """Record why the EIP is not as the spec says, and if only an edit helps; None when the claim says so."""
    record = ChangeRecord(refused_generation=claim.generation if for_good else None)
    if (claim.change or ChangeRecord()) == record and says(claim, UP_TO_DATE, Reason.CHANGE_REFUSED, message):
        return None
    return _patch(claim, record, reason=Reason.CHANGE_REFUSED, message=message, now=now)


def finished(claim: Claim, message: str, now: float) -> dict[str, Any]:
    """Record that the EIP is as the spec says."""
    changes: dict[str, Any] = {"change": None, **change_record.attributes_patch(claim.request)}
    if claim.change is not None or condition(claim.conditions, UP_TO_DATE):
        changes["conditions"] = _conditions(claim, Reason.CHANGED, message, now)
    return {"metadata": {"resourceVersion": claim.resource_version}, "status": changes}


def _patch(claim: Claim, record: ChangeRecord, *, reason: Reason, message: str, now: float) -> dict[str, Any]:
    return {
        "metadata": {"resourceVersion": claim.resource_version},
        "status": {
            "change": change_record.write(record),
            "conditions": _conditions(claim, reason, message, now),
        },
    }


def _conditions(claim: Claim, reason: Reason, message: str, now: float) -> list[Mapping[str, Any]]:
    return list(
        with_condition(
            claim.conditions,
            kind=UP_TO_DATE,
            status=reason is Reason.CHANGED,
            reason=reason,
            message=message,
            now=now,
        )
    )
