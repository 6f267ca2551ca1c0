"""`kubectl eni fixed-ips`: the VpcIPClaims of the cluster with their addresses, and what is wrong. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ipamd.core.claim.eipclaim import condition
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip import status, waits
from ipamd.core.vpc_ip.vpcipclaim import READY, RESERVED, VpcIpClaim
from ipamd.ctl.kubectl import claim_table
from ipamd.ctl.shape import Column

_KEPT_BY: Final = {"vpc": "yes", "eni": "by its ENI", "book": "no", "": ""}


def problem(claim: VpcIpClaim, pod: PodView | None) -> str:
    """Return what keeps the Pod of the claim's name from its address; empty for nothing.

    A kept claim waits for the next Pod of its name, and a deleted one for the end of its Pod: no problems.
    """
    if claim.problem:
        return claim.problem
    wait = None if claim.deleting else waits.wait_of(claim, pod)
    return f"{wait.reason}: {wait.message or 'the controller has not come to it yet'}" if wait else ""


def rows(
    claims: Iterable[VpcIpClaim], ages_of: dict[str, str], pods: Mapping[str, PodView]
) -> list[dict[str, Any]]:
    """Return a row for each claim; `ages_of` has the time of creation by UID, `pods` the Pods by name."""
    return [
        _row(claim, ages_of.get(claim.uid, ""), pods.get(str(claim))) for claim in sorted(claims, key=str)
    ]


def kept_by(claim: VpcIpClaim) -> str:
    """Return who keeps the address from others: `vpc`, `eni` (its own), or the cluster's `book` alone."""
    if claim.address is None:
        return ""
    if claim.address.eni_id:
        return "eni"
    return "vpc" if claim.address.reservation_id else "book"


def _row(claim: VpcIpClaim, created: str, pod: PodView | None) -> dict[str, Any]:
    ready = condition(claim.conditions, READY)
    reserved = condition(claim.conditions, RESERVED)
    return {
        "namespace": claim.namespace,
        "name": claim.name,
        "phase": status.phase_of(claim).value,
        "ready": str(ready.get("status") or ""),
        "reason": str(ready.get("reason") or ""),
        "ip": claim.address.ip if claim.address else "",
        "subnetId": claim.address.subnet_id if claim.address else "",
        "zone": claim.address.zone if claim.address else "",
        "keptBy": kept_by(claim),
        "notReserved": str(reserved.get("message") or "") if reserved.get("status") == "False" else "",
        "node": claim.binding.node if claim.binding else "",
        "eniId": claim.binding.eni_id if claim.binding else "",
        "exclusive": claim.exclusive,
        "deleting": claim.deleting,
        "problem": problem(claim, pod),
        "createdAt": created,
    }


SHAPE: Final = claim_table.shape(
    "VpcIPClaim",
    (
        Column("IP", lambda row: row["ip"]),
        Column("SUBNET", lambda row: row["subnetId"], wide=True),
        Column("RESERVED", lambda row: _KEPT_BY[row["keptBy"]]),
        Column("NODE", lambda row: row["node"]),
        Column("ENI", lambda row: row["eniId"], wide=True),
    ),
)
