"""What stands before an action: rate limits and CAM."""

import pytest
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from simulator.cloud import RateLimits
from simulator.cloud.actions import catalog
from simulator.cloud.config import AccountConfig, UserConfig

TWO_USERS = AccountConfig(
    users=(UserConfig(), UserConfig(name="other", secret_id="AKIDother", secret_key="other-key"))
)
OTHER = Credential("AKIDother", "other-key")


def calls_until_refused(cloud, action, params, **options):
    client = cloud.client(**options)
    for count in range(200):
        try:
            client.call_json(action, params)
        except TencentCloudSDKException as e:
            if "Limit" in e.code:
                return count, e.code, e.message
    return 200, "", ""


@pytest.mark.parametrize(
    ("action", "params", "product", "limit", "code"),
    [
        ("AllocateAddresses", {"AddressCount": 0}, "vpc", 10, "RequestLimitExceeded"),
        ("AssociateAddress", {"AddressId": "x"}, "vpc", 10, "RequestLimitExceeded"),
        ("DescribeAddresses", {}, "vpc", 20, "RequestLimitExceeded"),
        ("DescribeTaskResult", {"TaskId": 1}, "vpc", 20, "RequestLimitExceeded"),
        ("CreateAndAttachNetworkInterface", {}, "vpc", 20, "RequestLimitExceeded"),
        ("AttachNetworkInterface", {}, "vpc", 50, "LimitExceeded.ActionLimited"),
        ("AssignPrivateIpAddresses", {}, "vpc", 100, "LimitExceeded.ActionLimited"),
        ("DescribeNetworkInterfaces", {}, "vpc", 100, "LimitExceeded.ActionLimited"),
        ("DescribeSubnets", {}, "vpc", 100, "RequestLimitExceeded"),
        ("DescribeInstances", {}, "cvm", 40, "RequestLimitExceeded"),
    ],
)
def test_an_action_has_its_published_rate(make_cloud, action, params, product, limit, code):
    cloud = make_cloud(rate_limits=RateLimits())
    count, refusal, message = calls_until_refused(cloud, action, params, product=product)
    assert (count, refusal) == (limit, code)
    assert str(limit) in message
    cloud.clock.advance(1.0)
    assert calls_until_refused(cloud, action, params, product=product)[0] == limit


def test_rates_count_for_each_action_and_sub_account(make_cloud):
    cloud = make_cloud(rate_limits=RateLimits(), account=TWO_USERS)
    assert calls_until_refused(cloud, "DescribeAddressQuota", {})[0] == 10
    assert calls_until_refused(cloud, "DescribeAddressQuota", {}, credential=OTHER)[0] == 10
    assert cloud.call("DescribeAddresses")["TotalCount"] == 0


def test_rates_can_be_scaled(make_cloud):
    cloud = make_cloud(rate_limits=RateLimits(scale=0.2))
    assert calls_until_refused(cloud, "DescribeAddressQuota", {})[0] == 2


def test_a_refused_call_does_nothing(make_cloud):
    cloud = make_cloud(rate_limits=RateLimits(scale=0.1))
    cloud.call("AllocateAddresses")
    assert cloud.refused("AllocateAddresses") == "RequestLimitExceeded"
    assert len(cloud.region.snapshot()["addresses"]) == 1


def test_a_denial_names_operation_and_resource_as_cam_does(cloud):
    cloud.region.accounts.set_policy("demo", deny=("cvm:AllocateAddresses",))
    assert cloud.refused("AllocateAddresses") == "UnauthorizedOperation"
    message = cloud.message("AllocateAddresses")
    assert message.startswith("[request id:")
    assert "you are not authorized to perform operation (cvm:AllocateAddresses)\nresource (" in message
    assert "resource (qcs::cvm:ap-guangzhou:uin/100000000001:eip/*) has no permission" in message
    cloud.region.accounts.set_policy("demo")
    assert cloud.eip()


def test_a_denial_names_the_object_when_there_is_one(cloud):
    address_id = cloud.eip()
    cloud.region.accounts.set_policy("demo", deny=("*:*Address", "*:ReleaseAddresses"))
    message = cloud.message("AssociateAddress", {"AddressId": address_id})
    assert f"uin/100000000001:eip/{address_id})" in message
    assert f"eip/{address_id})" in cloud.message("ReleaseAddresses", {"AddressIds": [address_id]})


def test_only_what_is_allowed_is_allowed(cloud):
    cloud.region.accounts.set_policy("demo", allow=("cvm:Describe*", "vpc:Describe*"))
    cloud.call("DescribeAddresses")
    cloud.call("DescribeSubnets")
    for action, params in (
        ("AllocateAddresses", {}),
        ("DeleteNetworkInterface", {"NetworkInterfaceId": "eni-00000000"}),
    ):
        assert cloud.refused(action, params) == "UnauthorizedOperation"


def test_policies_belong_to_one_user_or_role(make_cloud):
    cloud = make_cloud(account=TWO_USERS)
    cloud.region.accounts.set_policy("other", allow=())
    assert cloud.refused("DescribeAddresses", credential=OTHER) == "UnauthorizedOperation"
    cloud.call("DescribeAddresses")
    cloud.region.accounts.set_policy("IPAMDofTKE_QCSRole", deny=("cvm:*",))
    key = cloud.region.accounts.temporary_key("IPAMDofTKE_QCSRole")
    role = Credential(key.secret_id, key.secret_key, key.token)
    assert cloud.refused("DescribeAddresses", credential=role) == "UnauthorizedOperation"
    cloud.call("DescribeSubnets", credential=role)
    assert cloud.region.accounts.policies()["other"] == {"allow": [], "deny": []}
    with pytest.raises(KeyError, match="nobody"):
        cloud.region.accounts.set_policy("nobody")


def test_every_action_has_a_rate_and_a_resource():
    assert len({(action.product, action.name) for action in catalog.ALL}) == len(catalog.ALL)
    for action in catalog.ALL:
        assert action.rate > 0
        assert set(action.parameters.required) <= set(action.parameters.fields)
        assert not action.cam.id_parameter or action.cam.id_parameter in action.parameters.fields
        assert action.writes == (not action.name.startswith("Describe"))
