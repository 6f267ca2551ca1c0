"""What binds, what refuses to, and what the listings show meanwhile."""

import pytest
from tencentcloud.vpc.v20170312 import models as vpc

from ipamd.core.cloud_errors.kind import CloudErrorKind as Kind
from tests.contract.cloud.account import filter_list, refusal, request

IN_THE_WAY = (Kind.WRONG_STATE, Kind.BUSY)
BOUND = ("BIND", "BIND_ENI")


@pytest.fixture
def eni(account):
    """A secondary ENI with two addresses besides its own."""
    return account.create_eni(secondary=2)


@pytest.fixture
def ips(eni):
    return [address.PrivateIpAddress for address in eni.PrivateIpAddressSet if not address.Primary]


@pytest.fixture
def bound(account, eni, ips):
    """An EIP that is bound to the first address."""
    eip_id = account.allocate()
    account.associate(eip_id, eni.NetworkInterfaceId, ips[0])
    account.until_status(eip_id, *BOUND)
    return eip_id


def test_a_bound_eip_names_eni_address_and_cvm_and_the_eni_names_the_eip(account, eni, ips, bound):
    address = account.address(bound)
    assert (address.NetworkInterfaceId, address.PrivateAddressIp) == (eni.NetworkInterfaceId, ips[0])
    assert address.InstanceId == account.endpoint.instance_id
    shown = {a.PrivateIpAddress: a for a in account.eni(eni.NetworkInterfaceId).PrivateIpAddressSet}
    assert (shown[ips[0]].AddressId, shown[ips[0]].PublicIpAddress) == (bound, address.AddressIp)
    assert not shown[ips[1]].AddressId


def test_a_bound_eip_is_found_by_its_eni(account, eni, bound):
    filters = filter_list({"network-interface-id": eni.NetworkInterfaceId})
    answer = account.vpc.DescribeAddresses(request(vpc.DescribeAddressesRequest, Filters=filters))
    assert [address.AddressId for address in answer.AddressSet] == [bound]


def test_the_task_of_a_bind_is_told_by_its_number(account, eni, ips):
    eip_id = account.allocate()
    task_id = int(account.associate(eip_id, eni.NetworkInterfaceId, ips[0]).TaskId)
    account.until_status(eip_id, *BOUND)
    result = account.vpc.DescribeTaskResult(request(vpc.DescribeTaskResultRequest, TaskId=task_id))
    assert result.Result == "SUCCESS"


def test_a_bound_eip_is_neither_bound_again_nor_moved_nor_released(account, eni, ips, bound):
    for refused in (
        lambda: account.associate(bound, eni.NetworkInterfaceId, ips[0]),
        lambda: account.associate(bound, eni.NetworkInterfaceId, ips[1]),
        lambda: account.release(bound),
    ):
        _, kind = refusal(refused)
        assert kind in IN_THE_WAY
    assert account.address(bound).PrivateAddressIp == ips[0]


def test_an_address_takes_one_eip(account, eni, ips, bound):
    other = account.allocate()
    _, kind = refusal(lambda: account.associate(other, eni.NetworkInterfaceId, ips[0]))
    assert kind in IN_THE_WAY
    assert account.address(other).AddressStatus == "UNBIND"


def test_while_a_bind_is_under_way_other_writes_are_refused_for_a_while(account, eni, ips):
    eip_id = account.allocate()
    account.associate(eip_id, eni.NetworkInterfaceId, ips[0])
    _, kind = refusal(lambda: account.associate(eip_id, eni.NetworkInterfaceId, ips[0]))
    assert kind in IN_THE_WAY
    account.until_status(eip_id, *BOUND)


def test_an_eni_must_be_named_with_an_address_of_its_own(account, eni):
    eip_id = account.allocate()
    client = account.common()
    params = {"AddressId": eip_id, "NetworkInterfaceId": eni.NetworkInterfaceId}
    _, kind = refusal(lambda: client.call_json("AssociateAddress", params))
    assert kind is Kind.INVALID
    _, kind = refusal(lambda: account.associate(eip_id, eni.NetworkInterfaceId, "192.0.2.1"))
    assert kind in (Kind.WRONG_STATE, Kind.NOT_FOUND)


def test_what_does_not_exist_is_not_found(account, eni, ips):
    eip_id = account.allocate()
    for refused in (
        lambda: account.associate("eip-00000000", eni.NetworkInterfaceId, ips[0]),
        lambda: account.associate(eip_id, "eni-00000000", ips[0]),
        lambda: account.disassociate("eip-00000000"),
    ):
        _, kind = refusal(refused)
        assert kind is Kind.NOT_FOUND


def test_unbinding_frees_the_eip_and_unbinding_again_is_refused_for_its_state(account, bound):
    account.disassociate(bound)
    address = account.until_status(bound, "UNBIND")
    assert not address.NetworkInterfaceId
    assert not address.PrivateAddressIp
    _, kind = refusal(lambda: account.disassociate(bound))
    assert kind is Kind.WRONG_STATE


def test_taking_the_address_away_unbinds_its_eip(account, eni, ips, bound):
    account.unassign(eni.NetworkInterfaceId, [ips[0]])
    account.until_status(bound, "UNBIND")


def test_the_cvm_takes_as_many_public_ips_as_its_size_allows(account, eni, ips):
    own = next(a.PrivateIpAddress for a in eni.PrivateIpAddressSet if a.Primary)
    eip_ids = [account.allocate() for _ in range(3)]
    for eip_id, ip in zip(eip_ids[:2], ips, strict=True):
        account.associate(eip_id, eni.NetworkInterfaceId, ip)
        account.until_status(eip_id, *BOUND)
    code, kind = refusal(lambda: account.associate(eip_ids[2], eni.NetworkInterfaceId, own))
    assert (code, kind) == ("LimitExceeded.InstanceAddressQuota", Kind.QUOTA)


def test_a_detached_eni_keeps_its_eip_as_bind_eni(account, eni, bound):
    account.vpc.DetachNetworkInterface(
        request(
            vpc.DetachNetworkInterfaceRequest,
            NetworkInterfaceId=eni.NetworkInterfaceId,
            InstanceId=account.endpoint.instance_id,
        )
    )
    assert account.until_status(bound, "BIND_ENI").NetworkInterfaceId == eni.NetworkInterfaceId
