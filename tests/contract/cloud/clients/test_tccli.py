"""The life of an EIP and of an ENI as a person types it: tccli from PyPI, unmodified.

tccli takes parameters as JSON and prints the Response member of the answer; an error ends it with its code.
"""

import itertools
import time

import pytest

from ipamd.core.cloud_errors.codes import meaning
from ipamd.core.cloud_errors.kind import CloudErrorKind as Kind
from tests.contract.cloud.clients.conftest import Refused

_numbers = itertools.count(1)


def token():
    return f"contract-tccli-{time.time_ns()}-{next(_numbers)}"


def until(endpoint, look, what):
    deadline = time.monotonic() + endpoint.seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(endpoint.pause)
    return found


def refusal(call):
    with pytest.raises(Refused) as caught:
        call()
    assert "requestId:" in str(caught.value)
    return meaning(caught.value.code).kind


class Account:
    """The account, by command line."""

    def __init__(self, tccli):
        self.tccli = tccli
        self.endpoint = tccli.endpoint

    def order(self, **fields):
        return self.tccli("vpc", "AllocateAddresses", **{"AddressCount": 1, "ClientToken": token(), **fields})

    def address(self, eip_id):
        found = self.tccli("vpc", "DescribeAddresses", AddressIds=[eip_id])["AddressSet"]
        return found[0] if found else None

    def until_status(self, eip_id, *statuses):
        def look():
            address = self.address(eip_id)
            return address if address and address["AddressStatus"] in statuses else None

        return until(self.endpoint, look, f"{eip_id} {statuses[0]}")

    def until_done(self, task_id):
        def look():
            result = self.tccli("vpc", "DescribeTaskResult", TaskId=int(task_id))["Result"]
            return result if result != "RUNNING" else None

        return until(self.endpoint, look, f"task {task_id}")

    def until_eni_done(self, request_id):
        def look():
            status = self.tccli("vpc", "DescribeVpcTaskResult", TaskId=request_id)["Status"]
            return status if status != "RUNNING" else None

        return until(self.endpoint, look, f"task {request_id}")

    def eni(self, eni_id):
        by_id = [{"Name": "network-interface-id", "Values": [eni_id]}]
        found = self.tccli("vpc", "DescribeNetworkInterfaces", Filters=by_id)
        return found["NetworkInterfaceSet"][0] if found["NetworkInterfaceSet"] else None

    def release(self, eip_id):
        return self.tccli("vpc", "ReleaseAddresses", AddressIds=[eip_id])

    def detach_and_delete(self, eni_id):
        detached = self.tccli(
            "vpc",
            "DetachNetworkInterface",
            NetworkInterfaceId=eni_id,
            InstanceId=self.endpoint.instance_id,
        )
        self.until_eni_done(detached["RequestId"])
        self.tccli("vpc", "DeleteNetworkInterface", NetworkInterfaceId=eni_id)
        until(self.endpoint, lambda: self.eni(eni_id) is None, f"the end of {eni_id}")


@pytest.fixture(scope="module")
def account(tccli):
    return Account(tccli)


@pytest.fixture(scope="module")
def eni(account):
    """An ENI with one address besides its own."""
    endpoint = account.endpoint
    created = account.tccli(
        "vpc",
        "CreateAndAttachNetworkInterface",
        VpcId=endpoint.vpc_id,
        SubnetId=endpoint.subnet_id,
        InstanceId=endpoint.instance_id,
        NetworkInterfaceName="contract-tccli",
        SecondaryPrivateIpAddressCount=1,
    )
    eni_id = created["NetworkInterface"]["NetworkInterfaceId"]
    assert account.until_eni_done(created["RequestId"]) == "SUCCESS"
    yield account.eni(eni_id)
    account.detach_and_delete(eni_id)
    assert refusal(lambda: account.tccli("vpc", "DeleteNetworkInterface", NetworkInterfaceId=eni_id)) is (
        Kind.NOT_FOUND
    )


def test_an_eip_from_order_to_release(account, eni):
    key = token()
    tags = [{"Key": "tke-clusterId", "Value": "cls-contract"}, {"Key": "tke-eipclaim-uid", "Value": key}]
    order = {"InternetMaxBandwidthOut": 7, "Tags": tags, "ClientToken": key}
    ordered = account.order(**order)
    (eip_id,) = ordered["AddressSet"]
    assert account.until_done(ordered["TaskId"]) == "SUCCESS"
    assert account.order(**order)["AddressSet"] == [eip_id]
    assert refusal(lambda: account.order(**{**order, "InternetMaxBandwidthOut": 8})) in (
        Kind.NEW_TOKEN,
        Kind.INVALID,
    )
    free = account.until_status(eip_id, "UNBIND")
    assert (free["Bandwidth"], free["InternetServiceProvider"]) == (7, "BGP")
    by_tag = [{"Name": "tag:tke-eipclaim-uid", "Values": [key]}]
    found = account.tccli("vpc", "DescribeAddresses", Filters=by_tag)
    assert [address["AddressId"] for address in found["AddressSet"]] == [eip_id]

    (ip,) = [a["PrivateIpAddress"] for a in eni["PrivateIpAddressSet"] if not a["Primary"]]
    place = {"NetworkInterfaceId": eni["NetworkInterfaceId"], "PrivateIpAddress": ip}
    bind = account.tccli("vpc", "AssociateAddress", AddressId=eip_id, **place)
    assert account.until_done(bind["TaskId"]) == "SUCCESS"
    bound = account.until_status(eip_id, "BIND", "BIND_ENI")
    assert (bound["NetworkInterfaceId"], bound["PrivateAddressIp"]) == tuple(place.values())
    assert refusal(lambda: account.release(eip_id)) is Kind.WRONG_STATE

    account.tccli("vpc", "DisassociateAddress", AddressId=eip_id)
    account.until_status(eip_id, "UNBIND")
    account.release(eip_id)
    until(account.endpoint, lambda: account.address(eip_id) is None, f"the end of {eip_id}")
    assert refusal(lambda: account.release(eip_id)) is Kind.NOT_FOUND


def test_addresses_of_an_eni_come_and_go(account, eni):
    eni_id = eni["NetworkInterfaceId"]
    assigned = account.tccli(
        "vpc", "AssignPrivateIpAddresses", NetworkInterfaceId=eni_id, SecondaryPrivateIpAddressCount=2
    )
    ips = [address["PrivateIpAddress"] for address in assigned["PrivateIpAddressSet"]]
    assert account.until_eni_done(assigned["RequestId"]) == "SUCCESS"
    assert set(ips) < {a["PrivateIpAddress"] for a in account.eni(eni_id)["PrivateIpAddressSet"]}

    back = account.tccli(
        "vpc",
        "UnassignPrivateIpAddresses",
        NetworkInterfaceId=eni_id,
        PrivateIpAddresses=[{"PrivateIpAddress": ip} for ip in ips],
    )
    assert account.until_eni_done(back["RequestId"]) == "SUCCESS"
    assert not set(ips) & {a["PrivateIpAddress"] for a in account.eni(eni_id)["PrivateIpAddressSet"]}


def test_an_attached_eni_is_not_deleted(account, eni):
    eni_id = eni["NetworkInterfaceId"]
    kind = refusal(lambda: account.tccli("vpc", "DeleteNetworkInterface", NetworkInterfaceId=eni_id))
    assert kind is Kind.WRONG_STATE


@pytest.mark.parametrize(
    ("action", "parameters", "expected"),
    [
        ("AllocateAddresses", {"InternetMaxBandwidthOut": 101}, Kind.INVALID),
        ("ReleaseAddresses", {"AddressIds": ["eip-00000000"]}, Kind.NOT_FOUND),
        ("DescribeAddresses", {"Limit": 101}, Kind.INVALID),
    ],
)
def test_a_wrong_request_is_refused_with_a_code_that_means_it(account, action, parameters, expected):
    assert refusal(lambda: account.tccli("vpc", action, **parameters)) is expected


def test_the_other_product_answers_on_the_same_end_point(account):
    answer = account.tccli("cvm", "DescribeInstances", InstanceIds=[account.endpoint.instance_id])
    assert answer["InstanceSet"][0]["InstanceState"] == "RUNNING"


def test_subnets_routes_and_quotas_are_listed(account):
    endpoint = account.endpoint
    subnets = account.tccli("vpc", "DescribeSubnets", SubnetIds=[endpoint.subnet_id])["SubnetSet"]
    assert subnets[0]["VpcId"] == endpoint.vpc_id
    tables = account.tccli("vpc", "DescribeRouteTables", RouteTableIds=[subnets[0]["RouteTableId"]])
    assert tables["RouteTableSet"][0]["RouteTableId"] == subnets[0]["RouteTableId"]
    quotas = {q["QuotaId"] for q in account.tccli("vpc", "DescribeAddressQuota")["QuotaSet"]}
    assert {"TOTAL_EIP_QUOTA", "DAILY_EIP_APPLY"} <= quotas


def test_a_reserved_address_from_its_reservation_to_its_end(account):
    endpoint = account.endpoint
    key = token()
    wish = {"VpcId": endpoint.vpc_id, "SubnetId": endpoint.subnet_id, "IpAddressCount": 1}
    tags = [{"Key": "tke-vpcipclaim-uid", "Value": key}]
    made = account.tccli("vpc", "CreateReserveIpAddresses", **wish, Tags=tags, ClientToken=key)
    [kept] = made["ReserveIpAddressSet"]
    again = account.tccli("vpc", "CreateReserveIpAddresses", **wish, Tags=tags, ClientToken=key)
    assert again["ReserveIpAddressSet"] == made["ReserveIpAddressSet"]

    def listed():
        by_tag = [{"Name": "tag:tke-vpcipclaim-uid", "Values": [key]}]
        found = account.tccli("vpc", "DescribeReserveIpAddresses", Filters=by_tag)["ReserveIpAddressSet"]
        return [(one["ReserveIpAddress"], one["State"]) for one in found]

    assert listed() == [(kept["ReserveIpAddress"], "UnBind")]
    gone = {"VpcId": endpoint.vpc_id, "ReserveIpIds": [kept["ReserveIpId"]]}
    account.tccli("vpc", "DeleteReserveIpAddresses", **gone)
    assert listed() == []
    assert refusal(lambda: account.tccli("vpc", "DeleteReserveIpAddresses", **gone)) is Kind.NOT_FOUND
