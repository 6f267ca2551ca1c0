"""EIPs that stay where they are and get another bandwidth, charge type or package."""

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from simulator.cloud.config import LEGACY, AccountConfig, BandwidthPackageConfig

HOURLY = "BANDWIDTH_POSTPAID_BY_HOUR"
TRAFFIC = "TRAFFIC_POSTPAID_BY_HOUR"
ONE, TWO = "bwp-demo0001", "bwp-demo0002"


def bill(cloud, address_id, charge_type, bandwidth=10, **more):
    params = {"AddressId": address_id, "InternetChargeType": charge_type}
    return cloud.call(
        "ModifyAddressInternetChargeType", {**params, "InternetMaxBandwidthOut": bandwidth, **more}
    )


def bill_refused(cloud, address_id, charge_type, bandwidth=10, **more):
    params = {"AddressId": address_id, "InternetChargeType": charge_type}
    return cloud.refused(
        "ModifyAddressInternetChargeType", {**params, "InternetMaxBandwidthOut": bandwidth, **more}
    )


def join(cloud, address_id, package_id=ONE):
    cloud.call(
        "AddBandwidthPackageResources",
        {
            "ResourceIds": [address_id],
            "BandwidthPackageId": package_id,
            "NetworkType": "BGP",
            "ResourceType": "Address",
            "Protocol": "ipv4",
        },
    )


def join_refused(cloud, address_id, package_id=ONE):
    params = {"ResourceIds": [address_id], "BandwidthPackageId": package_id}
    return cloud.refused("AddBandwidthPackageResources", params)


def billing(cloud, address_id):
    shown = cloud.shown_eip(address_id)
    return shown["InternetChargeType"], shown["Bandwidth"], shown["BandwidthPackageId"]


def test_a_charge_type_is_shown_late_and_its_answer_names_no_task(cloud):
    address_id = cloud.eip()
    assert set(bill(cloud, address_id, HOURLY, 50)) == {"RequestId"}
    assert billing(cloud, address_id) == (TRAFFIC, 1, None)
    cloud.pass_time()
    assert billing(cloud, address_id) == (HOURLY, 50, None)


def test_a_charge_type_changes_twice_in_the_life_of_an_eip(cloud):
    address_id = cloud.eip()
    for charge_type in (HOURLY, TRAFFIC):
        bill(cloud, address_id, charge_type)
        cloud.pass_time()
    code = "LimitExceeded.ModifyAddressInternetChargeTypeQuota"
    assert bill_refused(cloud, address_id, HOURLY) == code
    assert bill_refused(cloud, cloud.eip(), TRAFFIC).endswith("InternetChargeTypeNotChanged")


@pytest.mark.parametrize(
    ("charge_type", "bandwidth", "code"),
    [
        ("BANDWIDTH_PACKAGE", 10, "UnsupportedOperation.InvalidAddressInternetChargeType"),
        ("BANDWIDTH_PREPAID_BY_MONTH", 10, "InvalidParameterValue.Combination"),
        (HOURLY, 0, "InvalidParameterValue.Range"),
        (HOURLY, 101, "InvalidParameterValue.Range"),
    ],
)
def test_a_charge_type_that_is_wrong(cloud, charge_type, bandwidth, code):
    assert bill_refused(cloud, cloud.eip(), charge_type, bandwidth) == code


def test_a_charge_type_of_an_eip_that_is_not_fit(cloud):
    address_id = cloud.eip()
    assert bill_refused(cloud, "eip-00000000", HOURLY) == "InvalidAddressId.NotFound"
    cloud.region.set_eip_condition(address_id, arrears=True)
    assert bill_refused(cloud, address_id, HOURLY) == "OperationDenied.AddressInArrears"


def test_nothing_is_changed_while_a_bind_runs(cloud):
    eni = cloud.eni(cloud.node(), secondaries=1)
    address_id = cloud.eip()
    (ip,) = cloud.ips(eni)
    cloud.bind(address_id, eni, ip, wait=False)
    assert bill_refused(cloud, address_id, HOURLY) == "OperationDenied.MutexTaskRunning"
    bandwidth = {"AddressIds": [address_id], "InternetMaxBandwidthOut": 5}
    assert cloud.refused("ModifyAddressesBandwidth", bandwidth) == "OperationDenied.MutexTaskRunning"
    with pytest.raises(TencentCloudSDKException, match="MutexTaskRunning"):
        join(cloud, address_id)
    cloud.pass_time()
    join(cloud, address_id)
    cloud.pass_time()
    assert cloud.status(address_id) == "BIND"
    assert cloud.fabric.eips == {cloud.shown_eip(address_id)["AddressIp"]: ip}


def test_an_eip_joins_a_package_moves_to_another_and_leaves(cloud):
    address_id = cloud.eip(InternetMaxBandwidthOut=5)
    join(cloud, address_id)
    assert billing(cloud, address_id) == (TRAFFIC, 5, None)
    cloud.pass_time()
    assert billing(cloud, address_id) == ("BANDWIDTH_PACKAGE", 5, ONE)
    cloud.call("ModifyAddressesBandwidth", {"AddressIds": [address_id], "InternetMaxBandwidthOut": 500})
    cloud.pass_time()
    move = {"BandwidthPackageId": ONE, "TargetBandwidthPackageId": TWO, "ResourceIds": [address_id]}
    cloud.call("MigrateBandwidthPackageResources", move)
    cloud.pass_time()
    assert billing(cloud, address_id) == ("BANDWIDTH_PACKAGE", 500, TWO)
    cloud.call("RemoveBandwidthPackageResources", {"BandwidthPackageId": TWO, "ResourceIds": [address_id]})
    cloud.pass_time()
    assert billing(cloud, address_id) == (TRAFFIC, 100, None)
    bill(cloud, address_id, HOURLY)  # a package's coming and going counts for nothing here


def test_a_package_that_cannot_be_joined(cloud):
    address_id = cloud.eip()
    assert join_refused(cloud, "eip-00000000") == "InvalidParameterValue.ResourceNotFound"
    assert join_refused(cloud, "x") == "InvalidParameterValue.ResourceIdMalformed"
    assert join_refused(cloud, address_id, "bwp-none") == "InvalidParameterValue.BandwidthPackageNotFound"
    code = "UnsupportedOperation.BandwidthPackageIdNotSupported"
    assert join_refused(cloud, address_id, "bwp-cmcc0001") == code
    join(cloud, address_id)
    cloud.pass_time()
    assert join_refused(cloud, address_id, TWO) == "InvalidParameterValue.ResourceAlreadyExisted"
    leave = {"BandwidthPackageId": TWO, "ResourceIds": [address_id]}
    assert cloud.refused("RemoveBandwidthPackageResources", leave) == "InvalidParameterValue.ResourceNotFound"


def test_a_full_package_takes_no_more(make_cloud):
    packages = (BandwidthPackageConfig(most_eips=1), BandwidthPackageConfig(package_id=TWO))
    cloud = make_cloud(account=AccountConfig(bandwidth_packages=packages))
    join(cloud, cloud.eip())
    cloud.pass_time()
    second = cloud.eip()
    assert join_refused(cloud, second) == "LimitExceeded.BandwidthPackageResourceQuota"
    join(cloud, second, TWO)
    cloud.pass_time()
    move = {"BandwidthPackageId": TWO, "TargetBandwidthPackageId": ONE, "ResourceIds": [second]}
    code = "LimitExceeded.BandwidthPackageResourceQuota"
    assert cloud.refused("MigrateBandwidthPackageResources", move) == code


def test_the_range_of_a_bandwidth_goes_by_the_charge_type(cloud):
    plain, packed = cloud.eip(), cloud.eip(InternetChargeType="BANDWIDTH_PACKAGE", BandwidthPackageId=ONE)
    rows = cloud.call("DescribeAddressBandwidthRange", {"AddressIds": [plain, packed]})["BandwidthRangeSet"]
    assert {row["ResourceId"]: row["BandwidthUpperLimit"] for row in rows} == {plain: 100, packed: 2000}
    many = {"AddressIds": [plain] * 21}
    assert cloud.refused("DescribeAddressBandwidthRange", many) == "InvalidParameterValue.LimitExceeded"


def test_an_account_that_pays_by_cvm_changes_nothing_but_names(make_cloud):
    cloud = make_cloud(account=AccountConfig(network_type=LEGACY))
    address_id = cloud.eip()
    bandwidth = {"AddressIds": [address_id], "InternetMaxBandwidthOut": 5}
    code = "InvalidParameterValue.InconsistentInstanceInternetChargeType"
    assert cloud.refused("ModifyAddressesBandwidth", bandwidth) == code
    assert bill_refused(cloud, address_id, HOURLY) == "InvalidAccount.NotSupported"
    code = "UnsupportedOperation.AccountNotSupported"
    assert cloud.refused("DescribeAddressBandwidthRange", {"AddressIds": [address_id]}) == code
    cloud.call("ModifyAddressAttribute", {"AddressId": address_id, "AddressName": "web"})
    assert cloud.shown_eip(address_id)["AddressName"] == "web"


def test_other_types_of_addresses_are_for_accounts_that_have_them(make_cloud):
    types = ("EIP", "AnycastEIP", "HighQualityEIP", "AntiDDoSEIP")
    cloud = make_cloud(account=AccountConfig(address_types=types))
    shown = cloud.shown_eip(cloud.eip(AddressType="HighQualityEIP", Egress="center_egress2"))
    assert (shown["AddressType"], shown["Egress"]) == ("HighQualityEIP", "center_egress2")
    refused = [
        cloud.refused("AllocateAddresses", params)
        for params in (
            {"Egress": "center_egress2"},
            {"AddressType": "HighQualityEIP", "Egress": "moon"},
            {"AddressType": "AntiDDoSEIP"},
            {"AnycastZone": "ANYCAST_ZONE_GLOBAL"},
        )
    ]
    assert (
        refused == ["InvalidParameterValue.UnsupportedEgress"] * 2 + ["InvalidParameterValue.Combination"] * 2
    )
    anycast = cloud.eip(AddressType="AnycastEIP", AnycastZone="ANYCAST_ZONE_GLOBAL")
    assert cloud.shown_eip(anycast)["AddressType"] == "AnycastEIP"
    cloud.call("ReleaseAddresses", {"AddressIds": [anycast]})
