"""Secondary addresses: states, tokens, limits, and refusals that concern a whole call."""

import pytest
from tencentcloud.vpc.v20170312 import models as vpc

from ipamd.core.cloud_errors.kind import CloudErrorKind as Kind
from tests.contract.cloud.account import refusal, request


@pytest.fixture
def eni_id(account):
    return account.create_eni().NetworkInterfaceId


def ips_of(account, eni_id):
    return {a.PrivateIpAddress for a in account.eni(eni_id).PrivateIpAddressSet}


def test_given_addresses_are_pending_and_then_available(account, eni_id):
    answer = account.vpc.AssignPrivateIpAddresses(
        request(
            vpc.AssignPrivateIpAddressesRequest, NetworkInterfaceId=eni_id, SecondaryPrivateIpAddressCount=3
        )
    )
    assert {a.State for a in answer.PrivateIpAddressSet} == {"PENDING"}
    assert not any(a.Primary for a in answer.PrivateIpAddressSet)
    account.until_done(answer.RequestId)
    given = {a.PrivateIpAddress for a in answer.PrivateIpAddressSet}
    shown = {a.PrivateIpAddress: a.State for a in account.eni(eni_id).PrivateIpAddressSet}
    assert len(given) == 3
    assert {shown[ip] for ip in given} == {"AVAILABLE"}


def test_a_client_token_assigns_once(account, eni_id):
    token = account.token()
    first = account.assign(eni_id, 2, ClientToken=token)
    assert account.assign(eni_id, 2, ClientToken=token) == first
    assert len(ips_of(account, eni_id)) == 3


def test_a_client_token_with_other_parameters_is_refused(account, eni_id):
    token = account.token()
    account.assign(eni_id, 1, ClientToken=token)
    _, kind = refusal(lambda: account.assign(eni_id, 2, ClientToken=token))
    assert kind is Kind.NEW_TOKEN


def test_one_task_at_a_time_changes_the_addresses_of_an_eni(account, eni_id):
    ask = request(
        vpc.AssignPrivateIpAddressesRequest, NetworkInterfaceId=eni_id, SecondaryPrivateIpAddressCount=1
    )
    answer = account.vpc.AssignPrivateIpAddresses(ask)
    _, kind = refusal(lambda: account.vpc.AssignPrivateIpAddresses(ask))
    assert kind is Kind.BUSY
    account.until_done(answer.RequestId)


def test_more_addresses_than_the_eni_takes_are_a_quota_error_and_none_is_given(account, eni_id):
    _, kind = refusal(lambda: account.assign(eni_id, 100))
    assert kind is Kind.QUOTA
    assert len(ips_of(account, eni_id)) == 1


def test_addresses_that_are_given_back_are_gone_when_the_task_is_done(account, eni_id):
    ips = account.assign(eni_id, 3)
    account.until_done(account.unassign(eni_id, ips[:2]).RequestId)
    assert ips_of(account, eni_id) & set(ips) == {ips[2]}


def test_one_unknown_address_fails_the_whole_call(account, eni_id):
    ips = account.assign(eni_id, 2)
    _, kind = refusal(lambda: account.unassign(eni_id, [ips[0], "192.0.2.1"]))
    assert kind in (Kind.NOT_FOUND, Kind.INVALID, Kind.WRONG_STATE)
    assert ips_of(account, eni_id) >= set(ips)


def test_more_than_ten_addresses_in_a_call_are_invalid(account, eni_id):
    _, kind = refusal(lambda: account.unassign(eni_id, [f"192.0.2.{n}" for n in range(1, 12)]))
    assert kind is Kind.INVALID


def test_the_primary_address_stays(account, eni_id):
    (own,) = ips_of(account, eni_id)
    refusal(lambda: account.unassign(eni_id, [own]))
    assert ips_of(account, eni_id) == {own}


def test_an_eni_that_does_not_exist_is_not_found(account):
    for refused in (
        lambda: account.assign("eni-00000000", 1),
        lambda: account.unassign("eni-00000000", ["192.0.2.1"]),
    ):
        _, kind = refusal(refused)
        assert kind is Kind.NOT_FOUND
