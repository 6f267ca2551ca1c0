"""One cause is one line: findings that another one explains are folded into it. Pure.

A detached ENI takes the addresses of its Pods with it, its link, its routes and its EIPs: an operator has one
thing to do, and the line that says so names the Pods. What has no such cause and befalls many Pods alike is
one line too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ipamd.core.findings.finding import Finding


def merge_causes(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what is left to be said, worst first; nobody's Pods are lost by it.

    A finding goes into the one about the first subject in its `because_of` that has one, that one possibly
    into its own cause. Of those that are left, the ones with one code and one text but for the Pods are one.
    """
    distinct = list(dict.fromkeys(findings))
    by_subject = _by_subject(distinct)
    gathered: dict[Finding, list[str]] = {}
    for finding in distinct:
        gathered.setdefault(_root(finding, by_subject), []).extend(finding.pods)
    roots = [replace(root, pods=tuple(pods)) for root, pods in gathered.items()]
    return tuple(sorted(_alike(roots), key=_order))


def _by_subject(findings: Iterable[Finding]) -> Mapping[str, Finding]:
    """Return for each subject the finding that explains others: the worst, and of those the first."""
    found: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda f: f.level.rank, reverse=True):
        found[finding.subject] = finding
    return found


def _root(finding: Finding, by_subject: Mapping[str, Finding]) -> Finding:
    passed = {finding}
    while True:
        causes = (by_subject.get(subject) for subject in finding.because_of)
        cause = next((c for c in causes if c is not None and c not in passed), None)
        if cause is None or cause.level.rank > finding.level.rank:
            return finding
        passed.add(cause)
        finding = cause


def _alike(findings: Iterable[Finding]) -> list[Finding]:
    """Make one of those that befall several Pods alike."""
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        of_a_pod = finding.subject.startswith("pod/")
        kind = (finding.code, finding.level, finding.alike) if of_a_pod else finding
        groups.setdefault(kind, []).append(finding)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[Finding]) -> Finding:
    first, others = group[0], len({finding.subject for finding in group}) - 1
    if not others:
        text = "; ".join(dict.fromkeys(finding.text for finding in group))
        return replace(first, text=text, pods=tuple(pod for finding in group for pod in finding.pods))
    return replace(
        first,
        subject=f"pods/{others + 1}",
        text=f"{first.text} (and {others} more Pods alike)",
        pods=tuple(pod for finding in group for pod in finding.pods),
    )


def _order(finding: Finding) -> tuple[int, int, str, str]:
    return finding.level.rank, -len(finding.pods), finding.code.text, finding.subject
