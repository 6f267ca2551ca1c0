"""Each situation in which an EIP action is refused, and its code."""

import pytest

from simulator.cloud.config import LEGACY, AccountConfig


@pytest.fixture
def bound(cloud):
    """An EIP bound to a secondary address of an ENI of a CVM: (eip, eni, ip, instance)."""
    node = cloud.node()
    eni = cloud.eni(node, secondaries=2)
    address_id = cloud.eip()
    ip = cloud.ips(eni)[0]
    cloud.bind(address_id, eni, ip)
    return address_id, eni, ip, node


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"AddressCount": 0}, "InvalidParameterValue.Range"),
        ({"AddressCount": 21}, "InvalidParameterValue.Range"),
        ({"InternetServiceProvider": "ABC"}, "InvalidParameterValue.ResourceNotSupport"),
        ({"AddressType": "AnycastEIP"}, "UnauthorizedOperation.AnycastEip"),
        ({"AddressType": "HighQualityEIP"}, "InvalidParameterValue.ResourceNotSupport"),
        ({"InternetChargeType": "FREE"}, "InvalidParameterValue.Combination"),
        ({"InternetChargeType": "BANDWIDTH_PREPAID_BY_MONTH"}, "InvalidParameterValue.Combination"),
        ({"InternetChargeType": "BANDWIDTH_PACKAGE"}, "InvalidParameterValue.Combination"),
        ({"BandwidthPackageId": "bwp-demo0001"}, "InvalidParameterValue.Combination"),
        (
            {"InternetChargeType": "BANDWIDTH_PACKAGE", "BandwidthPackageId": "x"},
            "InvalidParameterValue.BandwidthPackageIdMalformed",
        ),
        (
            {"InternetChargeType": "BANDWIDTH_PACKAGE", "BandwidthPackageId": "bwp-other001"},
            "InvalidParameterValue.BandwidthPackageNotFound",
        ),
        ({"InternetMaxBandwidthOut": 0}, "InvalidParameterValue.BandwidthTooSmall"),
        ({"InternetMaxBandwidthOut": 101}, "InvalidParameterValue.BandwidthOutOfRange"),
        ({"Tags": [{"Key": "", "Value": "x"}]}, "InvalidParameterValue.InvalidTag"),
        ({"Tags": [{"Key": "k", "Value": "x" * 256}]}, "InvalidParameterValue.InvalidTag"),
        ({"Tags": [{"Key": "qcloud-x", "Value": "x"}]}, "InvalidParameterValue.InvalidTag"),
        ({"Tags": [{"Key": "k", "Value": "1"}] * 2}, "InvalidParameterValue.InvalidTag"),
        ({"Tags": [{"Key": f"k{i}", "Value": "1"} for i in range(51)]}, "LimitExceeded.TagQuota"),
        ({"ClientToken": "x" * 65}, "InvalidParameterValue"),
        ({"ClientToken": "令牌"}, "InvalidParameterValue"),
    ],
)
def test_an_order_that_is_wrong(cloud, params, code):
    assert cloud.refused("AllocateAddresses", params) == code
    assert cloud.region.snapshot()["addresses"] == {}


@pytest.mark.parametrize(
    "params", [{"InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR"}, {"InternetMaxBandwidthOut": 5}]
)
def test_an_account_that_pays_by_cvm_takes_no_charge_type_and_no_bandwidth(make_cloud, params):
    cloud = make_cloud(account=AccountConfig(network_type=LEGACY))
    assert cloud.call("DescribeNetworkAccountType")["NetworkAccountType"] == LEGACY
    assert cloud.refused("AllocateAddresses", params) == "UnsupportedOperation.AccountNotSupported"
    cloud.eip()
    (shown,) = cloud.call("DescribeAddresses")["AddressSet"]
    assert (shown["Bandwidth"], shown["InternetChargeType"]) == (None, None)


@pytest.mark.parametrize(
    ("charge", "bandwidth"), [("TRAFFIC_POSTPAID_BY_HOUR", 100), ("BANDWIDTH_POSTPAID_BY_HOUR", 100)]
)
def test_the_highest_bandwidth_of_a_charge_type_is_accepted(cloud, charge, bandwidth):
    assert cloud.eip(InternetChargeType=charge, InternetMaxBandwidthOut=bandwidth)


def test_a_name_that_is_too_long(cloud):
    assert cloud.refused("ModifyAddressAttribute", {"AddressId": cloud.eip(), "AddressName": "x" * 129}) == (
        "InvalidParameterValue.TooLong"
    )


def test_a_line_that_the_account_is_not_on_the_whitelist_for(make_cloud):
    cloud = make_cloud(account=AccountConfig(single_isps=("CMCC",)))
    assert cloud.eip(InternetServiceProvider="CMCC")
    code = cloud.refused("AllocateAddresses", {"InternetServiceProvider": "CTCC"})
    assert code == "UnsupportedOperation.AccountNotSupported"


def test_an_account_without_money(cloud):
    cloud.region.set_balance_ok(False)
    assert cloud.refused("AllocateAddresses") == "FailedOperation.BalanceInsufficient"
    cloud.region.set_balance_ok(True)
    assert cloud.eip()


def test_a_pool_without_addresses_takes_nothing_of_the_order(make_cloud):
    cloud = make_cloud(eip_pools={"BGP": "198.18.0.0/30"})
    assert cloud.refused("AllocateAddresses", {"AddressCount": 3}) == "ResourceInsufficient"
    assert cloud.region.snapshot()["addresses"] == {}
    assert len(cloud.eips(2)) == 2


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("ReleaseAddresses", {"AddressIds": ["EIP"]}),
        ("AssociateAddress", {"AddressId": "EIP", "InstanceId": "ins-00000000"}),
        ("DisassociateAddress", {"AddressId": "EIP"}),
        ("ModifyAddressAttribute", {"AddressId": "EIP", "AddressName": "x"}),
        ("ModifyAddressesBandwidth", {"AddressIds": ["EIP"], "InternetMaxBandwidthOut": 5}),
    ],
)
def test_an_address_id_that_is_malformed_or_unknown(cloud, action, params):
    def with_id(address_id):
        return {
            k: [address_id] if v == ["EIP"] else address_id if v == "EIP" else v for k, v in params.items()
        }

    cloud.node(instance_id="ins-00000000")
    assert cloud.refused(action, with_id("198.18.0.1")) == "InvalidParameterValue.AddressIdMalformed"
    assert cloud.refused(action, with_id("eip-00000000")) == "InvalidAddressId.NotFound"


def test_a_bind_to_nothing_or_to_two_things(cloud):
    address_id = cloud.eip()
    code = cloud.refused("AssociateAddress", {"AddressId": address_id})
    assert code == "InvalidParameterValue.MissingAssociateEntity"
    both = {"AddressId": address_id, "InstanceId": "ins-00000000", "NetworkInterfaceId": "eni-00000000"}
    assert cloud.refused("AssociateAddress", both) == "InvalidParameterConflict"
    alone = {"AddressId": address_id, "NetworkInterfaceId": "eni-00000000"}
    assert cloud.refused("AssociateAddress", alone) == "MissingParameter"


def test_a_bind_to_what_does_not_exist(cloud):
    address_id = cloud.eip()
    eni = cloud.eni(cloud.node(), secondaries=1)
    for eni_id, ip in (("eni-00000000", "10.0.1.9"), (eni, "10.0.1.200")):
        params = {"AddressId": address_id, "NetworkInterfaceId": eni_id, "PrivateIpAddress": ip}
        assert cloud.refused("AssociateAddress", params) == "InvalidNetworkInterfaceId.NotFound"
    assert (
        cloud.refused("AssociateAddress", {"AddressId": address_id, "InstanceId": "ins-00000000"})
        == "InvalidInstanceId.NotFound"
    )
    assert (
        cloud.refused("AssociateAddress", {"AddressId": address_id, "InstanceId": "node-1"})
        == "InvalidParameterValue.InstanceIdMalformed"
    )
    assert cloud.status(address_id) == "UNBIND"


def test_an_eip_is_bound_once(cloud, bound):
    address_id, eni, _ip, _node = bound
    other = cloud.ips(eni)[1]
    params = {"AddressId": address_id, "NetworkInterfaceId": eni, "PrivateIpAddress": other}
    assert cloud.refused("AssociateAddress", params) == "UnsupportedOperation.AddressStatusNotPermit"


def test_a_private_address_takes_one_eip(cloud, bound):
    _address_id, eni, ip, _node = bound
    params = {"AddressId": cloud.eip(), "NetworkInterfaceId": eni, "PrivateIpAddress": ip}
    assert cloud.refused("AssociateAddress", params) == "InvalidPrivateIpAddress.AlreadyBindEip"


def test_a_private_address_is_taken_from_the_acceptance_of_a_bind_on(cloud):
    eni = cloud.eni(cloud.node("S5.4XLARGE32"), secondaries=1)
    first, second = cloud.eips(2)
    ip = cloud.ips(eni)[0]
    cloud.bind(first, eni, ip, wait=False)
    params = {"AddressId": second, "NetworkInterfaceId": eni, "PrivateIpAddress": ip}
    assert cloud.refused("AssociateAddress", params) == "InvalidPrivateIpAddress.AlreadyBindEip"


def test_an_instance_takes_one_eip_on_its_primary_address(cloud):
    node = cloud.node()
    first, second = cloud.eips(2)
    cloud.call("AssociateAddress", {"AddressId": first, "InstanceId": node})
    cloud.pass_time()
    assert (
        cloud.refused("AssociateAddress", {"AddressId": second, "InstanceId": node})
        == "InvalidInstanceId.AlreadyBindEip"
    )


def test_an_ordinary_public_ip_must_go_first(cloud):
    node = cloud.node(public_ip=True)
    code = cloud.refused("AssociateAddress", {"AddressId": cloud.eip(), "InstanceId": node})
    assert code == "InvalidParameterValue.InstanceHasWanIP"


def test_a_private_address_that_is_still_pending(cloud):
    eni = cloud.eni(cloud.node())
    assigned = cloud.call(
        "AssignPrivateIpAddresses", {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 1}
    )
    ip = assigned["PrivateIpAddressSet"][0]["PrivateIpAddress"]
    (address_id,) = cloud.call("AllocateAddresses")["AddressSet"]
    cloud.pass_time(0.06)
    params = {"AddressId": address_id, "NetworkInterfaceId": eni, "PrivateIpAddress": ip}
    assert cloud.refused("AssociateAddress", params) == "FailedOperation.AddressEniInfoNotFound"


def test_an_eni_on_its_way_to_a_cvm(cloud):
    node = cloud.node()
    eni = cloud.eni(secondaries=1)
    address_id = cloud.eip()
    cloud.call("AttachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": node})
    ip = cloud.ips(eni)[0]
    params = {"AddressId": address_id, "NetworkInterfaceId": eni, "PrivateIpAddress": ip}
    assert cloud.refused("AssociateAddress", params) == "OperationDenied.MutexTaskRunning"


def test_an_instance_in_a_state_that_takes_no_eip(cloud):
    node = cloud.node()
    eni = cloud.eni(node, secondaries=1)
    cloud.region.set_instance_state(node, "SHUTDOWN")
    params = {"AddressId": cloud.eip(), "NetworkInterfaceId": eni, "PrivateIpAddress": cloud.ips(eni)[0]}
    assert cloud.refused("AssociateAddress", params) == "UnsupportedOperation.InstanceStateNotSupported"


def test_an_eip_that_is_blocked_or_in_arrears(cloud):
    eni = cloud.eni(cloud.node(), secondaries=1)
    address_id = cloud.eip()
    params = {"AddressId": address_id, "NetworkInterfaceId": eni, "PrivateIpAddress": cloud.ips(eni)[0]}
    cloud.region.set_eip_condition(address_id, blocked=True)
    assert cloud.refused("AssociateAddress", params) == "InvalidAddressId.Blocked"
    assert cloud.shown_eip(address_id)["IsBlocked"] is True
    cloud.region.set_eip_condition(address_id, arrears=True)
    assert cloud.refused("AssociateAddress", params) == "OperationDenied.AddressInArrears"
    assert cloud.shown_eip(address_id)["IsArrears"] is True
    modify = {"AddressIds": [address_id], "InternetMaxBandwidthOut": 5}
    assert cloud.refused("ModifyAddressesBandwidth", modify) == "OperationDenied.AddressInArrears"


@pytest.mark.parametrize(
    "begun",
    [
        "AllocateAddresses",
        "AssociateAddress",
        "DisassociateAddress",
        "ReleaseAddresses",
        "ModifyAddressesBandwidth",
    ],
)
def test_nothing_else_is_done_while_a_task_runs_on_an_eip(cloud, begun):
    eni = cloud.eni(cloud.node(), secondaries=1)
    ip = cloud.ips(eni)[0]
    if begun == "AllocateAddresses":
        (address_id,) = cloud.call(begun)["AddressSet"]
    else:
        address_id = cloud.eip()
    associate = {"AddressId": address_id, "NetworkInterfaceId": eni, "PrivateIpAddress": ip}
    if begun == "AssociateAddress":
        cloud.call(begun, associate)
    elif begun == "DisassociateAddress":
        cloud.bind(address_id, eni, ip)
        cloud.call(begun, {"AddressId": address_id})
    elif begun == "ReleaseAddresses":
        cloud.call(begun, {"AddressIds": [address_id]})
    elif begun == "ModifyAddressesBandwidth":
        cloud.call(begun, {"AddressIds": [address_id], "InternetMaxBandwidthOut": 7})
    busy = "OperationDenied.MutexTaskRunning"
    assert cloud.refused("ReleaseAddresses", {"AddressIds": [address_id]}) == busy
    assert cloud.refused("DisassociateAddress", {"AddressId": address_id}) == busy
    assert cloud.refused("AssociateAddress", associate) == busy
    assert cloud.refused("ModifyAddressAttribute", {"AddressId": address_id, "AddressName": "x"}) == busy
    modify = {"AddressIds": [address_id], "InternetMaxBandwidthOut": 5}
    assert cloud.refused("ModifyAddressesBandwidth", modify) == busy


def test_only_a_bound_eip_is_unbound(cloud):
    code = cloud.refused("DisassociateAddress", {"AddressId": cloud.eip()})
    assert code == "InvalidAddressIdStatus.NotPermit"


def test_only_the_primary_address_gets_an_ordinary_ip_back(cloud, bound):
    params = {"AddressId": bound[0], "ReallocateNormalPublicIp": True}
    assert (
        cloud.refused("DisassociateAddress", params)
        == "InvalidParameterValue.OnlySupportedForMasterNetworkCard"
    )
    assert cloud.status(bound[0]) == "BIND"


def test_a_bound_eip_is_not_released_nor_any_other_of_the_request(cloud, bound):
    free = cloud.eip()
    code = cloud.refused("ReleaseAddresses", {"AddressIds": [free, bound[0]]})
    assert code == "UnsupportedOperation.AddressStatusNotPermit"
    assert cloud.status(free) == "UNBIND"


def test_an_ordinary_public_ip_is_no_eip(cloud):
    cloud.node(public_ip=True)
    filters = [{"Name": "address-type", "Values": ["WanIP"]}]
    (ordinary,) = cloud.call("DescribeAddresses", {"Filters": filters})["AddressSet"]
    address_id = ordinary["AddressId"]
    assert (
        cloud.refused("DisassociateAddress", {"AddressId": address_id})
        == "InvalidParameterValue.ResourceNotSupport"
    )
    assert (
        cloud.refused("ReleaseAddresses", {"AddressIds": [address_id]})
        == "InvalidParameterValue.AddressTypeConflict"
    )


def test_the_eip_of_a_nat_gateway_is_not_for_disassociate_address(cloud):
    gateway = cloud.region.add_nat_gateway()
    shown = cloud.shown_eip(gateway.address_id)
    assert (shown["InstanceId"], shown["InstanceType"]) == ("nat-demo0001", "NAT")
    code = cloud.refused("DisassociateAddress", {"AddressId": gateway.address_id})
    assert code == "InvalidInstance.NotSupported"


@pytest.mark.parametrize("feature", [{"EipDirectConnection": "TRUE"}, {"EipVisibleOnEni": True}])
def test_features_that_the_account_does_not_have(cloud, feature):
    code = cloud.refused("ModifyAddressAttribute", {"AddressId": cloud.eip(), **feature})
    assert code == "UnsupportedOperation.ModifyAddressAttribute"


def test_a_bandwidth_that_cannot_be_had(cloud):
    ids = [cloud.eip()]
    for bandwidth, code in ((0, "BandwidthTooSmall"), (101, "BandwidthOutOfRange")):
        params = {"AddressIds": ids, "InternetMaxBandwidthOut": bandwidth}
        assert cloud.refused("ModifyAddressesBandwidth", params) == f"InvalidParameterValue.{code}"


def test_a_task_that_does_not_exist(cloud):
    assert cloud.refused("DescribeTaskResult", {"TaskId": 1}) == "InvalidParameter"
    assert cloud.refused("DescribeTaskResult", {}) == "MissingParameter"
    assert cloud.refused("DescribeVpcTaskResult", {"TaskId": "x"}) == "ResourceNotFound"
