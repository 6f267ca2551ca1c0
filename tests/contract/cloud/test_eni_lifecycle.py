"""ENIs from creation on a CVM to deletion."""

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.vpc.v20170312 import models as vpc

from ipamd.core.cloud_errors.codes import meaning
from ipamd.core.cloud_errors.kind import CloudErrorKind as Kind
from tests.contract.cloud.account import refusal, request

OWNED = [{"Key": "tke-eni-node", "Value": "ins-contract"}]


def detach(account, eni_id):
    return account.vpc.DetachNetworkInterface(
        request(
            vpc.DetachNetworkInterfaceRequest,
            NetworkInterfaceId=eni_id,
            InstanceId=account.endpoint.instance_id,
        )
    )


def delete(account, eni_id):
    return account.vpc.DeleteNetworkInterface(
        request(vpc.DeleteNetworkInterfaceRequest, NetworkInterfaceId=eni_id)
    )


def test_the_answer_to_a_creation_names_the_eni_and_its_request_id_leads_to_the_task(account):
    answer = account.vpc.CreateAndAttachNetworkInterface(account.eni_request(secondary=1))
    eni_id = answer.NetworkInterface.NetworkInterfaceId
    account.eni_ids.append(eni_id)
    assert answer.NetworkInterface.State == "PENDING"
    account.until_done(answer.RequestId)
    eni = account.eni(eni_id)
    assert (eni.State, eni.Primary) == ("AVAILABLE", False)
    assert eni.Attachment.InstanceId == account.endpoint.instance_id
    assert len(eni.MacAddress.split(":")) == 6
    assert sorted(a.Primary for a in eni.PrivateIpAddressSet) == [False, True]
    assert {a.State for a in eni.PrivateIpAddressSet} == {"AVAILABLE"}


def test_a_client_token_creates_once(account):
    token = account.token()
    first = account.create_eni(ClientToken=token)
    again = account.vpc.CreateAndAttachNetworkInterface(account.eni_request(ClientToken=token))
    assert again.NetworkInterface.NetworkInterfaceId == first.NetworkInterfaceId
    assert len(account.enis(**{"attachment.instance-id": account.endpoint.instance_id})) == 2


def test_the_enis_of_a_cvm_are_listed_with_its_primary_one(account):
    eni = account.create_eni()
    listed = account.enis(**{"attachment.instance-id": account.endpoint.instance_id})
    assert eni.NetworkInterfaceId in {e.NetworkInterfaceId for e in listed}
    assert [e.Primary for e in listed].count(True) == 1
    assert account.enis(**{"attachment.instance-id": "ins-00000000"}) == []


def test_tags_are_shown_and_are_filters(account):
    eni = account.create_eni(Tags=OWNED)
    (found,) = account.enis(**{"tag:tke-eni-node": "ins-contract"})
    assert found.NetworkInterfaceId == eni.NetworkInterfaceId
    assert {tag.Key: tag.Value for tag in found.TagSet}.items() >= {"tke-eni-node": "ins-contract"}.items()


def test_a_task_that_nobody_started_is_not_found(account):
    _, kind = refusal(lambda: account.task("00000000-0000-4000-8000-000000000000"))
    assert kind in (Kind.NOT_FOUND, Kind.INVALID)


def test_an_attached_eni_is_not_deleted(account):
    eni = account.create_eni()
    _, kind = refusal(lambda: delete(account, eni.NetworkInterfaceId))
    assert kind is Kind.WRONG_STATE


def test_a_detached_eni_stays_until_it_is_deleted(account):
    eni_id = account.create_eni().NetworkInterfaceId
    account.until_done(detach(account, eni_id).RequestId)
    eni = account.eni(eni_id)
    assert eni.State == "AVAILABLE"
    assert eni.Attachment is None or not eni.Attachment.InstanceId
    _, kind = refusal(lambda: detach(account, eni_id))
    assert kind in (Kind.WRONG_STATE, Kind.NOT_FOUND)
    delete(account, eni_id)
    account.until(lambda: True if account.eni(eni_id) is None else None, f"the end of {eni_id}")
    _, kind = refusal(lambda: delete(account, eni_id))
    assert kind is Kind.NOT_FOUND


def test_an_eni_that_does_not_exist_is_listed_as_nothing_or_not_found(account):
    found = []
    try:
        answer = account.common().call_json(
            "DescribeNetworkInterfaces", {"NetworkInterfaceIds": ["eni-00000000"]}
        )
        found = answer["Response"]["NetworkInterfaceSet"]
    except TencentCloudSDKException as e:
        if meaning(e.code).kind is not Kind.NOT_FOUND:
            raise
    assert found == []


def test_the_limits_of_a_cvm_count_the_primary_eni(account):
    limit = account.vpc.DescribeNetworkInterfaceLimit(
        request(vpc.DescribeNetworkInterfaceLimitRequest, InstanceId=account.endpoint.instance_id)
    )
    assert limit.EniQuantity >= 2
    assert limit.EniPrivateIpAddressQuantity >= 6
    free = limit.EniQuantity - len(account.enis(**{"attachment.instance-id": account.endpoint.instance_id}))
    for _ in range(free):
        account.create_eni()
    _, kind = refusal(lambda: account.vpc.CreateAndAttachNetworkInterface(account.eni_request()))
    assert kind is Kind.QUOTA


@pytest.mark.parametrize("field", ["SubnetId", "InstanceId", "VpcId"])
def test_a_creation_that_names_what_does_not_exist_is_refused(account, field):
    wrong = account.eni_request()
    setattr(
        wrong, field, {"SubnetId": "subnet-00000000", "InstanceId": "ins-00000000"}.get(field, "vpc-00000000")
    )
    _, kind = refusal(lambda: account.vpc.CreateAndAttachNetworkInterface(wrong))
    assert kind in (Kind.NOT_FOUND, Kind.INVALID)
