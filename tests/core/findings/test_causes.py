"""One cause is one line, worst first, and nobody's Pods are lost by it."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.findings.causes import merge_causes
from ipamd.core.findings.code_facts import Severity
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding, named

PODS = tuple(f"default/web-{n}" for n in range(4))


def of_pod(pod, code=FindingCode.ADDRESS_MISSING, text="the VPC does not list it", **changes):
    return Finding(code=code, subject=f"pod/{pod}", text=text, pods=(pod,), **changes)


def test_a_detached_eni_with_four_pods_is_one_line_that_names_them():
    eni = Finding(code=FindingCode.ENI_MISSING, subject="eni/eni-1", text="the cloud does not list it")
    lost = [of_pod(pod, because_of=("eni/eni-1",)) for pod in PODS]
    down = Finding(code=FindingCode.ENI_LINK, subject="link/eth1", text="is gone", because_of=("eni/eni-1",))
    route = Finding(
        code=FindingCode.ENI_ROUTE, subject="table/4003", text="is empty", because_of=("link/eth1",)
    )
    unbound = [of_pod(pod, FindingCode.EIP_NOT_BOUND, because_of=(f"pod/{pod}",)) for pod in PODS]

    (found,) = merge_causes([route, down, *unbound, *lost, eni])

    assert (found.code, found.subject, found.pods) == (FindingCode.ENI_MISSING, "eni/eni-1", PODS)


def test_without_a_common_cause_what_befalls_pods_alike_is_one_line_too():
    (found,) = merge_causes(of_pod(pod) for pod in PODS)

    assert (found.subject, found.pods) == ("pods/4", PODS)
    assert "3 more Pods alike" in found.text


def test_pods_whose_refusals_differ_are_lines_of_their_own():
    full, taken = (
        of_pod(pod, alike=alike) for pod, alike in zip(PODS, ("SubnetFull", "AddressInUse"), strict=False)
    )

    assert {found.subject for found in merge_causes([full, taken])} == {full.subject, taken.subject}


def test_pods_that_differ_in_what_befalls_them_are_lines_of_their_own():
    found = merge_causes(
        [of_pod(PODS[0]), of_pod(PODS[1], FindingCode.POD_ROUTE), of_pod(PODS[2], severity=Severity.INFO)]
    )

    assert sorted(finding.subject for finding in found) == [f"pod/{pod}" for pod in PODS[:3]]


def test_of_equally_bad_findings_that_of_more_pods_comes_first():
    one = Finding(code=FindingCode.ENI_LINK, subject="link/a", text="down", pods=PODS[:1])
    two = Finding(code=FindingCode.ENI_ROUTE, subject="table/b", text="empty", pods=PODS[1:3])

    assert merge_causes([one, two]) == (two, one)


def test_two_things_wrong_with_one_pod_in_one_way_are_one_line():
    wrong = [of_pod(PODS[0], FindingCode.POD_LINK, text) for text in ("is down", "has MTU 1400, not 1500")]

    (found,) = merge_causes(wrong)

    assert found.text == "is down; has MTU 1400, not 1500"
    assert found.subject == f"pod/{PODS[0]}"


def test_a_fact_does_not_hide_a_problem():
    fact = Finding(code=FindingCode.NODE_FULL, subject="node/a", text="is full")
    problem = of_pod(PODS[0], because_of=("node/a",))

    assert [f.code for f in merge_causes([fact, problem])] == [problem.code, fact.code]


def test_findings_that_blame_each_other_are_still_told():
    one = Finding(code=FindingCode.ENI_LINK, subject="link/a", text="down", because_of=("link/b",))
    other = Finding(code=FindingCode.ENI_LINK, subject="link/b", text="down", because_of=("link/a",))

    assert merge_causes([one, other])


def test_a_sentence_names_a_few_pods_and_counts_the_others():
    assert named(PODS) == "default/web-0, default/web-1, default/web-2 and 1 more"
    assert named(PODS[:1]) == "default/web-0"
    assert named(()) == ""


subjects = st.sampled_from(["eni/1", "link/eth1", "pod/a", "pod/b", "table/1"])
findings = st.builds(
    Finding,
    code=st.sampled_from(list(FindingCode)),
    subject=subjects,
    text=st.sampled_from(["one", "two"]),
    pods=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2).map(tuple),
    because_of=st.lists(subjects, max_size=2).map(tuple),
)


@given(st.lists(findings, max_size=8))
def test_whatever_there_is_all_pods_are_named_and_the_worst_stays_first(given_findings):
    merged = merge_causes(given_findings)

    def pods(some):
        return set(itertools.chain.from_iterable(finding.pods for finding in some))

    assert pods(merged) == pods(given_findings)
    assert bool(merged) == bool(given_findings)
    ranks = [finding.level.rank for finding in merged]
    assert ranks == sorted(ranks)
    if given_findings:
        assert ranks[0] == min(finding.level.rank for finding in given_findings)
        assert len(merged) <= len(given_findings)


def test_codes_are_distinct_and_each_says_what_to_do():
    assert len({code.text for code in FindingCode}) == len(FindingCode)
    for code in FindingCode:
        facts = code.facts
        assert all((facts.meaning, facts.breaks, facts.next_step)), code
        assert code.text.isidentifier(), "a word for labels and scripts"
        assert facts.severity in Severity
