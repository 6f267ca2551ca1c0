"""How the answers about a node and its cloud look to people; what does not fit in 100 columns is "wide"."""

from collections.abc import Callable, Iterator, Sequence

from ipamd.ctl import ages
from ipamd.ctl.shape import SPACE, Block, Column, Facts, Line, Plain, Shape, Table

_PLAIN_USES = ("free", "pod")
"""What addresses do when nobody has to know more; only `-o wide` lists these."""


def _status(answer: Plain, now: float) -> Sequence[Block]:
    """Who the node is, how what it depends on does, what its addresses do, and what is wrong."""
    return [
        Facts(
            [
                ("Node", f"{answer['node']} ({answer['instanceId']})"),
                ("Where", f"{answer['region']}, {answer['zone']}, {answer['vpcId']}, {answer['subnetId']}"),
                ("Agent", f"{answer['version']}, started {ages.ago(answer['startedAt'], now)}"),
                ("Capacity", ", ".join(f"{name} {n}" for name, n in sorted(answer["capacity"].items()))),
                ("Addresses", _figures(answer["pool"])),
                ("Doing", answer["pool"]["activity"] or "nothing: the pool is at its target"),
                *_exclusive_facts(answer.get("exclusiveEnis") or {}),
            ]
        ),
        SPACE,
        Table(_component_columns(now), answer["components"], empty="the agent does not tell of components"),
        *_address_blocks(answer, now),
        SPACE,
        *_messages(answer),
    ]


def _figures(pool: Plain) -> str:
    return (
        f"{pool['total']} of at most {pool['limit']}: {pool['inUse']} in use, {pool['warm']} warm (target "
        f"{pool['minWarm']} to {pool['maxWarm']}), {pool['held']} held, {pool['cooling']} cooling, "
        f"{pool['quarantined']} quarantined"
    )


def _exclusive_facts(pool: Plain) -> Iterator[tuple[str, str]]:
    """ENIs that Pods have as a whole, where the node has such, or may have them."""
    if pool and (pool["limit"] or pool["total"]):
        doing = f"; {pool['activity']}" if pool["activity"] else ""
        yield "Own ENIs", _figures(pool) + doing


def _messages(answer: Plain) -> Iterator[Block]:
    """Every trouble once: the problems, then those of components that keep no Pod from the node."""
    problems = answer["problems"]
    yield from (Line("PROBLEM", problem) for problem in problems)
    for component in answer["components"]:
        others = (trouble for trouble in component["troubles"] if trouble not in problems)
        yield from (Line("TROUBLE", f"{component['name']}: {trouble}") for trouble in others)
    yield from (Line("NOTICE", notice) for notice in answer["notices"])
    if not problems:
        yield Line("READY", "the node takes Pods" if not _is_full(answer["pool"]) else "the node is full")


def _is_full(pool: Plain) -> bool:
    return bool(pool["limit"]) and pool["inUse"] >= pool["limit"]


def _component_columns(now: float) -> Sequence[Column]:
    return (
        Column("COMPONENT", lambda component: component["name"]),
        Column("STATE", lambda component: component["state"]),
        Column(
            "LAST-GOOD",
            lambda component: ages.ago(component["lastGood"], now) if component["lastGood"] else "",
        ),
        Column("DETAIL", lambda component: component["detail"]),
    )


def _address_blocks(answer: Plain, now: float) -> Sequence[Block]:
    """What addresses do that are neither free nor a Pod's; `wide` has all of them."""
    columns = (
        Column("ADDRESS", lambda address: address["ip"]),
        Column("ENI", lambda address: address["eniId"]),
        Column("USE", lambda address: address["use"]),
        Column("POD", lambda address: address["pod"]),
        Column("FOR", lambda address: ages.since(address["since"], now)),
        Column("UNTIL", lambda address: ages.ahead(address["until"], now)),
        Column("WHY", lambda address: address["why"], wide=True),
    )
    special = [address for address in answer["addresses"] if address["use"] not in _PLAIN_USES]
    told = [address for address in special if address["why"]]
    if not answer["addresses"]:
        return []
    return [
        SPACE,
        Table(columns, special, empty="every address is free or serves a Pod", wide=answer["addresses"]),
        *(Line(address["use"].upper(), f"{address['ip']}: {address['why']}") for address in told),
    ]


def _pods(answer: Plain, now: float) -> Sequence[Block]:
    """One line for each Pod that has an address."""
    columns = (
        Column("NAMESPACE", lambda pod: pod["namespace"]),
        Column("POD", lambda pod: pod["name"]),
        Column("PRIVATE-IP", lambda pod: pod["privateIp"]),
        Column("ENI", lambda pod: pod["eniId"], wide=True),
        Column("OWN-ENI", lambda pod: "yes" if pod["exclusive"] else "no", wide=True),
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
        Column("KIND", _eni_kind, wide=True),
        Column("STATE", lambda eni: eni["state"]),
        Column("TABLE", lambda eni: str(eni["routeTable"] or "")),
        Column("IN-USE", lambda eni: str(eni["inUse"])),
        Column("ADDRESSES", lambda eni: f"{eni['addresses']} of {eni['addressLimit']}"),
        Column("FOR", _eni_use),
    )
    return [Table(columns, answer["enis"], empty="the agent knows no ENI")]


def _eni_kind(eni: Plain) -> str:
    if eni["exclusive"]:
        return "exclusive"
    return "primary" if eni["primary"] else "secondary"


def _eni_use(eni: Plain) -> str:
    """Who has an ENI: many Pods share it, or one has it as a whole."""
    if not eni["exclusive"]:
        return "all Pods"
    if eni["use"] == "pod":
        return str(eni["pod"])
    return f"{eni['use'] or 'unused'} {eni['pod']}".strip()


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


def _claims(answer: Plain, now: float) -> Sequence[Block]:
    """One line for each claim, and under the table what keeps it from being ready."""
    columns = (
        Column("NAMESPACE", lambda claim: claim["namespace"]),
        Column("CLAIM", lambda claim: claim["name"]),
        Column("PHASE", lambda claim: claim["phase"]),
        Column("EIP", lambda claim: claim["eipId"], wide=True),
        Column("PUBLIC-IP", lambda claim: claim["publicIp"]),
        Column("CONDITION", lambda claim: claim["condition"], wide=True),
        Column("REASON", lambda claim: claim["reason"]),
        Column("SINCE", lambda claim: ages.since(claim["since"], now)),
        Column("KEPT", lambda claim: "yes" if claim["retained"] else "no", wide=True),
    )
    return [
        Table(columns, answer["claims"], empty="this node has no EIPClaim"),
        *(
            Line("PROBLEM", f"{claim['namespace']}/{claim['name']}: {claim['condition']}: {claim['message']}")
            for claim in answer["claims"]
            if claim["condition"].endswith("=False") and claim["message"]
        ),
    ]


def _settings(answer: Plain, _: float) -> Sequence[Block]:
    """One line for each flag."""
    columns = (
        Column("FLAG", lambda setting: setting["flag"]),
        Column("VALUE", lambda setting: setting["value"]),
        Column("SET-BY", lambda setting: setting["source"]),
        Column("DEFAULT", lambda setting: setting["default"], wide=True),
        Column("MEANING", lambda setting: setting["meaning"], wide=True),
    )
    return [Table(columns, answer["settings"], empty="the agent tells of no flags")]


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


def _adoption(answer: Plain, _: float) -> Sequence[Block]:
    """One line for each EIP that TKE has kept or that was named, and what becomes of it."""
    columns = (
        Column("EIP", lambda eip: eip["eipId"]),
        Column("PUBLIC-IP", lambda eip: eip["publicIp"]),
        Column("STATE", lambda eip: eip["state"]),
        Column("ACTION", lambda eip: eip["action"]),
        Column("TARGET", lambda eip: eip["target"]),
    )
    none = f"no EIP has TKE's tags of cluster {answer['clusterId']}"
    return [
        Table(columns, answer["eips"], empty=none),
        *(Line("REFUSED", f"{eip['eipId']}: {eip['message']}") for eip in answer["eips"] if eip["message"]),
    ]


def _names(key: str, field: str) -> Callable[[Plain], Sequence[str]]:
    return lambda answer: [entry[field] for entry in answer[key] if entry[field]]


def _objects(key: str) -> Callable[[Plain], Sequence[str]]:
    return lambda answer: [f"{entry['namespace']}/{entry['name']}" for entry in answer[key]]


STATUS = Shape(_status, lambda answer: [answer["node"]])
PODS = Shape(_pods, _objects("pods"))
ENIS = Shape(_enis, _names("enis", "eniId"))
EIPS = Shape(_eips, _names("eips", "eipId"))
CLAIMS = Shape(_claims, _objects("claims"))
SETTINGS = Shape(_settings, _names("settings", "flag"))
ADOPTION = Shape(_adoption, _names("eips", "eipId"))
CLEANUP = Shape(_cleanup, _names("eips", "eipId"))
