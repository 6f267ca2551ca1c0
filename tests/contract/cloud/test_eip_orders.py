"""EIPs from order to release, and what listings of them do."""

import pytest
from tencentcloud.vpc.v20170312 import models as vpc

from ipamd.core.cloud_errors.kind import CloudErrorKind as Kind
from tests.contract.cloud.account import filter_list, refusal, request

TAGS = [{"Key": "tke-clusterId", "Value": "cls-contract"}, {"Key": "tke-eipclaim-uid", "Value": "uid-1"}]


def order(account, **fields):
    answer = account.vpc.AllocateAddresses(request(vpc.AllocateAddressesRequest, **fields))
    account.eip_ids.extend(eip_id for eip_id in answer.AddressSet if eip_id not in account.eip_ids)
    return answer


def describe(account, **fields):
    return account.vpc.DescribeAddresses(request(vpc.DescribeAddressesRequest, **fields))


def test_one_eip_is_ordered_by_default_and_its_task_is_text_to_give_and_a_number_to_ask(account):
    answer = order(account)
    (eip_id,) = answer.AddressSet
    assert eip_id.startswith("eip-")
    assert isinstance(answer.TaskId, str)
    account.until_status(eip_id, "UNBIND")
    result = account.vpc.DescribeTaskResult(request(vpc.DescribeTaskResultRequest, TaskId=int(answer.TaskId)))
    assert (result.TaskId, result.Result) == (int(answer.TaskId), "SUCCESS")


def test_an_order_says_isp_bandwidth_charge_type_name_and_tags(account):
    eip_id = account.allocate(
        InternetServiceProvider="BGP",
        InternetMaxBandwidthOut=7,
        InternetChargeType="TRAFFIC_POSTPAID_BY_HOUR",
        AddressName="contract",
        Tags=TAGS,
    )
    address = account.address(eip_id)
    assert address.AddressStatus == "UNBIND"
    assert address.AddressIp
    assert (address.InternetServiceProvider, address.Bandwidth) == ("BGP", 7)
    assert (address.AddressName, address.AddressType) == ("contract", "EIP")
    assert {tag.Key: tag.Value for tag in address.TagSet}.items() >= {
        "tke-clusterId": "cls-contract",
        "tke-eipclaim-uid": "uid-1",
    }.items()
    assert (address.NetworkInterfaceId, address.PrivateAddressIp, address.InstanceId) == (None, None, None)
    assert (address.IsArrears, address.IsBlocked) == (False, False)


def test_a_client_token_orders_once(account):
    token = account.token()
    first = order(account, ClientToken=token)
    assert order(account, ClientToken=token).AddressSet == first.AddressSet


def test_a_client_token_with_another_order_is_refused(account):
    token = account.token()
    order(account, ClientToken=token, InternetMaxBandwidthOut=1)
    _, kind = refusal(lambda: order(account, ClientToken=token, InternetMaxBandwidthOut=2))
    assert kind in (Kind.NEW_TOKEN, Kind.INVALID)


@pytest.mark.parametrize("bandwidth", [0, 101])
def test_a_bandwidth_that_traffic_billing_does_not_sell_is_invalid(account, bandwidth):
    _, kind = refusal(lambda: order(account, InternetMaxBandwidthOut=bandwidth))
    assert kind is Kind.INVALID


def test_an_isp_that_does_not_exist_is_invalid(account):
    _, kind = refusal(lambda: order(account, InternetServiceProvider="XYZ"))
    assert kind is Kind.INVALID


def test_ids_that_do_not_exist_are_left_out(account):
    eip_id = account.allocate()
    answer = describe(account, AddressIds=["eip-00000000", eip_id])
    assert [address.AddressId for address in answer.AddressSet] == [eip_id]
    assert answer.TotalCount == 1


def test_a_malformed_id_fails_the_whole_question(account):
    eip_id = account.allocate()
    _, kind = refusal(lambda: describe(account, AddressIds=[eip_id, "not an id"]))
    assert kind is Kind.INVALID


def test_ids_are_cut_by_the_page(account):
    eip_ids = [account.allocate() for _ in range(3)]
    answer = describe(account, AddressIds=eip_ids, Limit=2)
    assert (len(answer.AddressSet), answer.TotalCount) == (2, 3)
    rest = describe(account, AddressIds=eip_ids, Limit=2, Offset=2)
    assert len(rest.AddressSet) == 1
    assert {a.AddressId for a in [*answer.AddressSet, *rest.AddressSet]} == set(eip_ids)


def test_a_page_of_more_than_a_hundred_is_invalid(account):
    _, kind = refusal(lambda: describe(account, Limit=101))
    assert kind is Kind.INVALID


def test_filters_are_combined_and_tags_are_filters(account):
    ours = account.allocate(Tags=TAGS)
    account.allocate(Tags=[TAGS[0], {"Key": "tke-eipclaim-uid", "Value": "uid-2"}])
    both = filter_list({"tag:tke-clusterId": "cls-contract", "tag:tke-eipclaim-uid": "uid-1"})
    assert [address.AddressId for address in describe(account, Filters=both).AddressSet] == [ours]
    assert len(describe(account, Filters=both[:1]).AddressSet) == 2


def test_a_released_eip_is_gone_and_then_not_found(account):
    eip_id = account.allocate()
    account.release(eip_id)
    account.until(lambda: True if account.address(eip_id) is None else None, f"the end of {eip_id}")
    _, kind = refusal(lambda: account.release(eip_id))
    assert kind is Kind.NOT_FOUND


def test_quotas_have_the_two_names_that_are_looked_for(account):
    answer = account.vpc.DescribeAddressQuota(request(vpc.DescribeAddressQuotaRequest))
    quotas = {quota.QuotaId: quota for quota in answer.QuotaSet}
    for name in ("TOTAL_EIP_QUOTA", "DAILY_EIP_APPLY"):
        assert 0 <= quotas[name].QuotaCurrent <= quotas[name].QuotaLimit
        assert quotas[name].QuotaGroup == account.endpoint.region
