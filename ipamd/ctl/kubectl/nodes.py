"""`kubectl eni nodes`: all nodes at a glance, the worst first. Pure: objects of the API in, rows out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ipamd.core.claim.eipclaim import Claim
from ipamd.core.kubernetes import capacity, node_condition, nodes
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.ctl import ages
from ipamd.ctl.kubectl import claims as claim_rows
from ipamd.ctl.kubectl import fixed_ips
from ipamd.ctl.shape import Block, Column, Line, Plain, Shape, Table

_READY: Final = "True"
_ORDER: Final = {"False": 0, "Unknown": 1, "": 2, "True": 3}


def rows(
    node_objects: Iterable[Mapping[str, Any]],
    agents: Mapping[str, Mapping[str, Any]],
    pods_on: Mapping[str, int],
    claims: Sequence[Claim],
    fixed: Sequence[VpcIpClaim],
    fixed_pods: Mapping[str, PodView],
) -> list[dict[str, Any]]:
    """Return a row for each Node that an agent serves, has served, or should serve.

    `fixed_pods` has the Pods of the names of the fixed addresses.
    """
    bound = Counter(claim.binding.node for claim in claims if claim.binding)
    troubled = Counter(_node_of(claim) for claim in claims if claim_rows.problem(claim))
    waiting = Counter(
        pod.node if (pod := fixed_pods.get(str(claim))) else claim.pod.node if claim.pod else ""
        for claim in fixed
        if fixed_ips.problem(claim, fixed_pods.get(str(claim)))
    )
    found = [
        _row(obj, agents.get(obj["metadata"]["name"]), pods_on, bound, troubled, waiting)
        for obj in node_objects
        if nodes.view(obj).instance_type != nodes.SUPER_NODE
    ]
    return sorted(found, key=lambda row: (not row["problem"], _ORDER.get(row["ready"], 2), row["node"]))


def holds_address(pod: PodView) -> bool:
    """Whether a Pod takes one of the addresses of its node."""
    return bool(pod.node) and not pod.host_network and not pod.finished


def _row(
    obj: Mapping[str, Any],
    agent: Mapping[str, Any] | None,
    pods_on: Mapping[str, int],
    bound: Mapping[str, int],
    troubled: Mapping[str, int],
    waiting: Mapping[str, int],
) -> dict[str, Any]:
    name = obj["metadata"]["name"]
    said = node_condition.shown(obj)
    ready = str(said.get("status") or "")
    offered = (obj.get("status") or {}).get("allocatable") or {}
    return {
        "node": name,
        "ready": ready,
        "reason": str(said.get("reason") or ""),
        "message": str(said.get("message") or ""),
        "since": str(said.get("lastTransitionTime") or ""),
        "agent": agent["metadata"]["name"] if agent else "",
        "version": _version(agent),
        "addressesUsed": pods_on.get(name, 0),
        "addresses": _number(offered.get(capacity.ENI_IP_RESOURCE)),
        "eipsUsed": bound.get(name, 0),
        "eips": _number(offered.get(capacity.EIP_RESOURCE)),
        "claimsWithProblems": troubled.get(name, 0),
        "fixedIpsWithProblems": waiting.get(name, 0),
        "problem": _problem(said, agent, troubled.get(name, 0), waiting.get(name, 0)),
        "createdAt": str(obj["metadata"].get("creationTimestamp") or ""),
    }


def _problem(said: Mapping[str, Any], agent: Mapping[str, Any] | None, troubled: int, waiting: int) -> str:
    """Return the worst that is known of the node; empty when nothing is."""
    if agent is None:
        return "no Pod of the agent is on it: see kubectl -n kube-system describe ds tke-eni-agent"
    if said and said.get("status") != _READY:
        return f"{said.get('reason')}: {said.get('message')}"
    if fault := _fault_of_agent(agent):
        return fault
    if troubled:
        return f"{troubled} EIPClaims of its Pods have a problem: kubectl eni claims --problems"
    if waiting:
        return f"{waiting} VpcIPClaims of its Pods have a problem: kubectl eni fixed-ips --problems"
    return ""


def _fault_of_agent(agent: Mapping[str, Any]) -> str:
    status = agent.get("status") or {}
    if any(c.get("type") == "Ready" and c.get("status") == _READY for c in status.get("conditions") or ()):
        return ""
    waiting = [
        (container.get("state") or {}).get("waiting") or {}
        for container in (
            *(status.get("initContainerStatuses") or ()),
            *(status.get("containerStatuses") or ()),
        )
    ]
    reason = next((state["reason"] for state in waiting if state.get("reason")), status.get("phase") or "new")
    name = agent["metadata"]["name"]
    return f"the agent's Pod {name} is not ready ({reason}): kubectl -n kube-system logs {name}"


def _version(agent: Mapping[str, Any] | None) -> str:
    containers = agent["spec"].get("containers") or () if agent else ()
    image = next((str(c.get("image")) for c in containers if c.get("name") == "agent"), "")
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return tag.partition("@")[0] if colon else ""


def _number(quantity: object) -> int | None:
    return int(quantity) if isinstance(quantity, str) and quantity.isdecimal() else None


def _node_of(claim: Claim) -> str:
    if claim.binding:
        return claim.binding.node
    return claim.pod.node if claim.pod else ""


def _of(used: int, number: int | None) -> str:
    return f"{used}/{number}" if number is not None else str(used)


def _blocks(answer: Plain, now: float) -> Sequence[Block]:
    columns = (
        Column("NODE", lambda row: row["node"]),
        Column("READY", lambda row: row["ready"]),
        Column("REASON", lambda row: row["reason"]),
        Column("FOR", lambda row: ages.since(row["since"], now)),
        Column("AGENT", lambda row: row["version"]),
        Column("AGENT-POD", lambda row: row["agent"], wide=True),
        Column("SAYS", lambda row: row["message"] if row["ready"] == _READY else "", wide=True),
        Column("ADDRESSES", lambda row: _of(row["addressesUsed"], row["addresses"])),
        Column("EIPS", lambda row: _of(row["eipsUsed"], row["eips"])),
        Column("AGE", lambda row: ages.since(row["createdAt"], now)),
    )
    entries = answer["nodes"]
    worse = [row for row in entries if row["problem"]]
    return [
        Table(columns, entries, empty="the cluster has no Nodes that an agent serves"),
        *(Line("PROBLEM", f"{row['node']}: {row['problem']}") for row in worse),
    ]


SHAPE: Final = Shape(_blocks, lambda answer: [row["node"] for row in answer["nodes"]])
