"""Security groups of ENIs: given, taken, shown, refused; subnets found by their tags."""

import pytest

from simulator.cloud.config import SecurityGroupConfig, SubnetConfig, VpcConfig

GIVE, TAKE = "AssociateNetworkInterfaceSecurityGroups", "DisassociateNetworkInterfaceSecurityGroups"


def change(cloud, action, eni_id, *groups):
    answer = cloud.call(action, {"NetworkInterfaceIds": [eni_id], "SecurityGroupIds": list(groups)})
    cloud.pass_time()
    return answer


def groups(cloud, eni_id):
    return cloud.shown_eni(eni_id)["GroupSet"]


def test_groups_come_behind_those_that_are_there_and_none_twice(cloud):
    eni = cloud.eni(SecurityGroupIds=["sg-aaaaaaaa"])

    change(cloud, GIVE, eni, "sg-bbbbbbbb", "sg-aaaaaaaa")
    assert groups(cloud, eni) == ["sg-aaaaaaaa", "sg-bbbbbbbb"]

    change(cloud, TAKE, eni, "sg-aaaaaaaa", "sg-cccccccc")
    assert groups(cloud, eni) == ["sg-bbbbbbbb"]


def test_the_answer_names_no_task_and_the_change_shows_later(cloud):
    eni = cloud.eni(SecurityGroupIds=["sg-aaaaaaaa"])
    answer = cloud.call(GIVE, {"NetworkInterfaceIds": [eni], "SecurityGroupIds": ["sg-bbbbbbbb"]})

    assert set(answer) == {"RequestId"}
    assert groups(cloud, eni) == ["sg-aaaaaaaa"]
    cloud.pass_time()
    assert groups(cloud, eni) == ["sg-aaaaaaaa", "sg-bbbbbbbb"]


def test_a_primary_eni_is_not_changed(cloud):
    primary = cloud.primary_eni(cloud.node())
    wish = {"NetworkInterfaceIds": [primary], "SecurityGroupIds": ["sg-bbbbbbbb"]}
    assert cloud.refused(GIVE, wish).startswith("UnsupportedOperation")


def test_where_groups_are_configured_no_other_exists(make_cloud):
    cloud = make_cloud(security_groups=(SecurityGroupConfig(security_group_id="sg-aaaaaaaa"),))
    eni = cloud.eni(SecurityGroupIds=["sg-aaaaaaaa"])
    wish = {"NetworkInterfaceIds": [eni], "SecurityGroupIds": ["sg-bbbbbbbb"]}
    assert cloud.refused(GIVE, wish) == "ResourceNotFound"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"tag:use": "pods"}, {"subnet-aaaaaaaa", "subnet-bbbbbbbb"}),
        ({"tag:use": "pods", "tag:team": "red"}, {"subnet-bbbbbbbb"}),
        ({"cidr-block": "10.0.3.0/24"}, {"subnet-cccccccc"}),
        ({"tag:use": "other"}, set()),
    ],
)
def test_subnets_are_found_by_tags_and_range(make_cloud, wanted, found):
    subnets = (
        SubnetConfig(subnet_id="subnet-aaaaaaaa", cidr="10.0.1.0/24", tags={"use": "pods"}),
        SubnetConfig(subnet_id="subnet-bbbbbbbb", cidr="10.0.2.0/24", tags={"use": "pods", "team": "red"}),
        SubnetConfig(subnet_id="subnet-cccccccc", cidr="10.0.3.0/24"),
    )
    cloud = make_cloud(vpc=VpcConfig(subnets=subnets))
    filters = [{"Name": name, "Values": [value]} for name, value in wanted.items()]

    answer = cloud.call("DescribeSubnets", {"Filters": filters})

    assert {subnet["SubnetId"] for subnet in answer["SubnetSet"]} == found
