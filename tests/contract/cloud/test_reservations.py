"""Reserved private addresses: kept from who asks for any, given to who names one, found by their tags."""

import pytest
from tencentcloud.vpc.v20170312 import models as vpc

from ipamd.core.cloud_errors.kind import CloudErrorKind as Kind
from tests.contract.cloud.account import refusal, request


@pytest.fixture
def kept(account, endpoint):
    """One reserved address with a tag of its own; given up at the end."""
    tag = {"Key": "tke-eni-contract", "Value": account.token()}
    wish = {"VpcId": endpoint.vpc_id, "SubnetId": endpoint.subnet_id, "IpAddressCount": 1, "Tags": [tag]}
    made = account.vpc.CreateReserveIpAddresses(request(vpc.CreateReserveIpAddressesRequest, **wish))
    [reservation] = made.ReserveIpAddressSet
    yield reservation
    gone = {"VpcId": endpoint.vpc_id, "ReserveIpIds": [reservation.ReserveIpId]}
    account.vpc.DeleteReserveIpAddresses(request(vpc.DeleteReserveIpAddressesRequest, **gone))


def shown(account, reservation):
    filters = [{"Name": "reserve-address-ip", "Values": [reservation.ReserveIpAddress]}]
    ask = request(vpc.DescribeReserveIpAddressesRequest, Filters=filters)
    return next(
        one
        for one in account.vpc.DescribeReserveIpAddresses(ask).ReserveIpAddressSet
        if one.ReserveIpId == reservation.ReserveIpId
    )


def test_a_reservation_is_there_at_once_and_unbound(account, kept):
    found = shown(account, kept)
    assert (found.State, found.ReserveIpAddress) == ("UnBind", kept.ReserveIpAddress)
    assert {tag.Key for tag in found.TagSet} >= {"tke-eni-contract"}


def test_an_eni_gets_it_by_its_name_and_gives_it_back_reserved(account, kept):
    eni_id = account.create_eni().NetworkInterfaceId
    named = {"PrivateIpAddress": kept.ReserveIpAddress, "Description": "tke-vpcip/contract"}
    ask = {"NetworkInterfaceId": eni_id, "PrivateIpAddresses": [named]}
    answer = account.vpc.AssignPrivateIpAddresses(request(vpc.AssignPrivateIpAddressesRequest, **ask))
    account.until_done(answer.RequestId)
    [address] = [
        a for a in account.eni(eni_id).PrivateIpAddressSet if a.PrivateIpAddress == kept.ReserveIpAddress
    ]
    assert address.Description == "tke-vpcip/contract"
    assert (shown(account, kept).State, shown(account, kept).ResourceId) == ("Bind", eni_id)

    account.until_done(account.unassign(eni_id, [kept.ReserveIpAddress]).RequestId)
    assert shown(account, kept).State == "UnBind"


def test_an_address_of_an_eni_is_told_as_used(account, endpoint):
    eni = account.create_eni()
    [own] = [a.PrivateIpAddress for a in eni.PrivateIpAddressSet]
    ask = {"VpcId": endpoint.vpc_id, "SubnetId": endpoint.subnet_id, "IpAddresses": [own]}
    answer = account.vpc.DescribeUsedIpAddress(request(vpc.DescribeUsedIpAddressRequest, **ask))
    assert [(use.IpAddress, use.ResourceId) for use in answer.IpAddressStates] == [
        (own, eni.NetworkInterfaceId)
    ]


def test_an_address_that_is_used_is_neither_reserved_nor_assigned(account, endpoint):
    first, second = account.create_eni(), account.create_eni()
    [own] = [a.PrivateIpAddress for a in first.PrivateIpAddressSet]
    wish = {"VpcId": endpoint.vpc_id, "SubnetId": endpoint.subnet_id, "IpAddresses": [own]}
    _, kind = refusal(
        lambda: account.vpc.CreateReserveIpAddresses(request(vpc.CreateReserveIpAddressesRequest, **wish))
    )
    assert kind in (Kind.INVALID, Kind.WRONG_STATE)
    ask = {"NetworkInterfaceId": second.NetworkInterfaceId, "PrivateIpAddresses": [{"PrivateIpAddress": own}]}
    code, _ = refusal(
        lambda: account.vpc.AssignPrivateIpAddresses(request(vpc.AssignPrivateIpAddressesRequest, **ask))
    )
    assert code == "ResourceInUse"
