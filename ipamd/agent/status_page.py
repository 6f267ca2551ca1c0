"""The status page of an agent: its ENIs with what each address is used for, Pods, EIPs, and what is wrong.

Imported when the page is first asked for. Reads snapshots and the kernel, changes nothing, asks nobody.
Thread safety: any thread may ask.
"""

from collections.abc import Iterable, Iterator, Mapping

import ipamd
from ipamd.agent.enis import NodeEni, NodeEnis
from ipamd.agent.exclusive_enis import ExclusiveEni
from ipamd.agent.facts import NodeFacts
from ipamd.agent.findings.inspection import Inspection, SeenFindings
from ipamd.agent.problems import NodeProblems
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.errors import IpamError
from ipamd.core.findings.finding import Finding, named
from ipamd.core.kubernetes import capacity
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.slots import slots, whole
from ipamd.core.ledger.states import Address, Assigned, Occupied
from ipamd.core.timing.boottime import Boottime
from ipamd.page import layout
from ipamd.page.markup import Child, Element, tag
from ipamd.page.slots import drawn, legend


def content(  # noqa: PLR0913 - what is shown
    node: str,
    facts: NodeFacts,
    *,
    shared_ledger: SharedLedger,
    enis: NodeEnis,
    exclusive_limit: int,
    problems: NodeProblems,
    inspection: Inspection,
    errors: Mapping[str, IpamError],
) -> tuple[str, list[Element]]:
    """Return a line about the node, and the parts of its page; `errors` are those of EIPs by claim or EIP.

    `exclusive_limit` is how many ENIs Pods may have as a whole.
    """
    instance, ledger = facts.instance, shared_ledger.current
    subtitle = (
        f"node {node}, {instance.instance_id} ({instance.instance_type}) in {instance.zone}, "
        f"release {ipamd.__version__}; {ledger.free()} addresses are free, "
        f"{len(ledger.shared.in_state(Assigned, Occupied))} of at most {capacity.pod_ips(facts.limits)} "
        "are used by Pods"
    )
    return subtitle, [
        layout.section("What is wrong", *_notes(problems)),
        layout.section("Findings", *_findings(inspection)),
        _enis(enis, ledger, facts.limits, shared_ledger.now()),
        *_exclusive_enis(enis.exclusive.enis.values(), ledger, exclusive_limit, shared_ledger.now()),
        _pods(ledger),
        _eips(ledger, dict(errors)),
    ]


def _notes(problems: NodeProblems) -> Iterator[Element]:
    wrong = problems.all_problems()
    yield from (layout.note("error", problem) for problem in wrong)
    yield from (layout.note("info", notice) for notice in problems.notices())
    if not wrong:
        yield layout.note("good", "nothing keeps Pods from the node")
    rows: list[list[Child]] = [
        [
            sight.name,
            "" if sight.age is None else f"{layout.age(sight.age)} ago",
            "; ".join(sight.troubles) or sight.detail or "well",
        ]
        for sight in problems.components.look()
    ]
    yield layout.table(("component", "last good", "now"), rows, "")


def _findings(inspection: Inspection) -> Iterator[Element]:
    """Yield what `ipamctl check` would tell of the node, and what it was told by others the last time."""
    own, told = inspection.of_node(), inspection.of_others()
    yield from map(_finding, own.findings)
    yield tag("p", f"{_number(own)} on the node itself, looked at {layout.age(own.age)} ago", class_="soft")
    if told is None:
        text = "cloud, metadata service and API server are asked by `ipamctl check` only, and were not lately"
        yield tag("p", text, class_="soft")
        return
    yield from map(_finding, told.findings)
    text = f"{_number(told)} by what others told `ipamctl check` {layout.age(told.age)} ago"
    yield tag("p", text, class_="soft")


def _finding(finding: Finding) -> Element:
    concerned = f" ({named(finding.pods)})" if finding.pods else ""
    return layout.note(
        finding.level.value,
        f"{finding.code.text} {finding.subject}: {finding.text}{concerned}",
        f"breaks {finding.broken}; {finding.advice}",
    )


def _number(seen: SeenFindings) -> str:
    count = len(seen.findings)
    return "nothing" if not count else f"{count} finding{'s' if count > 1 else ''}"


def _enis(enis: NodeEnis, ledger: Ledger, limits: model.EniLimits, now: Boottime) -> Element:
    known = sorted(enis.enis.values(), key=lambda eni: eni.eni_id)
    rows = [_eni(eni, ledger, limits, now) for eni in known]
    return layout.section(
        f"ENIs ({len(known)} of at most {limits.enis - 1} for Pods)",
        layout.table(("ENI", "link", "subnet", "state", "addresses"), rows, "none yet"),
        legend(),
    )


def _eni(eni: NodeEni, ledger: Ledger, limits: model.EniLimits, now: Boottime) -> list[Child]:
    mine = [address for address in ledger.addresses.values() if address.eni_id == eni.eni_id]
    used = sum(isinstance(address.state, Assigned | Occupied) for address in mine)
    squares = drawn(
        slots(mine, limits.ips_per_eni, now),
        f"{eni.eni_id}: {used} of {limits.ips_per_eni - 1} addresses are used by Pods",
    )
    state = eni.problem or eni.condition
    return [tag("code", eni.eni_id), eni.link.name if eni.link else "none", eni.subnet_id, state, squares]


def _exclusive_enis(
    known: Iterable[ExclusiveEni], ledger: Ledger, limit: int, now: Boottime
) -> Iterator[Element]:
    """Yield the ENIs that Pods have as a whole; nothing where there are none and none may be."""
    of_eni = {address.eni_id: address for address in ledger.exclusive.addresses.values()}
    rows: list[list[Child]] = [
        [
            tag("code", eni.eni_id),
            eni.mac,
            eni.subnet_id,
            eni.condition,
            whole(of_eni.get(eni.eni_id), now).label,
        ]
        for eni in sorted(known, key=lambda eni: eni.eni_id)
    ]
    if rows or limit:
        yield layout.section(
            f"ENIs of single Pods ({len(rows)} of at most {limit})",
            layout.table(("ENI", "MAC", "subnet", "state", "used for"), rows, "none yet"),
        )


def _eips(ledger: Ledger, errors: dict[str, IpamError]) -> Element:
    rows: list[list[Child]] = []
    for address in sorted(ledger.addresses.values(), key=lambda address: address.ip):
        if address.eip is not None:
            eip, of = address.eip, address.eip.claim or str(address.pod or "")
            said = _told(errors.pop(of, None))
            rows.append([f"{eip.public_ip} ({eip.eip_id})", address.ip, of, eip.stage.value, said])
    rows += [["none", "", subject, "not bound", _told(error)] for subject, error in errors.items()]
    head = ("EIP", "at", "claim", "state", "last error")
    return layout.section("EIPs", layout.table(head, rows, "none"))


def _pods(shared_ledger: Ledger) -> Element:
    owned = [address for address in shared_ledger.addresses.values() if address.pod and not _is_held(address)]
    rows: list[list[Child]] = [
        [
            str(address.pod),
            address.ip,
            tag("code", address.eni_id),
            address.eip.public_ip if address.eip else "",
            "quarantined: the cloud does not list its address" if address.quarantined else "",
        ]
        for address in sorted(owned, key=lambda address: str(address.pod))
    ]
    return layout.section("Pods", layout.table(("Pod", "address", "ENI", "EIP", ""), rows, "none"))


def _is_held(address: Address) -> bool:
    return not isinstance(address.state, Assigned | Occupied)


def _told(error: IpamError | None) -> str:
    return str(error) if error else ""
