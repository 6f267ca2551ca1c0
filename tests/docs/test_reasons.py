"""Every reason that a failed call can bring about is named where operators look for it.

What a new row of `ipamd/core/failure_meanings` brings about, people write into these pages and manifests.
"""

import re

import pytest
import yaml

from ipamd.core.claim.reason import FAILURES, Reason
from ipamd.core.failure_meanings.by_code import BY_CODE
from ipamd.core.failure_meanings.by_kind import BY_KIND
from tests.docs.project import DOCS, ROOT

KINDS, CODES = BY_KIND.values(), BY_CODE.values()
ORDERS = {row.order.reason for row in KINDS} | {row.order.reason for row in CODES if row.order}
BINDS = {row.bind for row in KINDS} | {row.bind for row in CODES if row.bind}
NODES = {row.node for row in KINDS} | {row.node for row in CODES if row.node}
AFTER_ORDERS = {Reason.AMBIGUOUS_EIP, Reason.EIP_NOT_SHOWN}
"""What the controller finds when it looks for the EIP that it has ordered."""
ALERT = "TkeEniOrderRefused"


def section(page, begin, end):
    text = (DOCS / page).read_text()
    return text[text.index(begin) : text.index(end, text.index(begin) + len(begin))]


def unnamed(reasons, text):
    return sorted(reason.value for reason in reasons if not re.search(rf"(?<!\w){reason.value}(?!\w)", text))


def expression():
    rules = yaml.safe_load((ROOT / "deploy/components/monitoring/alerts.yaml").read_text())
    (found,) = [
        rule["expr"] for group in rules["spec"]["groups"] for rule in group["rules"] if rule["alert"] == ALERT
    ]
    return found


def test_the_alert_of_refused_orders_is_of_all_that_refuses_one():
    (listed,) = re.findall(r'reason=~"([^"]*)"', expression())

    assert set(listed.split("|")) == {reason.value for reason in ORDERS | AFTER_ORDERS}


def test_its_runbook_says_what_to_do_about_each():
    assert (
        unnamed(ORDERS | AFTER_ORDERS, section(f"runbooks/{ALERT}.md", "## Do", "## It is over when")) == []
    )


@pytest.mark.parametrize(
    ("page", "begin", "end"),
    [
        ("eipclaim.md", "## `Provisioned: False`", "The message holds"),
        ("errors.md", "## What the cloud refuses", "A refusal that"),
    ],
)
def test_the_table_of_a_page_has_each_reason_of_an_order(page, begin, end):
    rows = [line.split("|")[1] for line in section(page, begin, end).splitlines() if line.startswith("|")]

    assert unnamed(ORDERS | AFTER_ORDERS, "\n".join(rows)) == []


def test_the_page_of_claims_says_of_each_reason_of_a_bind_whether_a_repeat_helps():
    text = section("eipclaim.md", "`Bound: False` says", "`Usable: False`")
    helpless, repeated = text.split("no repeat helps")

    assert unnamed(BINDS & FAILURES, helpless) == []
    assert unnamed(BINDS - FAILURES, repeated) == []


def test_the_page_of_errors_has_each_reason_of_a_bind():
    assert unnamed(BINDS, (DOCS / "errors.md").read_text()) == []


@pytest.mark.parametrize("answer", ["reservation", "assignment"])
def test_the_page_of_fixed_addresses_has_each_reason_of_theirs(answer):
    reasons = {getattr(row, answer) for row in KINDS} - {None}

    assert unnamed(reasons, (DOCS / "fixed-ips.md").read_text()) == []


def test_the_page_of_the_agent_has_each_reason_that_a_failed_call_gives_a_node():
    assert (
        unnamed(
            NODES,
            section("agent.md", "TkeEniReady", "The message is one line"),
        )
        == []
    )
