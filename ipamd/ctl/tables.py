"""How the answers about a node and its cloud look to people; what does not fit in 100 columns is "wide"."""

from collections.abc import Callable, Sequence

from ipamd.ctl import ages
from ipamd.ctl.shape import Block, Column, Facts, Line, Plain, Shape, Table


def _status(answer: Plain, now: float) -> Sequence[Block]:
    """Who the node is, what it can still take, and what is wrong."""
    pool = answer["pool"]
    addresses = (
        f"{pool['inUse']} in use, {pool['warm']} warm (target {pool['minWarm']} to {pool['maxWarm']}), "
        f"{pool['held']} held, {pool['cooling']} cooling, {pool['quarantined']} quarantined"
    )
    facts = [
        ("Node", f"{answer['node']} ({answer['instanceId']})"),
        ("Where", f"{answer['region']}, {answer['zone']}, {answer['vpcId']}, {answer['subnetId']}"),
        ("Agent", f"{answer['version']}, started {ages.ago(answer['startedAt'], now)}"),
        ("Capacity", ", ".join(f"{name} {count}" for name, count in sorted(answer["capacity"].items()))),
        ("Addresses", f"{pool['total']} of at most {pool['limit']}"),
        ("", addresses),
        ("Doing", pool["activity"] or "nothing: the pool is at its target"),
    ]
    if not answer["problems"]:
        facts.append(("Ready", "the node takes Pods"))
    return [
        Facts(facts),
        *(Line("PROBLEM", problem) for problem in answer["problems"]),
        *(Line("NOTICE", notice) for notice in answer["notices"]),
    ]


def _pods(answer: Plain, now: float) -> Sequence[Block]:
    """One line for each Pod that has an address."""
    columns = (
        Column("NAMESPACE", lambda pod: pod["namespace"]),
        Column("POD", lambda pod: pod["name"]),
        Column("PRIVATE-IP", lambda pod: pod["privateIp"]),
        Column("ENI", lambda pod: pod["eniId"], wide=True),
        Column("LINK", lambda pod: pod["hostInterface"], wide=True),
        Column("EIP", lambda pod: pod["eipId"], wide=True),
        Column("PUBLIC-IP", lambda pod: pod["publicIp"]),
        Column("EIP-STATE", lambda pod: pod["eipState"]),
        Column("AGE", lambda pod: ages.since(pod["addedAt"], now)),
    )
    return [Table(columns, answer["pods"], empty="no Pod of this node has an address")]


def _enis(answer: Plain, _: float) -> Sequence[Block]:
    """One line for each ENI of the node."""
    columns = (
        Column("ENI", lambda eni: eni["eniId"]),
        Column("LINK", lambda eni: eni["interface"]),
        Column("MAC", lambda eni: eni["mac"], wide=True),
        Column("SUBNET", lambda eni: eni["subnetId"]),
        Column("KIND", lambda eni: "primary" if eni["primary"] else "secondary", wide=True),
        Column("STATE", lambda eni: eni["state"]),
        Column("TABLE", lambda eni: str(eni["routeTable"] or "")),
        Column("IN-USE", lambda eni: str(eni["inUse"])),
        Column("ADDRESSES", lambda eni: f"{eni['addresses']} of {eni['addressLimit']}"),
    )
    return [Table(columns, answer["enis"], empty="the agent knows no ENI")]


def _eips(answer: Plain, _: float) -> Sequence[Block]:
    """One line for each EIP at an address of this node, and under the table what went wrong last."""
    columns = (
        Column("EIP", lambda eip: eip["eipId"]),
        Column("PUBLIC-IP", lambda eip: eip["publicIp"]),
        Column("PRIVATE-IP", lambda eip: eip["privateIp"]),
        Column("NAMESPACE", lambda eip: eip["namespace"]),
        Column("POD", lambda eip: eip["name"]),
        Column("STATE", lambda eip: eip["state"]),
    )
    return [
        Table(columns, answer["eips"], empty="no EIP is bound to an address of this node"),
        *(
            Line("PROBLEM", f"{eip['namespace']}/{eip['name']}: {eip['lastError']}")
            for eip in answer["eips"]
            if eip["lastError"]
        ),
    ]


def _cleanup(answer: Plain, _: float) -> Sequence[Block]:
    """One line for each EIP that the cluster's tags own, and what becomes of it."""
    columns = (
        Column("EIP", lambda eip: eip["eipId"]),
        Column("PUBLIC-IP", lambda eip: eip["publicIp"]),
        Column("STATE", lambda eip: eip["state"]),
        Column("BOUND-TO", lambda eip: eip["boundTo"], wide=True),
        Column("CLAIM", lambda eip: eip["claim"]),
        Column("CLAIM-UID", lambda eip: eip["claimUid"], wide=True),
        Column("AGE", lambda eip: "" if eip["ageSeconds"] is None else ages.age(eip["ageSeconds"])),
        Column("ACTION", lambda eip: eip["action"]),
        Column("RESULT", lambda eip: eip["result"]),
    )
    return [
        Table(columns, answer["eips"], empty=f"no EIP has the tags of cluster {answer['clusterId']}"),
        *(Line("LEFT", f"{eip['eipId']}: {eip['message']}") for eip in answer["eips"] if eip["message"]),
    ]


def _names(key: str, field: str) -> Callable[[Plain], Sequence[str]]:
    return lambda answer: [entry[field] for entry in answer[key] if entry[field]]


def _objects(key: str) -> Callable[[Plain], Sequence[str]]:
    return lambda answer: [f"{entry['namespace']}/{entry['name']}" for entry in answer[key]]


STATUS = Shape(_status, lambda answer: [answer["node"]])
PODS = Shape(_pods, _objects("pods"))
ENIS = Shape(_enis, _names("enis", "eniId"))
EIPS = Shape(_eips, _names("eips", "eipId"))
CLEANUP = Shape(_cleanup, _names("eips", "eipId"))
