"""Each situation in which an ENI or address action is refused, and its code."""

import pytest

from simulator.cloud.config import Quotas, SubnetConfig, VpcConfig

NEW = {"VpcId": "vpc-demo0001", "SubnetId": "subnet-demo0001", "NetworkInterfaceName": "x"}
CREATORS = ("CreateNetworkInterface", "CreateAndAttachNetworkInterface")


def refused_creation(cloud, action, **params):
    request = {**NEW, **params}
    if action == "CreateAndAttachNetworkInterface":
        request.setdefault(
            "InstanceId", next(iter(cloud.region.snapshot()["instances"]), None) or cloud.node()
        )
    return cloud.refused(action, request)


@pytest.mark.parametrize("action", CREATORS)
@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"VpcId": "x"}, "InvalidParameterValue.Malformed"),
        ({"SubnetId": "x"}, "InvalidParameterValue.Malformed"),
        ({"SubnetId": "subnet-00000000"}, "ResourceNotFound"),
        ({"VpcId": "vpc-00000000"}, "UnsupportedOperation.ResourceMismatch"),
        ({"NetworkInterfaceName": "x" * 61}, "InvalidParameterValue.TooLong"),
        ({"NetworkInterfaceDescription": "x" * 61}, "InvalidParameterValue.TooLong"),
        ({"Ipv6AddressCount": 1}, "UnsupportedOperation"),
        ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1"}]}, "InvalidParameterValue.Malformed"),
        ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.2.5"}]}, "InvalidParameterValue.Range"),
        ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.1"}]}, "InvalidParameterValue.Reserved"),
        ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.0"}]}, "InvalidParameterValue.Reserved"),
        ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.255"}]}, "InvalidParameterValue.Reserved"),
        (
            {
                "PrivateIpAddresses": [
                    {"PrivateIpAddress": "10.0.1.70", "Primary": True},
                    {"PrivateIpAddress": "10.0.1.71", "Primary": True},
                ]
            },
            "InvalidParameterValue.Range",
        ),
        ({"SecondaryPrivateIpAddressCount": 30}, "LimitExceeded"),
        ({"SecondaryPrivateIpAddressCount": -1}, "InvalidParameterValue.Range"),
        ({"Tags": [{"Key": "", "Value": "x"}]}, "InvalidParameterValue.TagInvalidKey"),
        ({"Tags": [{"Key": "a", "Value": "x"}] * 2}, "InvalidParameterValue.TagDuplicateKey"),
        (
            {"Tags": [{"Key": f"k{i}", "Value": "x"} for i in range(51)]},
            "LimitExceeded.TagKeyPerResourceExceeded",
        ),
    ],
)
def test_a_new_eni_that_is_wrong(cloud, action, params, code):
    cloud.node()
    assert refused_creation(cloud, action, **params) == code
    assert len(cloud.region.snapshot()["enis"]) == 1


@pytest.mark.parametrize("action", CREATORS)
def test_a_new_eni_with_an_address_in_use(cloud, action):
    eni = cloud.eni(cloud.node(), secondaries=1)
    taken = [{"PrivateIpAddress": cloud.ips(eni)[0]}]
    assert refused_creation(cloud, action, PrivateIpAddresses=taken) == "ResourceInUse"


def test_more_than_ten_named_addresses(cloud):
    many = [{"PrivateIpAddress": f"10.0.1.{n}"} for n in range(100, 111)]
    assert (
        refused_creation(cloud, CREATORS[0], PrivateIpAddresses=many) == "InvalidParameterValue.LimitExceeded"
    )


def test_an_unsupported_trunk(cloud):
    assert refused_creation(cloud, CREATORS[0], TrunkingFlag="Enable") == "UnsupportedOperation"


@pytest.mark.parametrize("action", CREATORS)
def test_a_full_subnet(make_cloud, action):
    vpc = VpcConfig(subnets=(SubnetConfig(cidr="10.0.1.0/28"),))
    cloud = make_cloud(vpc=vpc)
    cloud.node()
    cloud.eni(secondaries=9)
    assert refused_creation(cloud, action, SecondaryPrivateIpAddressCount=2) == "ResourceInsufficient.Subnet"
    (subnet,) = cloud.call("DescribeSubnets")["SubnetSet"]
    assert subnet["TotalIpAddressCount"] == 13
    assert subnet["AvailableIpAddressCount"] == 2


def test_too_many_enis_in_the_vpc(make_cloud):
    cloud = make_cloud(quotas=Quotas(enis_per_vpc=2))
    cloud.eni()
    cloud.eni()
    assert refused_creation(cloud, CREATORS[0]) == "LimitExceeded.NetworkInterfaceLimitExceeded"


def test_a_cvm_takes_as_many_enis_as_its_type(cloud):
    node = cloud.node("S5.SMALL2")
    cloud.eni(node)
    other = cloud.eni()
    assert refused_creation(cloud, CREATORS[1]) == "LimitExceeded"
    params = {"NetworkInterfaceId": other, "InstanceId": node}
    assert cloud.refused("AttachNetworkInterface", params) == "LimitExceeded"


def test_a_bare_metal_machine_takes_32_enis(cloud):
    node = cloud.node("BMS5.16XLARGE256")
    for _ in range(31):
        cloud.eni(node)
    assert refused_creation(cloud, CREATORS[1]) == "LimitExceeded"


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("CreateAndAttachNetworkInterface", NEW),
        ("AttachNetworkInterface", {}),
        ("DetachNetworkInterface", {}),
    ],
)
def test_an_instance_that_is_malformed_or_unknown(cloud, action, params):
    if not params:
        params = {"NetworkInterfaceId": cloud.eni()}
    assert cloud.refused(action, {**params, "InstanceId": "i-1"}) == "InvalidParameterValue.Malformed"
    assert cloud.refused(action, {**params, "InstanceId": "ins-00000000"}) == "ResourceNotFound"


@pytest.mark.parametrize(
    ("action", "name", "rest"),
    [
        ("AttachNetworkInterface", "NetworkInterfaceId", {"InstanceId": "ins-00000000"}),
        ("DetachNetworkInterface", "NetworkInterfaceId", {"InstanceId": "ins-00000000"}),
        ("DeleteNetworkInterface", "NetworkInterfaceId", {}),
        ("AssignPrivateIpAddresses", "NetworkInterfaceId", {"SecondaryPrivateIpAddressCount": 1}),
        ("UnassignPrivateIpAddresses", "NetworkInterfaceId", {"PrivateIpAddresses": []}),
        (
            "MigratePrivateIpAddress",
            "SourceNetworkInterfaceId",
            {"DestinationNetworkInterfaceId": "eni-00000000", "PrivateIpAddress": "10.0.1.2"},
        ),
    ],
)
def test_an_eni_that_is_malformed_or_unknown(cloud, action, name, rest):
    cloud.node(instance_id="ins-00000000")
    assert cloud.refused(action, {name: "eth0", **rest}) == "InvalidParameterValue.Malformed"
    assert cloud.refused(action, {name: "eni-00000000", **rest}) == "ResourceNotFound"


def test_attaching_what_cannot_be_attached(cloud):
    node = cloud.node("BMS5.16XLARGE256")
    eni = cloud.eni(node)
    assert (
        cloud.refused("AttachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": node})
        == "UnsupportedOperation.AttachmentAlreadyExists"
    )
    pending = cloud.call("CreateNetworkInterface", NEW)["NetworkInterface"]["NetworkInterfaceId"]
    request = {"NetworkInterfaceId": pending, "InstanceId": node}
    assert cloud.refused("AttachNetworkInterface", request) == "UnsupportedOperation.InvalidState"
    cloud.pass_time()
    assert (
        cloud.refused("AttachNetworkInterface", {**request, "AttachType": 1})
        == "UnsupportedOperation.UnsupportedInstanceFamily"
    )
    assert (
        refused_creation(cloud, CREATORS[1], AttachType=1) == "UnsupportedOperation.UnsupportedInstanceFamily"
    )
    assert refused_creation(cloud, CREATORS[1], AttachType=2) == "InvalidParameterValue.Range"


def test_extended_enis_are_counted_apart_from_the_others(cloud):
    node = cloud.node("S5.SMALL2")
    enis = [cloud.eni(node)]
    assert refused_creation(cloud, CREATORS[1]) == "LimitExceeded", "two standard ENIs"

    for _ in range(4):
        answer = cloud.call(CREATORS[1], {**NEW, "InstanceId": node, "AttachType": 1})
        enis.append(answer["NetworkInterface"]["NetworkInterfaceId"])

    cloud.pass_time()
    assert refused_creation(cloud, CREATORS[1], AttachType=1) == "LimitExceeded"
    listed = cloud.call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": enis})["NetworkInterfaceSet"]
    assert sorted(eni["AttachType"] for eni in listed) == [0, 1, 1, 1, 1]


def test_attaching_to_a_cvm_in_the_wrong_state(cloud):
    node = cloud.node()
    eni = cloud.eni()
    cloud.region.set_instance_state(node, "TERMINATING")
    request = {"NetworkInterfaceId": eni, "InstanceId": node}
    assert cloud.refused("AttachNetworkInterface", request) == "UnsupportedOperation.ResourceIsInvalidState"
    assert refused_creation(cloud, CREATORS[1]) == "UnsupportedOperation.InvalidState"
    cloud.region.set_instance_state(node, "STOPPED")
    cloud.call("AttachNetworkInterface", request)


def test_attaching_across_zones(make_cloud):
    far = SubnetConfig(subnet_id="subnet-far00001", cidr="10.0.2.0/24", zone="ap-guangzhou-4")
    cloud = make_cloud(vpc=VpcConfig(subnets=(SubnetConfig(), far)))
    node = cloud.node()
    eni = cloud.eni(SubnetId="subnet-far00001")
    assert (
        cloud.refused("AttachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": node})
        == "UnsupportedOperation.ZoneMismatch"
    )
    code = refused_creation(cloud, CREATORS[1], SubnetId="subnet-far00001")
    assert code == "UnsupportedOperation.ResourceMismatch"


def test_attaching_an_eni_with_more_addresses_than_the_cvm_takes(cloud):
    eni = cloud.eni(secondaries=9)
    request = {"NetworkInterfaceId": eni, "InstanceId": cloud.node("S5.SMALL2")}
    assert cloud.refused("AttachNetworkInterface", request) == "LimitExceeded"


def test_attaching_an_eni_with_more_eips_than_the_cvm_takes(cloud):
    eni = cloud.eni(secondaries=2)
    for address_id, ip in zip(cloud.eips(2), cloud.ips(eni), strict=True):
        cloud.bind(address_id, eni, ip)
    request = {"NetworkInterfaceId": eni, "InstanceId": cloud.node("S5.SMALL2", public_ip=True)}
    assert cloud.refused("AttachNetworkInterface", request) == "LimitExceeded"
    cloud.call("AttachNetworkInterface", {**request, "InstanceId": cloud.node("S5.SMALL2")})


def test_whether_an_eni_is_attached_with_its_eip_is_a_switch(cloud):
    eni = cloud.eni(secondaries=1)
    cloud.bind(cloud.eip(), eni, cloud.ips(eni)[0])
    request = {"NetworkInterfaceId": eni, "InstanceId": cloud.node("S5.SMALL2", public_ip=True)}
    cloud.region.set_attachment_of_eips("NONE")
    assert cloud.refused("AttachNetworkInterface", request) == "UnsupportedOperation"
    cloud.region.set_attachment_of_eips("ALL")
    cloud.call("AttachNetworkInterface", request)


def test_detaching_what_cannot_be_detached(cloud):
    node, other = cloud.node(), cloud.node()
    eni = cloud.eni(node)
    for eni_id, instance_id in ((cloud.primary_eni(node), node), (eni, other), (cloud.eni(), node)):
        params = {"NetworkInterfaceId": eni_id, "InstanceId": instance_id}
        assert cloud.refused("DetachNetworkInterface", params) == "UnsupportedOperation"
    params = {"NetworkInterfaceId": eni, "InstanceId": node}
    cloud.call("DetachNetworkInterface", params)
    assert cloud.refused("DetachNetworkInterface", params) == "UnsupportedOperation.InvalidState"


def test_deleting_what_cannot_be_deleted(cloud):
    node = cloud.node()
    primary = {"NetworkInterfaceId": cloud.primary_eni(node)}
    assert cloud.refused("DeleteNetworkInterface", primary) == "UnsupportedOperation"
    attached = {"NetworkInterfaceId": cloud.eni(node)}
    assert cloud.refused("DeleteNetworkInterface", attached) == "ResourceInUse"
    free = {"NetworkInterfaceId": cloud.eni()}
    cloud.call("DeleteNetworkInterface", free)
    assert cloud.refused("DeleteNetworkInterface", free) == "UnsupportedOperation.InvalidState"


@pytest.mark.parametrize(
    "action", ["AttachNetworkInterface", "DetachNetworkInterface", "DeleteNetworkInterface"]
)
def test_an_eni_with_a_task_on_its_addresses_stays_where_it_is(cloud, action):
    node = cloud.node()
    eni = cloud.eni(node if action == "DetachNetworkInterface" else "")
    cloud.call("AssignPrivateIpAddresses", {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 1})
    params = {"NetworkInterfaceId": eni}
    if action != "DeleteNetworkInterface":
        params["InstanceId"] = node
    assert cloud.refused(action, params) == "UnsupportedOperation.InvalidState"


def assign(eni, **params):
    return {"NetworkInterfaceId": eni, **params}


def test_assigning_addresses_that_cannot_be_had(cloud):
    eni = cloud.eni(cloud.node(), secondaries=2)
    taken = cloud.ips(eni)[0]
    ten = [{"PrivateIpAddress": f"10.0.1.{n}"} for n in range(100, 111)]
    action = "AssignPrivateIpAddresses"
    assert cloud.refused(action, assign(eni)) == "MissingParameter"
    assert (
        cloud.refused(action, assign(eni, SecondaryPrivateIpAddressCount=0)) == "InvalidParameterValue.Range"
    )
    assert cloud.refused(action, assign(eni, SecondaryPrivateIpAddressCount=8)) == "LimitExceeded"
    assert cloud.refused(action, assign(eni, PrivateIpAddresses=ten[:8])) == "LimitExceeded"
    big = cloud.eni(cloud.node("S5.4XLARGE32"))
    assert cloud.refused(action, assign(big, PrivateIpAddresses=ten)) == "InvalidParameterValue.LimitExceeded"
    twice = [{"PrivateIpAddress": "10.0.1.90"}] * 2
    assert (
        cloud.refused(action, assign(eni, PrivateIpAddresses=twice)) == "InvalidParameterValue.DuplicatePara"
    )
    for ip, code in (
        ("x", "InvalidParameterValue.Malformed"),
        ("10.0.9.9", "InvalidParameterValue.Range"),
        ("10.0.1.1", "InvalidParameterValue.Reserved"),
        (taken, "ResourceInUse"),
    ):
        params = assign(eni, PrivateIpAddresses=[{"PrivateIpAddress": ip}])
        assert cloud.refused(action, params) == code
    assert len(cloud.ips(eni)) == 2


def test_assigning_from_a_full_subnet(make_cloud):
    cloud = make_cloud(vpc=VpcConfig(subnets=(SubnetConfig(cidr="10.0.1.0/29"),)))
    eni = cloud.eni(cloud.node(), secondaries=1)
    params = assign(eni, SecondaryPrivateIpAddressCount=3)
    assert cloud.refused("AssignPrivateIpAddresses", params) == "ResourceInsufficient.Subnet"
    cloud.call("AssignPrivateIpAddresses", assign(eni, SecondaryPrivateIpAddressCount=2))


def test_assigning_to_an_eni_in_the_wrong_state(cloud):
    pending = cloud.call("CreateNetworkInterface", NEW)["NetworkInterface"]["NetworkInterfaceId"]
    params = assign(pending, SecondaryPrivateIpAddressCount=1)
    assert cloud.refused("AssignPrivateIpAddresses", params) == "UnsupportedOperation.InvalidState"


def test_one_task_at_a_time_on_the_addresses_of_an_eni(cloud):
    eni, other = cloud.eni(cloud.node(), secondaries=1), cloud.eni(cloud.node())
    (ip,) = cloud.ips(eni)
    cloud.call("AssignPrivateIpAddresses", assign(eni, SecondaryPrivateIpAddressCount=1))
    busy = "UnsupportedOperation.MutexOperationTaskRunning"
    one = [{"PrivateIpAddress": ip}]
    assert cloud.refused("AssignPrivateIpAddresses", assign(eni, SecondaryPrivateIpAddressCount=1)) == busy
    assert cloud.refused("UnassignPrivateIpAddresses", assign(eni, PrivateIpAddresses=one)) == busy
    migration = {
        "SourceNetworkInterfaceId": eni,
        "DestinationNetworkInterfaceId": other,
        "PrivateIpAddress": ip,
    }
    assert cloud.refused("MigratePrivateIpAddress", migration) == busy
    cloud.pass_time()
    cloud.call("UnassignPrivateIpAddresses", assign(eni, PrivateIpAddresses=one))


def test_an_address_whose_eip_is_on_its_way_is_not_unassigned(cloud):
    eni = cloud.eni(cloud.node(), secondaries=1)
    (ip,) = cloud.ips(eni)
    cloud.bind(cloud.eip(), eni, ip, wait=False)
    params = assign(eni, PrivateIpAddresses=[{"PrivateIpAddress": ip}])
    assert (
        cloud.refused("UnassignPrivateIpAddresses", params)
        == "UnsupportedOperation.MutexOperationTaskRunning"
    )


def test_unassigning_what_cannot_be_unassigned(cloud):
    eni = cloud.eni(cloud.node(), secondaries=1)
    primary = cloud.shown_eni(eni)["PrivateIpAddressSet"][0]["PrivateIpAddress"]
    (ip,) = cloud.ips(eni)

    def code(*ips, **more):
        ask = assign(eni, PrivateIpAddresses=[{"PrivateIpAddress": i} for i in ips], **more)
        return cloud.refused("UnassignPrivateIpAddresses", ask)

    assert code(primary) == "UnsupportedOperation"
    assert code("10.0.1.200") == "ResourceNotFound"
    assert code(ip, ip) == "InvalidParameterValue.DuplicatePara"
    assert code(*[f"10.0.1.{n}" for n in range(100, 111)]) == "InvalidParameterValue.LimitExceeded"
    assert code(ip, InstanceId="ins-00000000") == "UnsupportedOperation.AttachmentNotFound"
    assert cloud.ips(eni) == [ip]


def test_migrating_what_cannot_be_migrated(make_cloud):
    other_subnet = SubnetConfig(subnet_id="subnet-two00001", cidr="10.0.2.0/24")
    cloud = make_cloud(vpc=VpcConfig(subnets=(SubnetConfig(), other_subnet)))
    source = cloud.eni(cloud.node(), secondaries=1)
    (ip,) = cloud.ips(source)
    primary = cloud.shown_eni(source)["PrivateIpAddressSet"][0]["PrivateIpAddress"]
    elsewhere = cloud.eni(SubnetId="subnet-two00001")
    full = cloud.eni(cloud.node("S5.SMALL2"), secondaries=5)

    def code(target, private_ip):
        return cloud.refused(
            "MigratePrivateIpAddress",
            {
                "SourceNetworkInterfaceId": source,
                "DestinationNetworkInterfaceId": target,
                "PrivateIpAddress": private_ip,
            },
        )

    assert code(full, "10.0.1.200") == "UnauthorizedOperation.AttachmentNotFound"
    assert code(full, primary) == "UnsupportedOperation.PrimaryIp"
    assert code(elsewhere, ip) == "UnsupportedOperation"
    assert code(source, ip) == "UnsupportedOperation"
    assert code(full, ip) == "LimitExceeded"


def test_migrating_an_eip_to_a_cvm_that_takes_no_more(cloud):
    crowded = cloud.node("S5.SMALL2", public_ip=True)
    target, source = cloud.eni(crowded, secondaries=1), cloud.eni(secondaries=2)
    cloud.bind(cloud.eip(), target, cloud.ips(target)[0])
    with_eip, without = cloud.ips(source)
    cloud.bind(cloud.eip(), source, with_eip)
    migration = {"SourceNetworkInterfaceId": source, "DestinationNetworkInterfaceId": target}
    code = cloud.refused("MigratePrivateIpAddress", {**migration, "PrivateIpAddress": with_eip})
    assert code == "LimitExceeded"
    cloud.call("MigratePrivateIpAddress", {**migration, "PrivateIpAddress": without})


def test_limits_of_what_does_not_exist(cloud):
    action = "DescribeNetworkInterfaceLimit"
    assert cloud.refused(action, {"InstanceId": "ins-00000000"}) == "InvalidInstanceId.NotFound"
    assert cloud.refused(action, {"InstanceId": "eni-00000000"}) == "ResourceNotFound"
    assert cloud.refused(action, {"InstanceId": "vm-1"}) == "InvalidParameterValue.Malformed"
