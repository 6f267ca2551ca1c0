"""Describe actions: paging, ids, filters, and the fields of their answers."""

import pytest

from simulator.cloud.config import SubnetConfig, VpcConfig


def filters(**wanted):
    return [
        {"Name": name.replace("__", ".").replace("_", "-"), "Values": values}
        for name, values in wanted.items()
    ]


def found(cloud, action, key, **params):
    product = "cvm" if "Instance" in action else "vpc"
    return cloud.call(action, params, product=product)[key]


# EIPs.


def eips(cloud, **params):
    return [a["AddressId"] for a in found(cloud, "DescribeAddresses", "AddressSet", **params)]


def test_twenty_one_ids_give_twenty_rows(make_cloud):
    from simulator.cloud.config import Quotas

    cloud = make_cloud(quotas=Quotas(total_eips=30))
    ids = cloud.eips(21)
    answer = cloud.call("DescribeAddresses", {"AddressIds": ids})
    assert (answer["TotalCount"], len(answer["AddressSet"])) == (21, 20)
    assert len(eips(cloud, AddressIds=ids, Limit=100)) == 21
    assert len(eips(cloud, Offset=20)) == 1
    assert eips(cloud, Offset=100) == []


def test_pages_hold_each_eip_once(cloud):
    ids = cloud.eips(7)
    pages = [eips(cloud, Offset=offset, Limit=3) for offset in (0, 3, 6)]
    assert sorted(i for page in pages for i in page) == sorted(ids)


def test_unknown_eips_are_absent(cloud):
    address_id = cloud.eip()
    assert eips(cloud, AddressIds=[address_id, "eip-00000000"]) == [address_id]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Limit": 101}, "InvalidParameterValue.LimitExceeded"),
        ({"Limit": 0}, "InvalidParameterValue.LimitExceeded"),
        ({"Offset": -1}, "InvalidParameterValue.LimitExceeded"),
        ({"AddressIds": ["x"]}, "InvalidParameterValue.AddressIdMalformed"),
        ({"AddressIds": ["eip-00000000"] * 101}, "InvalidParameterValue.LimitExceeded"),
        ({"Filters": filters(colour=["red"])}, "InvalidParameter.InvalidFilter"),
        ({"Filters": filters(address_id=["eip-00000000"]) * 11}, "LimitExceeded.NumberOfFilters"),
        ({"Filters": filters(address_ip=["x"] * 101)}, "LimitExceeded.NumberOfFilters"),
        (
            {"AddressIds": ["eip-00000000"], "Filters": filters(address_id=["eip-00000000"])},
            "InvalidParameter",
        ),
    ],
)
def test_a_query_of_eips_that_is_wrong(cloud, params, code):
    assert cloud.refused("DescribeAddresses", params) == code


def test_eips_by_filter(cloud):
    node = cloud.node()
    eni = cloud.eni(node, secondaries=1)
    (ip,) = cloud.ips(eni)
    bound = cloud.eip(Tags=[{"Key": "tke-eipclaim-uid", "Value": "u1"}, {"Key": "team", "Value": "a"}])
    free = cloud.eip(
        AddressName="spare", InternetServiceProvider="CMCC", Tags=[{"Key": "team", "Value": "b"}]
    )
    cloud.bind(bound, eni, ip)
    public = cloud.shown_eip(bound)["AddressIp"]
    by = {
        "address-id": free,
        "address-name": "spare",
        "address-status": "UNBIND",
        "address-isp": "CMCC",
        "tag:team": "b",
        "tag-value": "b",
    }
    for name, value in by.items():
        assert eips(cloud, Filters=[{"Name": name, "Values": [value]}]) == [free], name
    by = {
        "address-ip": public,
        "address-status": "BIND",
        "instance-id": node,
        "private-ip-address": ip,
        "network-interface-id": eni,
        "instance-type": "ENI",
        "tag-key": "tke-eipclaim-uid",
        "tag:tke-eipclaim-uid": "u1",
    }
    for name, value in by.items():
        assert eips(cloud, Filters=[{"Name": name, "Values": [value]}]) == [bound], name
    assert set(eips(cloud, Filters=filters(is_arrears=["FALSE"]))) == {bound, free}
    assert eips(cloud, Filters=filters(is_arrears=["TRUE"])) == []
    assert eips(cloud, Filters=filters(dedicated_cluster_id=["x"])) == []


def test_filters_are_joined_by_and_their_values_by_or(cloud):
    one = cloud.eip(Tags=[{"Key": "k", "Value": "1"}])
    two = cloud.eip(Tags=[{"Key": "k", "Value": "2"}])
    cloud.eip(Tags=[{"Key": "k", "Value": "3"}])
    either = [{"Name": "tag:k", "Values": ["1", "2"]}]
    assert set(eips(cloud, Filters=either)) == {one, two}
    assert eips(cloud, Filters=[*either, *filters(address_id=[one])]) == [one]


def test_only_the_first_name_counts(cloud):
    one = cloud.eip(AddressName="one")
    cloud.eip(AddressName="two")
    assert eips(cloud, Filters=filters(address_name=["one", "two"])) == [one]


def test_ordinary_public_ips_are_shown_on_request_only(cloud):
    cloud.node(public_ip=True)
    assert eips(cloud) == []
    assert len(eips(cloud, Filters=filters(address_type=["WanIP"]))) == 1


# ENIs.


def enis(cloud, **params):
    return [
        e["NetworkInterfaceId"]
        for e in found(cloud, "DescribeNetworkInterfaces", "NetworkInterfaceSet", **params)
    ]


def test_enis_by_filter(cloud):
    node = cloud.node()
    primary = cloud.primary_eni(node)
    eni = cloud.eni(
        node,
        secondaries=1,
        NetworkInterfaceDescription="d",
        SecurityGroupIds=["sg-1"],
        Tags=[{"Key": "k", "Value": "v"}],
    )
    other = cloud.eni(NetworkInterfaceName="other", QosLevel="PT")
    address_id = cloud.eip()
    (ip,) = cloud.ips(eni)
    cloud.bind(address_id, eni, ip)
    for name, value, expected in (
        ("vpc-id", "vpc-demo0001", {primary, eni, other}),
        ("vpc-id", "vpc-x", set()),
        ("subnet-id", "subnet-demo0001", {primary, eni, other}),
        ("network-interface-id", eni, {eni}),
        ("attachment.instance-id", node, {primary, eni}),
        ("groups.security-group-id", "sg-1", {eni}),
        ("network-interface-name", "other", {other}),
        ("network-interface-description", "d", {eni}),
        ("is-primary", "true", {primary}),
        ("is-primary", "false", {eni, other}),
        ("eni-type", "1", {primary}),
        ("eni-qos", "PT", {other}),
        ("public-address-ip", cloud.shown_eip(address_id)["AddressIp"], {eni}),
        ("tag-key", "k", {eni}),
        ("tag:k", "v", {eni}),
        ("termination-protection", "true", set()),
        ("address-ipv6", "::1", set()),
    ):
        assert set(enis(cloud, Filters=[{"Name": name, "Values": [value]}])) == expected, (name, value)


def test_one_address_matches_by_its_end_unless_exactness_is_asked_for(cloud):
    one = cloud.eni(PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.5", "Primary": True}])
    fifteen = cloud.eni(PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.15", "Primary": True}])
    assert set(enis(cloud, Filters=filters(address_ip=["5"]))) == {one, fifteen}
    assert enis(cloud, Filters=filters(address_ip=["10.0.1.5"])) == [one]
    assert enis(cloud, Filters=filters(address_ip=["5"], ip_exact_match=["true"])) == []
    assert enis(cloud, Filters=filters(ip_exact_match=["10.0.1.15"])) == [fifteen]
    assert set(enis(cloud, Filters=filters(address_ip=["10.0.1.5", "10.0.1.15"]))) == {one, fifteen}
    assert enis(cloud, Filters=filters(address_ip=["5", "10.0.1.15"])) == [fifteen]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Limit": 101}, "InvalidParameterValue.Range"),
        ({"Offset": -1}, "InvalidParameterValue.Range"),
        ({"NetworkInterfaceIds": ["x"]}, "InvalidParameterValue.Malformed"),
        ({"NetworkInterfaceIds": ["eni-00000000"]}, "ResourceNotFound"),
        ({"NetworkInterfaceIds": ["eni-00000000"] * 101}, "InvalidParameterValue.LimitExceeded"),
        (
            {"NetworkInterfaceIds": ["eni-00000000"], "Filters": filters(vpc_id=["x"])},
            "InvalidParameter.Coexist",
        ),
        ({"Filters": filters(colour=["red"])}, "InvalidParameter.FilterInvalidKey"),
        ({"Filters": filters(vpc_id=["x"]) * 11}, "InvalidParameterValue.LimitExceeded"),
    ],
)
def test_a_query_of_enis_that_is_wrong(cloud, params, code):
    assert cloud.refused("DescribeNetworkInterfaces", params) == code


def test_limits_of_a_cvm_and_of_an_eni(cloud):
    node = cloud.node("S5.2XLARGE16")
    for asked in (node, cloud.primary_eni(node)):
        answer = cloud.call("DescribeNetworkInterfaceLimit", {"InstanceId": asked})
        assert (answer["EniQuantity"], answer["EniPrivateIpAddressQuantity"]) == (6, 20)
        assert answer["ExtendEniQuantity"] == 39


# VPC and subnets, whose Offset and Limit are text.


@pytest.fixture
def wide(make_cloud):
    subnets = tuple(
        SubnetConfig(subnet_id=f"subnet-{n:08d}", name=f"s{n}", cidr=f"10.0.{n}.0/24") for n in range(25)
    )
    return make_cloud(vpc=VpcConfig(assistant_cidrs=("172.20.0.0/16",), subnets=subnets))


def test_subnets_page_by_text(wide):
    answer = wide.call("DescribeSubnets")
    assert (answer["TotalCount"], len(answer["SubnetSet"])) == (25, 20)
    assert len(wide.call("DescribeSubnets", {"Offset": "20", "Limit": "10"})["SubnetSet"]) == 5
    for params in ({"Limit": "101"}, {"Limit": "ten"}, {"Offset": "-1"}):
        assert wide.refused("DescribeSubnets", params) == "InvalidParameterValue.Range"


def test_subnets_by_id_and_filter(wide):
    ids = ["subnet-00000003", "subnet-00000001"]
    assert [s["SubnetId"] for s in wide.call("DescribeSubnets", {"SubnetIds": ids})["SubnetSet"]] == ids
    for name, value, count in (
        ("subnet-name", "s7", 1),
        ("cidr-block", "10.0.7.0", 1),
        ("cidr-block", "10.0.7.0/24", 1),
        ("vpc-id", "vpc-demo0001", 25),
        ("zone", "ap-guangzhou-4", 0),
        ("is-default", "TRUE", 0),
    ):
        answer = wide.call("DescribeSubnets", {"Filters": [{"Name": name, "Values": [value]}]})
        assert answer["TotalCount"] == count, name


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"SubnetIds": ["x"]}, "InvalidParameterValue.Malformed"),
        ({"SubnetIds": ["subnet-99999999"]}, "ResourceNotFound"),
        ({"SubnetIds": ["subnet-00000001"], "Filters": filters(zone=["z"])}, "InvalidParameter.Coexist"),
        ({"SubnetIds": ["subnet-00000001"] * 101}, "InvalidParameterValue.LimitExceeded"),
        ({"Filters": filters(colour=["red"])}, "InvalidParameter.FilterInvalidKey"),
    ],
)
def test_a_query_of_subnets_that_is_wrong(wide, params, code):
    assert wide.refused("DescribeSubnets", params) == code


def test_the_vpc_with_its_assistant_cidrs(wide):
    (vpc,) = wide.call("DescribeVpcs", {"VpcIds": ["vpc-demo0001"]})["VpcSet"]
    assert vpc["CidrBlock"] == "10.0.0.0/16"
    assert [a["CidrBlock"] for a in vpc["AssistantCidrSet"]] == ["172.20.0.0/16"]
    assert wide.refused("DescribeVpcs", {"VpcIds": ["vpc-00000000"]}) == "ResourceNotFound"
    assert wide.call("DescribeVpcs", {"Filters": filters(vpc_name=["x"])})["TotalCount"] == 0


# Instances.


def test_instances_by_id_and_filter(cloud):
    one = cloud.node(name="one")
    two = cloud.node("S5.2XLARGE16", name="two", private_ip="10.0.1.99")

    def ids(**params):
        return [i["InstanceId"] for i in found(cloud, "DescribeInstances", "InstanceSet", **params)]

    assert ids(InstanceIds=[two, "ins-00000000"]) == [two]
    for name, value, expected in (
        ("instance-name", "one", [one]),
        ("instance-type", "S5.2XLARGE16", [two]),
        ("private-ip-address", "10.0.1.99", [two]),
        ("instance-id", two, [two]),
        ("zone", "ap-guangzhou-3", [one, two]),
        ("vpc-id", "vpc-demo0001", [one, two]),
        ("subnet-id", "subnet-demo0001", [one, two]),
        ("instance-state", "STOPPED", []),
        ("public-ip-address", "1.2.3.4", []),
        ("security-group-id", "sg-demo0001", [one, two]),
    ):
        assert ids(Filters=[{"Name": name, "Values": [value]}]) == expected, name


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"InstanceIds": ["x"]}, "InvalidInstanceId.Malformed"),
        ({"InstanceIds": ["ins-00000000"], "Filters": filters(zone=["z"])}, "InvalidParameterCombination"),
        ({"Limit": 101}, "InvalidParameterValueLimit"),
        ({"Filters": filters(colour=["x"])}, "InvalidFilter"),
        ({"Filters": filters(zone=["x"]) * 11}, "InvalidFilterValue.LimitExceeded"),
        ({"Filters": filters(zone=["x"] * 6)}, "InvalidFilterValue.LimitExceeded"),
    ],
)
def test_a_query_of_instances_that_is_wrong(cloud, params, code):
    assert cloud.refused("DescribeInstances", params, product="cvm") == code


def test_types_zones_and_regions(cloud):
    wanted = {"Filters": filters(instance_type=["S5.LARGE8"], zone=["ap-guangzhou-3"])}
    (kind,) = cloud.call("DescribeInstanceTypeConfigs", wanted, product="cvm")["InstanceTypeConfigSet"]
    assert (kind["CPU"], kind["Memory"], kind["InstanceFamily"]) == (4, 8, "S5")
    assert cloud.call("DescribeZones", product="cvm")["TotalCount"] == 2
    (region,) = cloud.call("DescribeRegions", product="cvm")["RegionSet"]
    assert region["Region"] == "ap-guangzhou"
