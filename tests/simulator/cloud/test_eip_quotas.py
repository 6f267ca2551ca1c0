"""How many EIPs an account and a CVM may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cloud.config import Quotas
from simulator.cloud.instance_types import InstanceType, known_types


def quota(cloud, name):
    rows = {row["QuotaId"]: row for row in cloud.call("DescribeAddressQuota")["QuotaSet"]}
    assert rows[name]["QuotaGroup"] == "ap-guangzhou"
    return rows[name]["QuotaCurrent"], rows[name]["QuotaLimit"]


def test_twenty_eips_for_each_region(cloud):
    cloud.eips(20)
    assert quota(cloud, "TOTAL_EIP_QUOTA") == (20, 20)
    assert cloud.refused("AllocateAddresses") == "AddressQuotaLimitExceeded"


def test_an_order_beyond_the_quota_takes_nothing(cloud):
    cloud.eips(18)
    assert cloud.refused("AllocateAddresses", {"AddressCount": 3}) == "AddressQuotaLimitExceeded"
    assert quota(cloud, "TOTAL_EIP_QUOTA") == (18, 20)
    assert quota(cloud, "DAILY_EIP_APPLY") == (18, 40)


def test_forty_applications_a_day_released_ones_included(cloud):
    for _ in range(2):
        cloud.call("ReleaseAddresses", {"AddressIds": cloud.eips(20)})
        cloud.pass_time()
    assert quota(cloud, "TOTAL_EIP_QUOTA") == (0, 20)
    assert quota(cloud, "DAILY_EIP_APPLY") == (40, 40)
    assert cloud.refused("AllocateAddresses") == "AddressQuotaLimitExceeded.DailyAllocate"
    cloud.pass_time(86400)
    assert quota(cloud, "DAILY_EIP_APPLY") == (0, 40)
    assert cloud.eip()


def test_single_lines_have_a_quota_of_their_own(make_cloud):
    cloud = make_cloud(quotas=Quotas(single_isp_eips=2, daily_single_isp_applications=3))
    first = [cloud.eip(InternetServiceProvider="CMCC"), cloud.eip(InternetServiceProvider="CTCC")]
    assert quota(cloud, "SINGLEISP_EIP_QUOTA") == (2, 2)
    assert quota(cloud, "TOTAL_EIP_QUOTA") == (0, 20)
    params = {"InternetServiceProvider": "CUCC"}
    assert cloud.refused("AllocateAddresses", params) == "AddressQuotaLimitExceeded"
    cloud.call("ReleaseAddresses", {"AddressIds": first})
    cloud.pass_time()
    third = cloud.eip(**params)
    cloud.call("ReleaseAddresses", {"AddressIds": [third]})
    cloud.pass_time()
    assert cloud.refused("AllocateAddresses", params) == "AddressQuotaLimitExceeded.DailyAllocate"


@pytest.mark.parametrize(
    ("instance_type", "limit"),
    [("S5.SMALL2", 2), ("S5.LARGE8", 2), ("S5.2XLARGE16", 3), ("S5.3XLARGE24", 4), ("S5.6XLARGE48", 6)],
)
def test_a_cvm_takes_as_many_public_ips_as_its_vcpus_allow(cloud, instance_type, limit):
    node = cloud.node(instance_type)
    eni = cloud.primary_eni(node)
    cloud.call(
        "AssignPrivateIpAddresses", {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": limit}
    )
    cloud.pass_time()
    *allowed, ip = [p["PrivateIpAddress"] for p in cloud.shown_eni(eni)["PrivateIpAddressSet"]]
    ids = cloud.eips(limit + 1)
    for address_id, private_ip in zip(ids, allowed, strict=False):
        cloud.bind(address_id, eni, private_ip)
    params = {"AddressId": ids[-1], "NetworkInterfaceId": eni, "PrivateIpAddress": ip}
    assert cloud.refused("AssociateAddress", params) == "LimitExceeded.InstanceAddressQuota"
    cloud.call("DisassociateAddress", {"AddressId": ids[0]})
    assert cloud.refused("AssociateAddress", params) == "LimitExceeded.InstanceAddressQuota"
    cloud.pass_time()
    cloud.call("AssociateAddress", params)


def test_the_ordinary_public_ip_counts(cloud):
    node = cloud.node(public_ip=True)
    eni = cloud.eni(node, secondaries=2)
    first, second = cloud.eips(2)
    one, two = cloud.ips(eni)
    cloud.bind(first, eni, one, wait=False)
    params = {"AddressId": second, "NetworkInterfaceId": eni, "PrivateIpAddress": two}
    assert cloud.refused("AssociateAddress", params) == "LimitExceeded.InstanceAddressQuota"


def test_binds_to_an_eni_without_a_cvm_have_no_such_limit(cloud):
    eni = cloud.eni(secondaries=5)
    for address_id, ip in zip(cloud.eips(5), cloud.ips(eni), strict=True):
        cloud.bind(address_id, eni, ip)
    assert all(p["AddressId"] for p in cloud.shown_eni(eni)["PrivateIpAddressSet"] if not p["Primary"])


def test_ordinary_ips_for_eips_are_limited_a_day(make_cloud):
    cloud = make_cloud(quotas=Quotas(daily_public_ip_assignments=0))
    node = cloud.node()
    address_id = cloud.eip()
    cloud.call("AssociateAddress", {"AddressId": address_id, "InstanceId": node})
    cloud.pass_time()
    params = {"AddressId": address_id, "ReallocateNormalPublicIp": True}
    assert cloud.refused("DisassociateAddress", params) == "AddressQuotaLimitExceeded.DailyAllocate"


@pytest.mark.parametrize(
    ("vcpus", "ips"),
    [
        (1, 2),
        (5, 2),
        (6, 3),
        (11, 3),
        (12, 4),
        (17, 4),
        (18, 5),
        (24, 6),
        (30, 7),
        (36, 8),
        (42, 9),
        (47, 9),
        (48, 10),
        (96, 10),
    ],
)
def test_the_published_table_of_public_ips(vcpus, ips):
    kind = InstanceType(name="X.1", cpu=vcpus, memory_gib=1, enis=1, ips_per_eni=1)
    assert kind.public_ips == ips


@given(st.integers(1, 200))
def test_more_vcpus_never_take_fewer_public_ips(vcpus):
    def limit(cpu):
        return InstanceType(name="X.1", cpu=cpu, memory_gib=1, enis=1, ips_per_eni=1).public_ips

    assert 2 <= limit(vcpus) <= limit(vcpus + 1) <= 10


@pytest.mark.parametrize(
    ("name", "enis", "ips"),
    [
        ("S5.SMALL2", 2, 6),
        ("S5.MEDIUM4", 4, 10),
        ("S5.LARGE8", 4, 10),
        ("S5.2XLARGE16", 6, 20),
        ("S5.3XLARGE24", 8, 30),
        ("S5.16XLARGE256", 8, 30),
        ("BMS5.16XLARGE256", 32, 20),
    ],
)
def test_the_published_table_of_enis_and_addresses(name, enis, ips):
    kind = known_types([])[name]
    assert (kind.enis, kind.ips_per_eni) == (enis, ips)
