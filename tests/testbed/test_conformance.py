"""What decides which of Kubernetes' tests run, and what is told of them."""

import json

import pytest

from testbed.cluster.images import ImageError
from testbed.conformance import choice, outcomes, summary
from testbed.conformance.images import names_of
from testbed.conformance.outcomes import Outcome

SERVES = "[sig-network] Services should serve a basic endpoint from pods [Conformance]"
BALANCES = "[sig-network] LoadBalancers should be able to change the type [Slow]"
COUNTS = "[sig-network] KubeProxyNFAcct [Feature:KubeProxyNFAcct] should update metric"
SCTP = "[sig-network] Networking Granular Checks: pod-Service: sctp [Feature:SCTP]"


def test_a_test_belongs_to_a_group_by_the_first_words_of_its_name():
    assert [test for test in (SERVES, BALANCES, COUNTS, SCTP) if choice.in_groups(test)] == [SERVES, SCTP]
    assert not choice.in_groups("[sig-apps] Deployment [sig-network] Services")


def test_policies_are_judged_where_somebody_enforces_them_and_all_else_where_not():
    policy = "[sig-network] Netpol NetworkPolicy should support a 'default-deny-all' policy"

    assert choice.in_groups(policy)
    assert {name for name, run in choice.RUNS.items() if choice.belongs(policy, run)} == {"kube-router"}
    assert {name for name, run in choice.RUNS.items() if choice.belongs(SERVES, run)} == {
        "iptables",
        "nftables",
    }


def test_a_skip_names_its_reason_and_may_be_of_one_mode():
    skips = choice.parse_skips(
        r"""
        - tests: '\[Feature:SCTP'
          reason: the kernel has no SCTP
        - tests: basic endpoint
          reason: said so
          proxy-mode: nftables
        """
    )

    assert choice.why_skipped(SCTP, skips, "iptables") == "the kernel has no SCTP"
    assert choice.why_skipped(SERVES, skips, "nftables") == "said so"
    assert choice.why_skipped(SERVES, skips, "iptables") == ""


def test_a_skip_that_skips_nothing_is_found():
    stale = choice.Skip(tests="renamed since", reason="none")

    assert choice.idle([choice.Skip(tests="SCTP", reason="none"), stale], [SERVES, SCTP]) == [stale]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tests: x", "not a list"),
        ("- tests: x", "entry 1 has not just tests, reason"),
        ("- {tests: x, reason: y, mode: iptables}", "entry 1 has not just tests, reason"),
        ("- {tests: x, reason: ''}", "has no reason"),
        ("- {tests: x, reason: y}\n- {tests: '(', reason: y}", r"entry 2: '\(' is no regular expression"),
        ("- {tests: x, reason: y, proxy-mode: ipvs}", "'ipvs' is not one of iptables, nftables"),
    ],
)
def test_what_is_no_entry_is_refused(text, message):
    with pytest.raises(choice.ChoiceError, match=message):
        choice.parse_skips(text)


def test_a_bounded_choice_has_only_patterns_that_fit():
    patterns = choice.parse_patterns("# few\n\n  basic endpoint\n")

    assert choice.choose([SERVES, SCTP], patterns) == [SERVES]
    with pytest.raises(choice.ChoiceError, match="'no such' fits no test"):
        choice.choose([SERVES], ["no such"])


def test_an_image_has_every_tag_that_the_tests_want_of_it():
    listed = "a.io/tests/busybox:1.36.1-1\na.io/pause:3\na.io/tests/busybox:1.37.0-1\nb.io/tests/busybox:2"

    assert names_of(listed, "a.io/tests/busybox") == [
        "a.io/tests/busybox:1.36.1-1",
        "a.io/tests/busybox:1.37.0-1",
    ]
    with pytest.raises(ImageError, match=r"a\.io/agnhost"):
        names_of(listed, "a.io/agnhost")


def spec(name: str, state: str, message: str = "", *, node: str = "It") -> dict[str, object]:
    """Give a SpecReport of Ginkgo."""
    words = name.split(" ", 2)
    place = {"FileName": "service.go", "LineNumber": 7}
    return {
        "ContainerHierarchyTexts": words[:2] if node == "It" else None,
        "LeafNodeText": words[2] if node == "It" else "",
        "LeafNodeType": node,
        "State": state,
        "RunTime": 1_500_000_000,
        "Failure": {"Message": message, "FailureNodeLocation": place} if message else {},
    }


def report(*specs: dict[str, object]) -> str:
    return json.dumps([{"SpecReports": list(specs)}])


def test_the_outcome_of_each_chosen_test_is_read():
    text = report(
        spec(SERVES, "passed"),
        spec(BALANCES, "skipped"),
        spec("", "passed", node="SynchronizedBeforeSuite"),
    )

    assert outcomes.read_report(text, [SERVES]) == [Outcome(test=SERVES, verdict="passed", seconds=1.5)]


def test_a_test_that_skips_itself_has_failed_unless_it_is_listed():
    [outcome] = outcomes.read_report(report(spec(SCTP, "skipped", "needs 3 nodes")), [SCTP])

    assert outcome.verdict == "failed"
    assert outcome.message == "skipped itself, and skips.yaml does not list it: needs 3 nodes"


@pytest.mark.parametrize("state", ["failed", "panicked", "timedout", "interrupted", "aborted"])
def test_whatever_is_not_a_success_is_a_failure_with_its_place(state):
    [outcome] = outcomes.read_report(report(spec(SERVES, state, "no answer")), [SERVES])

    assert outcome.verdict == "failed"
    assert outcome.message == "no answer\nservice.go:7"


def test_a_chosen_test_that_ginkgo_left_out_has_failed():
    left_out = outcomes.read_report(report(spec(SERVES, "skipped")), [SERVES, SCTP])

    assert {outcome.test: outcome.verdict for outcome in left_out} == {SERVES: "failed", SCTP: "failed"}


def test_a_failed_set_up_of_the_suite_is_told():
    text = report(spec("", "failed", "nodes are not ready", node="SynchronizedBeforeSuite"))

    names = [outcome.test for outcome in outcomes.read_report(text, []) if outcome.verdict == "failed"]

    assert names == ["[SynchronizedBeforeSuite]"]


RUNS = {
    "iptables": [
        Outcome(test=SERVES, verdict="failed", message="no answer\nservice.go:7"),
        Outcome(test=SCTP, verdict="skipped", message="the kernel has no SCTP"),
    ],
    "nftables": [Outcome(test=SERVES, verdict="passed", seconds=2.0)],
}


def test_what_failed_is_found_again_in_the_result_file():
    assert outcomes.failed_in(outcomes.write_junit(RUNS)) == {"iptables": [SERVES], "nftables": []}


def test_the_summary_counts_gives_reasons_and_names_failures():
    text = summary.summary(RUNS)

    rows = [line.split() for line in text.splitlines()[2:4]]
    assert rows == [["iptables", "1", "0", "1", "1"], ["nftables", "1", "1", "0", "0"]]
    assert "  1  the kernel has no SCTP" in text
    assert f"  {SERVES}\n      no answer" in text
    assert summary.closing_line(RUNS) == "1 passed, 1 failed, 1 skipped"
