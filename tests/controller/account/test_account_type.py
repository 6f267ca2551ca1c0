"""Accounts that pay for EIPs by CVM take other orders than those of today's kind."""

import pytest

from ipamd.controller.account.account_type import AccountChecks
from ipamd.core.eip import account_types
from ipamd.core.eip.account_types import AccountType
from ipamd.core.model import EipOrder
from simulator.cloud import (
    Fault,
    FaultKind,
)
from simulator.cloud.config import LEGACY, AccountConfig

BY_CVM = '{"InternetChargeType":"BILL_BY_CVM"}'
HOURLY = '{"InternetChargeType":"BANDWIDTH_POSTPAID_BY_HOUR"}'


class Account:
    """Tells its type, and counts how often it was asked."""

    def __init__(self, kind):
        self.kind = kind
        self.asked = 0

    def describe_account_type(self):
        self.asked += 1
        return self.kind


@pytest.fixture
def legacy(make_world):
    return make_world(account=AccountConfig(network_type=LEGACY))


def test_a_pod_that_names_no_charge_type_gets_its_eip_and_is_told_whose_bandwidth_it_has(legacy):
    legacy.start_controller()
    legacy.create_pod("web-0")
    legacy.wait_provisioned("web-0")

    event, *_ = legacy.wait(lambda: legacy.events("BilledByCVM"))
    assert "LEGACY" in event["message"]
    refused = [entry.code for entry in legacy.region.audit.writes() if entry.code]
    assert refused == []


def test_the_claim_says_what_the_annotation_says(legacy):
    legacy.start_controller()
    legacy.create_pod("web-0", {"eip-attributes": BY_CVM})
    legacy.wait_provisioned("web-0")

    assert legacy.claim_object("web-0")["spec"]["attributes"]["chargeType"] == "BILL_BY_CVM"
    assert legacy.events("BilledByCVM") == []
    assert legacy.events("AnnotationsIgnored") == []


@pytest.mark.parametrize(("kind", "attributes"), [("legacy", HOURLY), ("world", BY_CVM)])
def test_a_charge_type_that_the_account_does_not_have_is_refused_and_nothing_ordered(
    kind, attributes, request
):
    world = request.getfixturevalue(kind)
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": attributes})

    refusal = world.wait(lambda: world.condition("web-0"))
    assert refusal["reason"] == "InvalidAttributes"
    assert "has no charge type" in refusal["message"]
    assert world.region.audit.writes() == []


def test_without_the_right_to_ask_the_account_is_taken_for_one_of_today(world):
    world.region.accounts.set_policy("demo", deny=("*:DescribeNetworkAccountType",))
    world.start_controller()
    world.create_pod("web-0")

    world.wait_provisioned("web-0")


def test_a_look_that_fails_at_the_start_is_made_again(legacy):
    legacy.region.faults.add(Fault(kind=FaultKind.HTTP_500, action="DescribeNetworkAccountType", count=6))
    legacy.start_controller()
    legacy.create_pod("web-0")

    legacy.wait_provisioned("web-0")


def test_an_order_before_the_first_look_looks_itself_and_later_ones_do_not():
    account = Account(AccountType.LEGACY)
    checks = AccountChecks(account)

    orders = [checks.fit(EipOrder()) for _ in range(3)]

    assert orders == [account_types.fit(EipOrder(), AccountType.LEGACY)] * 3
    assert orders[0] != account_types.fit(EipOrder(), AccountType.STANDARD)
    assert account.asked == 1
