"""Each repair is told and counted, and who fights the repair is noticed."""

import logging

import pytest

from ipamd.agent.node.repair_log import RepairLog
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from tests.testkit.clock import Clock

RULE = Difference(code=FindingCode.POLICY_RULE, subject="rule/512", text="the rule '512: …' is gone")
LINK = Difference(code=FindingCode.ENI_LINK, subject="link/eth1", text="link eth1 is down")


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def repairs(clock):
    return RepairLog(clock=clock)


def test_a_repair_is_a_warning_with_what_was_found_and_a_count_by_code(repairs, caplog):
    with caplog.at_level(logging.WARNING):
        repairs.note(RULE)
    repairs.note(LINK)
    repairs.note(LINK)

    assert "repaired: PolicyRule rule/512: the rule '512: …' is gone" in caplog.text
    samples = {metric.name: metric.samples for metric in repairs.metrics()}
    assert samples["tke_eni_repairs_by_code"] == {("PolicyRule",): 1, ("EniLink",): 2}
    assert list(samples["tke_eni_repairs_fought"].values()) == [0]


def test_what_was_repaired_since_a_moment_is_known(repairs):
    repairs.note(RULE)
    before = repairs.number
    repairs.note(LINK)

    assert repairs.since(before) == [LINK]
    assert repairs.since(repairs.number) == []


def test_the_same_repair_again_and_again_is_a_finding_and_seldom_is_none(repairs, clock):
    for _ in range(4):
        repairs.note(RULE)
        repairs.note(LINK)
        clock.now += 1.0
    assert repairs.fights() == []
    repairs.note(RULE)

    (fight,) = repairs.fights()

    assert (fight.code, fight.subject) == (FindingCode.REPAIRED_AGAIN, "rule/512")
    assert "PolicyRule was repaired 5 times in the last 10 minutes" in fight.text
    assert fight.is_problem
    clock.now += 600.0
    assert repairs.fights() == []


def test_five_repairs_in_an_hour_are_no_fight(repairs, clock):
    for _ in range(5):
        repairs.note(RULE)
        clock.now += 700.0

    assert repairs.fights() == []
