"""What a claim waits for, as a step and a reason: what the metrics count and an operator asks first. Pure."""

from dataclasses import dataclass
from enum import Enum

from ipamd.core.claim.eipclaim import (
    BOUND,
    EGRESS_THROUGH_EIP,
    PROVISIONED,
    READY,
    Claim,
    condition,
)


class ClaimStep(Enum):
    """What has to be done next for a claim."""

    ORDER = "order"
    """It has no EIP."""
    BIND = "bind"
    """It has one that does not reach the Pod."""
    RELEASE = "release"
    """It is deleted, and its EIP is not free yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimWait:
    """Why a claim is not where it should be."""

    step: ClaimStep
    reason: str
    """Of its condition Ready; `New` before it has one."""


class EgressPath(Enum):
    """By what the traffic of a bound claim's Pod leaves for the internet."""

    EIP = "eip"
    OTHER = "other"
    """A NAT gateway comes first."""
    UNKNOWN = "unknown"
    """The routes were not looked at yet, or cannot be."""


def wait_of(claim: Claim) -> ClaimWait | None:
    """Return what a claim waits for; None when its Pod has its EIP, or when no Pod waits for one."""
    reason = str(condition(claim.conditions, READY).get("reason") or "New")
    if claim.deleting:
        return ClaimWait(step=ClaimStep.RELEASE, reason=reason)
    gone = claim.pod is not None and claim.pod.last_seen is not None
    if gone or not claim.pod_uid or condition(claim.conditions, READY).get("status") == "True":
        return None
    refused = condition(claim.conditions, PROVISIONED).get("status") == "False"
    step = ClaimStep.ORDER if claim.address is None or refused else ClaimStep.BIND
    return ClaimWait(step=step, reason=reason)


def egress_path(claim: Claim) -> EgressPath | None:
    """Return by what a bound claim's Pod leaves; None for a claim that is not bound."""
    if claim.binding is None or condition(claim.conditions, BOUND).get("status") != "True":
        return None
    match condition(claim.conditions, EGRESS_THROUGH_EIP).get("status"):
        case "True":
            return EgressPath.EIP
        case "False":
            return EgressPath.OTHER
        case _:
            return EgressPath.UNKNOWN
