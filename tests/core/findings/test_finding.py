"""A finding says what its code says, unless it knows better."""

import pytest

from ipamd.core.findings.code_facts import Severity
from ipamd.core.findings.codes import FIX, FindingCode
from ipamd.core.findings.finding import Finding
from ipamd.core.kernel.difference import Difference


def finding(code=FindingCode.ENI_MISSING, **changes):
    return Finding(code=code, subject="eni/eni-1", text="is gone", **changes)


def test_what_a_finding_leaves_open_is_the_codes():
    plain, facts = finding(), FindingCode.ENI_MISSING.facts

    assert (plain.level, plain.broken, plain.advice) == (facts.severity, facts.breaks, facts.next_step)
    assert plain.is_mended is facts.mended


def test_what_a_finding_says_itself_counts():
    own = finding(breaks="one Pod", next_step="wait", severity=Severity.INFO, mended=True)

    assert (own.level, own.broken, own.advice, own.is_mended) == (Severity.INFO, "one Pod", "wait", True)
    assert not finding(FindingCode.POD_ROUTE, mended=False).is_mended


@pytest.mark.parametrize("code", FindingCode)
def test_what_the_repair_mends_is_told_to_be_mended_by_it(code):
    assert (FIX in code.facts.next_step) is code.facts.mended
    assert finding(code).is_mended is code.facts.mended


@pytest.mark.parametrize(
    ("severity", "rank", "is_problem"),
    [(Severity.ERROR, 0, True), (Severity.WARNING, 1, True), (Severity.INFO, 2, False)],
)
def test_the_worst_comes_first_and_a_fact_is_no_problem(severity, rank, is_problem):
    assert severity.rank == rank
    assert finding(severity=severity).is_problem is is_problem


def test_pods_are_in_order_and_once():
    assert finding(pods=("b/2", "a/1", "b/2")).pods == ("a/1", "b/2")


def test_one_line_says_what_whom_it_concerns_and_what_to_do():
    assert str(finding(next_step="wait")) == "EniMissing eni/eni-1: is gone; wait"
    told = str(finding(next_step="wait", pods=("a/1", "a/2")))
    assert told == "EniMissing eni/eni-1: is gone (a/1, a/2); wait"


def test_a_difference_of_the_kernel_can_be_mended_unless_it_says_otherwise():
    found = Difference(code=FindingCode.ENI_LINK, subject="link/eth1", text="is down")

    assert found.mended
    assert str(found) == "EniLink link/eth1: is down"
