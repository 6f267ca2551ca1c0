"""Reserved private addresses: kept, named, counted, refused; who uses an address."""

import pytest

from simulator.cloud.config import AccountConfig, Quotas, SubnetConfig, VpcConfig
from tests.simulator.cloud.conftest import SUBNET, VPC

CREATE, DESCRIBE, DELETE = (
    "CreateReserveIpAddresses",
    "DescribeReserveIpAddresses",
    "DeleteReserveIpAddresses",
)
IN_SUBNET = {"VpcId": VPC, "SubnetId": SUBNET}


def reserve(cloud, *ips, **params):
    wish = {"IpAddresses": list(ips)} if ips else {"IpAddressCount": 1}
    [made] = cloud.call(CREATE, {**IN_SUBNET, **wish, **params})["ReserveIpAddressSet"]
    return made


def shown(cloud, **filters):
    listed = [
        {"Name": name.replace("_", "-"), "Values": [value] if isinstance(value, str) else value}
        for name, value in filters.items()
    ]
    return cloud.call(DESCRIBE, {"Filters": listed})["ReserveIpAddressSet"]


def free(cloud):
    [subnet] = cloud.call("DescribeSubnets", {"SubnetIds": [SUBNET]})["SubnetSet"]
    return subnet["AvailableIpAddressCount"]


def assign(cloud, eni, ip, description=""):
    named = {"PrivateIpAddress": ip, "Description": description}
    answer = cloud.call(
        "AssignPrivateIpAddresses", {"NetworkInterfaceId": eni, "PrivateIpAddresses": [named]}
    )
    cloud.pass_time()
    return answer


def test_a_reserved_address_is_given_to_nobody_who_asks_for_any(cloud):
    before = free(cloud)
    kept = reserve(cloud)["ReserveIpAddress"]
    assert free(cloud) == before - 1

    eni = cloud.eni(cloud.node(), secondaries=5)
    assert kept not in cloud.ips(eni)
    assert kept != reserve(cloud)["ReserveIpAddress"]


def test_an_eni_gets_it_by_its_name_and_it_stays_reserved(cloud):
    kept = reserve(cloud, "10.0.1.77")
    eni = cloud.eni(cloud.node())
    before = free(cloud)
    assign(cloud, eni, "10.0.1.77", "tke-vpcip/uid-1")

    [address] = [a for a in cloud.shown_eni(eni)["PrivateIpAddressSet"] if not a["Primary"]]
    assert (address["PrivateIpAddress"], address["Description"]) == ("10.0.1.77", "tke-vpcip/uid-1")
    [bound] = shown(cloud, reserve_ip_id=kept["ReserveIpId"])
    assert (bound["State"], bound["ResourceId"]) == ("Bind", eni)
    assert free(cloud) == before

    cloud.call(
        "UnassignPrivateIpAddresses",
        {"NetworkInterfaceId": eni, "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.77"}]},
    )
    cloud.pass_time()
    [again] = shown(cloud, reserve_ip_id=kept["ReserveIpId"])
    assert (again["State"], again["ResourceId"]) == ("UnBind", "")
    assert free(cloud) == before


def test_it_outlives_the_eni_and_moves_with_the_address(cloud):
    kept = reserve(cloud, "10.0.1.77")
    node = cloud.node()
    first, second = cloud.eni(node), cloud.eni(node)
    assign(cloud, first, "10.0.1.77", "mine")
    cloud.call(
        "MigratePrivateIpAddress",
        {
            "SourceNetworkInterfaceId": first,
            "DestinationNetworkInterfaceId": second,
            "PrivateIpAddress": "10.0.1.77",
        },
    )
    cloud.pass_time()
    assert shown(cloud, resource_id=second)[0]["ReserveIpId"] == kept["ReserveIpId"]
    assert cloud.shown_eni(second)["PrivateIpAddressSet"][1]["Description"] == "mine"

    cloud.call("DetachNetworkInterface", {"NetworkInterfaceId": second, "InstanceId": node})
    cloud.pass_time()
    cloud.call("DeleteNetworkInterface", {"NetworkInterfaceId": second})
    cloud.pass_time()
    assert [one["State"] for one in shown(cloud, name="")] == ["UnBind"]


def test_an_address_that_an_eni_has_is_not_assigned_again(cloud):
    first, second = cloud.eni(cloud.node()), cloud.eni(cloud.node())
    assign(cloud, first, "10.0.1.77")
    wish = {"NetworkInterfaceId": second, "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.77"}]}
    assert cloud.refused("AssignPrivateIpAddresses", wish) == "ResourceInUse"


def test_where_reserved_addresses_are_not_assigned_their_name_does_not_help(make_cloud):
    cloud = make_cloud(account=AccountConfig(assigns_reserved_ips=False))
    reserve(cloud, "10.0.1.77")
    eni = cloud.eni(cloud.node())
    wish = {"NetworkInterfaceId": eni, "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.77"}]}
    assert cloud.refused("AssignPrivateIpAddresses", wish) == "ResourceInUse"

    cloud.region.set_reservation_rules(assignable=True)
    assign(cloud, eni, "10.0.1.77")
    assert cloud.ips(eni) == ["10.0.1.77"]


@pytest.mark.parametrize(
    "params",
    [
        {"VpcId": "vpc-other000", "IpAddressCount": 1},
        {**IN_SUBNET, "SubnetId": "subnet-none0000", "IpAddressCount": 1},
        {**IN_SUBNET, "IpAddresses": ["10.0.1.1"]},
        {**IN_SUBNET, "IpAddresses": ["10.0.1.0"]},
        {**IN_SUBNET, "IpAddresses": ["10.0.2.9"]},
        {**IN_SUBNET, "IpAddresses": ["web-0"]},
        {"VpcId": VPC, "IpAddresses": ["10.9.9.9"]},
        {"VpcId": VPC, "IpAddresses": ["web-0"]},
        {**IN_SUBNET, "IpAddresses": ["10.0.1.9", "10.0.1.9"]},
        {**IN_SUBNET, "IpAddressCount": 0},
        {**IN_SUBNET, "IpAddressCount": 1000},
        {**IN_SUBNET, "IpAddressCount": 1, "Tags": [{"Key": "a", "Value": ""}, {"Key": "a", "Value": ""}]},
    ],
)
def test_what_cannot_be_reserved_is_refused_whole(cloud, params):
    before = free(cloud)
    assert cloud.refused(CREATE, params) == "InvalidParameterValue"
    assert free(cloud) == before


@pytest.mark.parametrize(
    "params", [IN_SUBNET, {**IN_SUBNET, "IpAddressCount": 1, "IpAddresses": ["10.0.1.9"]}]
)
def test_either_addresses_or_their_number_are_needed(cloud, params):
    assert cloud.refused(CREATE, params) == "MissingParameter"


def test_an_address_of_an_eni_and_one_that_is_reserved_are_refused(cloud):
    used = cloud.shown_eni(cloud.eni())["PrivateIpAddressSet"][0]["PrivateIpAddress"]
    kept = reserve(cloud)["ReserveIpAddress"]
    for ip in (used, kept):
        assert cloud.refused(CREATE, {**IN_SUBNET, "IpAddresses": [ip]}) == "InvalidParameterValue"


def test_the_quota_is_the_account_s(make_cloud):
    cloud = make_cloud(quotas=Quotas(reserved_ips=2))
    kept = [reserve(cloud) for _ in range(2)]
    wish = {**IN_SUBNET, "IpAddressCount": 1}
    assert cloud.refused(CREATE, wish) == "InvalidParameterValue"
    cloud.call(DELETE, {"VpcId": VPC, "ReserveIpIds": [kept[0]["ReserveIpId"]]})
    cloud.call(CREATE, wish)


def test_without_a_subnet_the_address_tells_it(make_cloud):
    subnets = (SubnetConfig(), SubnetConfig(subnet_id="subnet-demo0002", cidr="10.0.2.0/24"))
    cloud = make_cloud(vpc=VpcConfig(subnets=subnets))
    answer = cloud.call(CREATE, {"VpcId": VPC, "IpAddresses": ["10.0.2.9"]})
    assert answer["ReserveIpAddressSet"][0]["SubnetId"] == "subnet-demo0002"
    assert cloud.call(CREATE, {"VpcId": VPC, "IpAddressCount": 1})["ReserveIpAddressSet"]


def test_a_token_reserves_once(cloud):
    wish = {**IN_SUBNET, "IpAddressCount": 1, "ClientToken": "token-1"}
    first, second = cloud.call(CREATE, wish), cloud.call(CREATE, wish)
    assert first["ReserveIpAddressSet"] == second["ReserveIpAddressSet"]
    assert len(shown(cloud, vpc_id=VPC)) == 1
    assert cloud.refused(CREATE, {**wish, "IpAddressCount": 2}) == "InvalidParameterValue"


def test_reservations_are_found_by_tags_address_state_and_subnet(cloud):
    red = reserve(cloud, "10.0.1.77", Name="a", Tags=[{"Key": "team", "Value": "red"}])["ReserveIpId"]
    blue = reserve(cloud, "10.0.1.78", Name="b", Tags=[{"Key": "team", "Value": "blue"}])["ReserveIpId"]
    assign(cloud, cloud.eni(cloud.node()), "10.0.1.78")

    def found(**filters):
        return {one["ReserveIpId"] for one in shown(cloud, **filters)}

    assert found(**{"tag:team": "red"}) == {red}
    assert found(tag_key="team") == {red, blue}
    assert found(reserve_address_ip=["10.0.1.77", "10.0.1.78", "10.0.1.79"]) == {red, blue}
    assert found(state="Bind") == {blue}
    assert found(state="UnBind", subnet_id=SUBNET) == {red}
    assert found(name="b") == {blue}
    assert cloud.refused(DESCRIBE, {"Filters": [{"Name": "no", "Values": ["x"]}]}).startswith(
        "InvalidParameter"
    )


def test_a_listing_comes_by_pages(cloud):
    made = {reserve(cloud)["ReserveIpId"] for _ in range(5)}
    pages = [cloud.call(DESCRIBE, {"Offset": offset, "Limit": 2}) for offset in (0, 2, 4)]
    assert [page["TotalCount"] for page in pages] == [5, 5, 5]
    assert {one["ReserveIpId"] for page in pages for one in page["ReserveIpAddressSet"]} == made
    assert len(cloud.call(DESCRIBE, {"ReserveIpIds": sorted(made)[:2]})["ReserveIpAddressSet"]) == 2


def test_ids_that_do_not_exist_or_are_malformed_are_refused(cloud):
    for action, wish in ((DESCRIBE, {}), (DELETE, {"VpcId": VPC})):
        missing, malformed = ({**wish, "ReserveIpIds": [given]} for given in ("rsvip-00000000", "eip-1"))
        assert cloud.refused(action, missing) == "InvalidParameterValue.ResourceNotFound"
        assert cloud.refused(action, malformed) == "InvalidParameterValue.Malformed"
    many = {"ReserveIpIds": [f"rsvip-{n:08}" for n in range(101)]}
    assert cloud.refused(DESCRIBE, many) == "InvalidParameterValue.LimitExceeded"
    both = {"ReserveIpIds": ["rsvip-00000000"], "Filters": []}
    assert cloud.refused(DESCRIBE, both) == "InvalidParameter.Coexist"


def test_what_an_eni_has_is_not_deleted_and_then_none_is(cloud):
    kept, loose = reserve(cloud, "10.0.1.77"), reserve(cloud)
    eni = cloud.eni(cloud.node())
    assign(cloud, eni, "10.0.1.77")
    ids = [loose["ReserveIpId"], kept["ReserveIpId"]]
    assert cloud.refused(DELETE, {"VpcId": VPC, "ReserveIpIds": ids}) == "InvalidParameterValue"
    assert len(shown(cloud, vpc_id=VPC)) == 2


def test_a_region_without_reservations_does_not_know_the_actions(make_cloud):
    cloud = make_cloud(account=AccountConfig(reserves_ips=False))
    assert cloud.refused(CREATE, {**IN_SUBNET, "IpAddressCount": 1}) == "InvalidAction"
    assert cloud.refused(DESCRIBE) == "InvalidAction"
    assert cloud.refused(DELETE, {"VpcId": VPC, "ReserveIpIds": ["rsvip-00000000"]}) == "InvalidAction"


def test_cam_denies_the_actions_by_their_names(cloud):
    cloud.region.accounts.set_policy("demo", deny=("vpc:CreateReserve*",))
    assert cloud.refused(CREATE, {**IN_SUBNET, "IpAddressCount": 1}) == "UnauthorizedOperation"
    assert cloud.call(DESCRIBE)["TotalCount"] == 0


def test_only_what_a_resource_has_is_told_as_used(cloud):
    kept = reserve(cloud, "10.0.1.77")["ReserveIpAddress"]
    eni = cloud.eni(cloud.node(), secondaries=1)
    [ip] = cloud.ips(eni)
    asked = {**IN_SUBNET, "IpAddresses": [kept, ip, "10.0.1.200"]}
    answer = cloud.call("DescribeUsedIpAddress", asked)
    assert [
        (use["IpAddress"], use["ResourceType"], use["ResourceId"]) for use in answer["IpAddressStates"]
    ] == [(ip, "ENI", eni)]
    filters = [{"Name": "resource-id", "Values": [eni]}]
    assert cloud.call("DescribeUsedIpAddress", {"VpcId": VPC, "Filters": filters})["TotalCount"] == 2


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"VpcId": "vpc-other000"}, "ParameterMismatch"),
        ({**IN_SUBNET, "SubnetId": "subnet-none0000"}, "ParameterMismatch"),
        ({**IN_SUBNET, "IpAddresses": ["10.0.2.9"]}, "ParameterMismatch"),
        ({**IN_SUBNET, "IpAddresses": ["web-0"]}, "Malformed"),
        ({**IN_SUBNET, "IpAddresses": [f"10.0.1.{n}" for n in range(101)]}, "ParameterMismatch"),
        ({**IN_SUBNET, "IpAddresses": ["10.0.1.9"], "Filters": []}, "ParameterMismatch"),
    ],
)
def test_a_wrong_question_about_use_is_refused(cloud, params, code):
    assert cloud.refused("DescribeUsedIpAddress", params) == f"InvalidParameterValue.{code}"


def test_a_new_cvm_and_a_new_eni_leave_reserved_addresses_alone(cloud):
    kept = reserve(cloud, "10.0.1.2")["ReserveIpAddress"]  # the lowest one, which would be next
    primary = cloud.primary_eni(cloud.node())
    addresses = (
        cloud.shown_eni(primary)["PrivateIpAddressSet"] + cloud.shown_eni(cloud.eni())["PrivateIpAddressSet"]
    )
    assert kept not in {address["PrivateIpAddress"] for address in addresses}
