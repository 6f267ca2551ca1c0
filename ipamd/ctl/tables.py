"""Introspection answers as tables for a terminal: plain values in, text out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Plain = Mapping[str, Any]


def status(answer: Plain) -> str:
    """Who the node is, what it can still take, and what is wrong."""
    pool = answer["pool"]
    addresses = (
        f"{pool['inUse']} in use, {pool['warm']} warm (target {pool['minWarm']} to {pool['maxWarm']}), "
        f"{pool['held']} held, {pool['cooling']} cooling, {pool['quarantined']} quarantined"
    )
    facts = [
        ("Node", f"{answer['node']} ({answer['instanceId']})"),
        ("Where", f"{answer['region']}, {answer['zone']}, {answer['vpcId']}, {answer['subnetId']}"),
        ("Agent", f"{answer['version']}, since {answer['startedAt']}"),
        ("Capacity", ", ".join(f"{name} {count}" for name, count in sorted(answer["capacity"].items()))),
        ("Addresses", f"{pool['total']} of at most {pool['limit']}"),
        ("", addresses),
        ("Doing", pool["activity"] or "nothing: the pool is at its target"),
        *(("PROBLEM", problem) for problem in answer["problems"]),
        *(("NOTICE", notice) for notice in answer["notices"]),
    ]
    if not answer["problems"]:
        facts.append(("Ready", "the node takes Pods"))
    width = max(len(label) for label, _ in facts)
    return "\n".join(f"{label.ljust(width)}  {text}" for label, text in facts)


def pods(answer: Plain) -> str:
    """One line for each Pod that has an address."""
    columns: Sequence[tuple[str, Callable[[Plain], str]]] = (
        ("NAMESPACE", lambda pod: pod["namespace"]),
        ("POD", lambda pod: pod["name"]),
        ("PRIVATE-IP", lambda pod: pod["privateIp"]),
        ("ENI", lambda pod: pod["eniId"]),
        ("LINK", lambda pod: pod["hostInterface"]),
        ("EIP", lambda pod: pod["eipId"]),
        ("PUBLIC-IP", lambda pod: pod["publicIp"]),
        ("EIP-STATE", lambda pod: pod["eipState"]),
        ("SINCE", lambda pod: pod["addedAt"]),
    )
    return _table(columns, answer["pods"], empty="no Pod of this node has an address")


def enis(answer: Plain) -> str:
    """One line for each ENI of the node."""
    columns: Sequence[tuple[str, Callable[[Plain], str]]] = (
        ("ENI", lambda eni: eni["eniId"]),
        ("LINK", lambda eni: eni["interface"]),
        ("MAC", lambda eni: eni["mac"]),
        ("SUBNET", lambda eni: eni["subnetId"]),
        ("KIND", lambda eni: "primary" if eni["primary"] else "secondary"),
        ("STATE", lambda eni: eni["state"]),
        ("TABLE", lambda eni: str(eni["routeTable"] or "")),
        ("IN-USE", lambda eni: str(eni["inUse"])),
        ("ADDRESSES", lambda eni: f"{eni['addresses']} of {eni['addressLimit']}"),
    )
    return _table(columns, answer["enis"], empty="the agent knows no ENI")


def eips(answer: Plain) -> str:
    """One line for each EIP at an address of this node, and under it what went wrong last."""
    columns: Sequence[tuple[str, Callable[[Plain], str]]] = (
        ("EIP", lambda eip: eip["eipId"]),
        ("PUBLIC-IP", lambda eip: eip["publicIp"]),
        ("PRIVATE-IP", lambda eip: eip["privateIp"]),
        ("NAMESPACE", lambda eip: eip["namespace"]),
        ("POD", lambda eip: eip["name"]),
        ("STATE", lambda eip: eip["state"]),
        ("LAST-ERROR", lambda eip: eip["lastError"]),
    )
    return _table(columns, answer["eips"], empty="no EIP is bound to an address of this node")


def cleanup(answer: Plain) -> str:
    """One line for each EIP that the cluster's tags own, and what becomes of it."""
    columns: Sequence[tuple[str, Callable[[Plain], str]]] = (
        ("EIP", lambda eip: eip["eipId"]),
        ("PUBLIC-IP", lambda eip: eip["publicIp"]),
        ("STATE", lambda eip: eip["state"]),
        ("BOUND-TO", lambda eip: eip["boundTo"]),
        ("CLAIM", lambda eip: eip["claim"] or eip["claimUid"]),
        ("AGE", lambda eip: _age(eip["ageSeconds"])),
        ("ACTION", lambda eip: eip["action"]),
        ("RESULT", lambda eip: ": ".join(part for part in (eip["result"], eip["message"]) if part)),
    )
    return _table(columns, answer["eips"], empty=f"no EIP has the tags of cluster {answer['clusterId']}")


def _age(seconds: int | None) -> str:
    """Return an age in its largest unit, as kubectl shows it."""
    if seconds is None:
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _table(
    columns: Sequence[tuple[str, Callable[[Plain], str]]], entries: Sequence[Plain], *, empty: str
) -> str:
    if not entries:
        return empty
    rows = [
        [title for title, _ in columns],
        *([cell(entry) or "-" for _, cell in columns] for entry in entries),
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
