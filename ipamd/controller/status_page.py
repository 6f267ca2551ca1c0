"""The status page of a controller: who leads, claims with problems, quotas, the sweep, and what is held back.

Imported when the page is first asked for. Reads snapshots, changes nothing, asks nobody.
Thread safety: any thread may ask.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import ipamd
from ipamd.controller.account.clock import Agreement
from ipamd.controller.leader import Leader
from ipamd.controller.sweep.sweep import SweepCounts
from ipamd.core import model
from ipamd.core.claim import status, waits
from ipamd.core.claim.eipclaim import EGRESS_THROUGH_EIP, READY, Claim, Phase, condition
from ipamd.core.claim.waits import EgressPath
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip import status as vpc_ip_status
from ipamd.core.vpc_ip import waits as vpc_ip_waits
from ipamd.core.vpc_ip.vpcipclaim import RESERVED, VpcIpClaim
from ipamd.kube.watch import Key
from ipamd.page import layout
from ipamd.page.markup import Child, Element, tag

_NEARLY = 0.8
"""The part of a quota from which on it is nearly used."""


def content(leader: Leader, identity: str) -> tuple[str, list[Element]]:
    """Return a line about the replica, and the parts of its page."""
    claims = leader.cluster.claims()
    standing = "leads" if leader.leading else "stands by"
    subtitle = (
        f"replica {identity} {standing}, release {ipamd.__version__}; "
        f"{len(leader.queue)} Pods and claims are to be looked at"
    )
    sections = [layout.section("What is held back", *_held_back(leader)), _claims(claims)]
    if fixed := leader.fixed_ips():
        sections.append(_fixed_ips(fixed, leader.cluster.pod))
    if leader.leading:
        sections += [_quotas(leader.quotas), _sweep(leader.sweep.counts)]
    return subtitle, sections


def _held_back(leader: Leader) -> Iterator[Element]:
    if not leader.leading:
        yield layout.note("info", "this replica stands by: see the leader's page for quotas and the sweep")
        return
    reasons = [
        ("releases of EIPs are stopped: {}", leader.sweep.counts.stopped_by),
        ("no EIP is given up or ordered anew: {}", leader.sweep.doubt()),
        ("kept claims expire late: the clock is not believed ({})", _doubt(leader)),
    ]
    stopped = [text.format(reason) for text, reason in reasons if reason]
    yield from (layout.note("warning", text) for text in stopped)
    if not stopped:
        yield layout.note("good", "nothing")


def _doubt(leader: Leader) -> str:
    state = leader.clock.state
    return state.value if state in (Agreement.APART, Agreement.UNKNOWN) else ""


def _claims(claims: Sequence[Claim]) -> Element:
    phases = Counter(map(status.phase_of, claims))
    waiting = [(claim, wait) for claim in claims if (wait := waits.wait_of(claim)) is not None]
    elsewhere = [claim for claim in claims if waits.egress_path(claim) is EgressPath.OTHER]
    rows: list[list[Child]] = [
        [
            str(claim),
            claim.pod.node if claim.pod else "",
            claim.address.public_ip if claim.address else "",
            f"to {wait.step.value}: {wait.reason}",
            str(condition(claim.conditions, READY).get("message") or ""),
        ]
        for claim, wait in sorted(waiting, key=lambda pair: str(pair[0]))
    ]
    rows += [
        [
            str(claim),
            claim.pod.node if claim.pod else "",
            claim.address.public_ip if claim.address else "",
            "its Pod leaves with another address",
            str(condition(claim.conditions, EGRESS_THROUGH_EIP).get("message") or ""),
        ]
        for claim in sorted(elsewhere, key=str)
    ]
    counted = ", ".join(f"{phases[phase]} {phase.value}" for phase in Phase if phases[phase])
    return layout.section(
        "EIPClaims",
        tag("p", counted or "none"),
        layout.table(("claim", "node", "EIP", "waits", "because"), rows, "no Pod waits for its EIP"),
    )


def _fixed_ips(claims: Sequence[VpcIpClaim], pod_of: Callable[[Key], PodView | None]) -> Element:
    """Show which Pods wait for their fixed addresses, and why the VPC does not keep some."""
    phases = Counter(map(vpc_ip_status.phase_of, claims))
    rows: list[list[Child]] = [
        [str(claim), _node(pod, claim), _ip(claim), wait.reason, wait.message]
        for claim in sorted(claims, key=str)
        for pod in (pod_of((claim.namespace, claim.name)),)
        if (wait := vpc_ip_waits.wait_of(claim, pod))
    ]
    alone = [claim for claim in claims if claim.address and not claim.address.is_reserved]
    reserved = sum(1 for claim in claims if claim.address and claim.address.is_reserved)
    rows += [
        [
            str(claim),
            claim.binding.node if claim.binding else "",
            _ip(claim),
            "the VPC does not keep it",
            str(condition(claim.conditions, RESERVED).get("message") or ""),
        ]
        for claim in sorted(alone, key=str)
    ]
    counted = ", ".join(f"{phases[phase]} {phase.value}" for phase in Phase if phases[phase])
    return layout.section(
        "Fixed addresses (VpcIPClaims)",
        tag("p", f"{counted}; {reserved} reserved in the VPC, {len(alone)} kept by the cluster's book alone"),
        layout.table(
            ("claim", "node", "address", "waits", "because"), rows, "no Pod waits for its fixed address"
        ),
    )


def _ip(claim: VpcIpClaim) -> str:
    return claim.address.ip if claim.address else ""


def _node(pod: PodView | None, claim: VpcIpClaim) -> str:
    """Return the node of the Pod that waits; the claim may still name that of the Pod before."""
    if pod is not None and pod.node:
        return pod.node
    return claim.pod.node if claim.pod else ""


def _quotas(quotas: Sequence[model.EipQuota]) -> Element:
    rows: list[list[Child]] = [
        [
            quota.quota_id,
            f"{quota.used} of {quota.limit}",
            tag(
                "meter",
                f"{quota.used} of {quota.limit}",
                min=0,
                max=max(1, quota.limit),
                high=round(_NEARLY * quota.limit),
                value=quota.used,
            ),
        ]
        for quota in quotas
    ]
    return layout.section(
        "Quotas of the account", layout.table(("quota", "used", ""), rows, "they could not be read yet")
    )


def _sweep(counts: SweepCounts) -> Element:
    orphans = ", ".join(f"{count} {state}" for state, count in sorted(counts.orphans.items()) if count)
    locked = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.locked.items()) if count)
    rows: list[list[Child]] = [
        ["passes", str(counts.passes)],
        ["passes that ended early", str(counts.failures)],
        ["EIPs without claim", orphans or "none"],
        ["of them released", str(counts.released)],
        ["claims whose EIP was gone", str(counts.claims_without_eip)],
        ["EIPs that the cloud has locked", locked or "none"],
    ]
    return layout.section("Comparison of EIPs with claims", layout.table(("", ""), rows, ""))
