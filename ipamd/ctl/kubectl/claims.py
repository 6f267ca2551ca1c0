"""`kubectl eni claims`: the EIPClaims of the cluster, and what is wrong with them. Pure."""

from collections.abc import Iterable
from typing import Any, Final

from ipamd.core.claim import eipclaim, status
from ipamd.core.claim.eipclaim import Claim, condition
from ipamd.ctl.kubectl import claim_table
from ipamd.ctl.shape import Column

_TRUE: Final = "True"
_HINDRANCES: Final = (
    eipclaim.PROVISIONED,
    eipclaim.BOUND,
    eipclaim.USABLE,
    eipclaim.EGRESS_THROUGH_EIP,
    eipclaim.UP_TO_DATE,
)
"""In the order in which they have to be true; the first that is not is what is wrong."""


def problem(claim: Claim) -> str:
    """Return what keeps the Pod from its EIP as it is wanted, or that EIP from being used; empty for nothing.

    A claim without a Pod waits for the next one, which is no problem.
    """
    if claim.problem:
        return claim.problem
    for kind in _HINDRANCES:
        found = condition(claim.conditions, kind)
        if found.get("status") == "False" and (_has_pod(claim) or kind == eipclaim.PROVISIONED):
            return f"{found.get('reason')}: {found.get('message')}"
    return ""


def rows(claims: Iterable[Claim], ages_of: dict[str, str]) -> list[dict[str, Any]]:
    """Return a row for each claim; `ages_of` has the time of creation by UID."""
    return [_row(claim, ages_of.get(claim.uid, "")) for claim in sorted(claims, key=str)]


def _row(claim: Claim, created: str) -> dict[str, Any]:
    ready = condition(claim.conditions, eipclaim.READY)
    return {
        "namespace": claim.namespace,
        "name": claim.name,
        "phase": status.phase_of(claim).value,
        "ready": str(ready.get("status") or ""),
        "reason": str(ready.get("reason") or ""),
        "eipId": claim.address.eip_id if claim.address else "",
        "publicIp": claim.address.public_ip if claim.address else "",
        "owned": claim.address.owned if claim.address else None,
        "node": claim.binding.node if claim.binding else "",
        "privateIp": claim.binding.private_ip if claim.binding else "",
        "deleting": claim.deleting,
        "problem": problem(claim),
        "createdAt": created,
    }


def _has_pod(claim: Claim) -> bool:
    return not claim.deleting and claim.pod is not None and claim.pod.last_seen is None


SHAPE: Final = claim_table.shape(
    "EIPClaim",
    (
        Column("PUBLIC-IP", lambda row: row["publicIp"]),
        Column("EIP", lambda row: row["eipId"], wide=True),
        Column("NODE", lambda row: row["node"]),
        Column("PRIVATE-IP", lambda row: row["privateIp"], wide=True),
    ),
)
