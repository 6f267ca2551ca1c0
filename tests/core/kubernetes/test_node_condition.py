"""The condition TkeEniReady: the worst thing is named, and it is written seldom."""

import math

import pytest

from ipamd.core.findings.codes import FindingCode
from ipamd.core.kubernetes import node_condition as conditions
from ipamd.core.kubernetes import nodes
from ipamd.core.kubernetes.node_condition import NodeProblem, NodeReason, Weight

WELL = "agent 0.1.0 serves Pods with 2 ENIs"


def problem(message="no", weight=Weight.HARM, reason="RepairFailed"):
    return NodeProblem(reason=reason, message=message, weight=weight)


def verdict(*problems):
    return conditions.verdict(problems, well=WELL, node="node-a")


def test_a_node_without_problems_is_ready_and_says_by_whom():
    assert verdict() == conditions.NodeVerdict(status="True", reason="Serving", message=WELL)


@pytest.mark.parametrize(
    ("weight", "status"), [(Weight.HARM, "False"), (Weight.WARNING, "True"), (Weight.FACT, "True")]
)
def test_only_what_harms_pods_makes_the_node_unready(weight, status):
    found = verdict(problem("all 5 addresses are taken", weight, "NodeFull"))

    assert (found.status, found.reason, found.message) == (status, "NodeFull", "all 5 addresses are taken")


def test_the_worst_is_named_and_the_others_are_counted():
    found = verdict(
        problem("a fact", Weight.FACT, "NodeFull"),
        problem("a warning", Weight.WARNING, "NotSynced"),
        problem("harm", reason="RepairFailed"),
    )

    assert (found.status, found.reason) == ("False", "RepairFailed")
    assert found.message == "harm (and 2 more: kubectl eni check node-a)"


def test_a_message_is_one_line_and_short_enough_and_keeps_its_end():
    found = verdict(problem("ä\n" * 2000), problem("x", Weight.FACT))

    assert "\n" not in found.message
    assert len(found.message.encode()) <= 1024
    assert found.message.endswith("(and 1 more: kubectl eni check node-a)")


def entry(wanted, present=None, now=1_700_000_000.0):
    return conditions.patch(present or {}, wanted, now)["status"]["conditions"][0]


def test_a_transition_is_dated_and_a_heartbeat_leaves_its_date():
    first = entry(verdict())
    again = entry(verdict(), first, now=1_700_003_600.0)
    other = entry(verdict(problem()), first, now=1_700_003_600.0)

    assert first["lastTransitionTime"] == again["lastTransitionTime"] == "2023-11-14T22:13:20Z"
    assert again["lastHeartbeatTime"] == other["lastTransitionTime"] == "2023-11-14T23:13:20Z"


@pytest.mark.parametrize(
    ("wanted", "since", "due"),
    [
        (verdict(), 299.0, False),
        (verdict(), 1799.0, False),
        (verdict(), 1800.0, True),
        (verdict(), math.inf, True),
        (verdict(problem()), 59.0, False),
        (verdict(problem()), 60.0, True),
        (conditions.verdict([], well="agent 0.2.0", node="n"), 299.0, False),
        (conditions.verdict([], well="agent 0.2.0", node="n"), 300.0, True),
    ],
)
def test_it_is_written_seldom(wanted, since, due):
    assert conditions.is_due(entry(verdict()), wanted, since_write=since) is due


def test_a_node_that_lost_it_gets_it_at_once():
    assert conditions.is_due({}, verdict(), since_write=0.0)


def test_neither_a_request_id_nor_a_time_makes_another_message():
    present = entry(verdict(problem("refused (RequestId 1-2-3)")))
    wanted = verdict(problem("refused (RequestId 4-5-6)"))

    assert not conditions.is_due(present, wanted, since_write=900.0)
    assert conditions.news([problem("refused (RequestId 1)")], [problem("refused (RequestId 2)")]) == []


def test_what_is_not_a_condition_is_none_of_ours():
    hostile: list[object] = [None, [], {"conditions": None}, {"conditions": ["x", {"type": "Ready"}]}]
    for status in hostile:
        assert conditions.shown({"status": status}) == {}


def test_of_our_condition_a_trimmed_node_keeps_all_but_the_message():
    node = {
        "metadata": {"name": "node-a", "uid": "u"},
        "status": {"conditions": [{"type": "MemoryPressure"}, entry(verdict())]},
    }

    trimmed = nodes.trim(node)

    assert nodes.view(trimmed) == nodes.view(node)
    assert nodes.view(trimmed).condition == "True"
    assert WELL not in str(trimmed)
    assert "MemoryPressure" not in str(trimmed)


def test_reasons_are_called_as_findings_are():
    """Who knows the one knows the other; these three are of nodes alone."""
    of_nodes = {NodeReason.SERVING, NodeReason.NO_ADDRESSES, NodeReason.AGENT_GONE}
    findings = {code.text for code in FindingCode}

    assert {reason.value for reason in set(NodeReason) - of_nodes} <= findings
    assert not {reason.value for reason in of_nodes} & findings
