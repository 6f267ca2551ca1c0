"""Taking and giving back secondary addresses, also when the cloud is busy, slow, or does half of it."""

import pytest

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from simulator.cloud import Fault, FaultKind, InstanceOrder


@pytest.fixture
def eni(cloud, node):
    return cloud.describe_enis(node)[0]


def ips_of(cloud, eni):
    return {address.ip for address in cloud.describe_eni(eni.eni_id).addresses}


def test_assigned_addresses_are_available_when_the_call_returns(cloud, eni, soon):
    ips = cloud.assign_ips(eni.eni_id, 5, "token-1", soon())
    assert len(set(ips)) == 5
    shown = {a.ip: a.state.value for a in cloud.describe_eni(eni.eni_id).addresses if not a.primary}
    assert shown == dict.fromkeys(ips, "AVAILABLE")


def test_the_same_token_gives_the_same_addresses_again(cloud, eni, soon):
    first = cloud.assign_ips(eni.eni_id, 2, "token-1", soon())
    assert cloud.assign_ips(eni.eni_id, 2, "token-1", soon()) == first
    assert len(ips_of(cloud, eni)) == 3


@pytest.mark.parametrize("fault", [FaultKind.TIMEOUT_AFTER, FaultKind.BROKEN_JSON, FaultKind.HTTP_500])
def test_a_lost_answer_is_asked_for_again_and_assigns_once(cloud, region, eni, soon, fault):
    region.faults.add(Fault(kind=fault, action="AssignPrivateIpAddresses"))
    ips = cloud.assign_ips(eni.eni_id, 3, "token-1", soon())
    assert ips_of(cloud, eni) == {eni.primary_ip, *ips}


def test_fewer_addresses_than_asked_for_are_what_is_returned(cloud, region, eni, soon):
    region.faults.add(Fault(kind=FaultKind.PARTIAL, action="AssignPrivateIpAddresses", count_given=2))
    ips = cloud.assign_ips(eni.eni_id, 5, "token-1", soon())
    assert len(ips) == 2
    assert ips_of(cloud, eni) == {eni.primary_ip, *ips}


def test_a_failed_task_raises_and_leaves_no_address(cloud, region, eni, soon):
    region.faults.add(Fault(kind=FaultKind.TASK_FAILURE, action="AssignPrivateIpAddresses"))
    with pytest.raises(CloudError) as caught:
        cloud.assign_ips(eni.eni_id, 3, "token-1", soon())
    assert caught.value.kind is CloudErrorKind.TASK_FAILED
    assert ips_of(cloud, eni) == {eni.primary_ip}


def test_busy_and_throttled_are_repeated_until_they_pass(cloud, region, eni, soon):
    region.faults.add(Fault(kind=FaultKind.BUSY, action="AssignPrivateIpAddresses", count=2))
    region.faults.add(Fault(kind=FaultKind.THROTTLE, action="AssignPrivateIpAddresses", count=2))
    assert len(cloud.assign_ips(eni.eni_id, 1, "token-1", soon())) == 1


def test_stale_reads_do_not_end_the_wait_early(cloud, region, eni, soon):
    region.faults.add(
        Fault(kind=FaultKind.STALE_READ, action="DescribeNetworkInterfaces", count=2, seconds=60)
    )
    ips = cloud.assign_ips(eni.eni_id, 2, "token-1", soon())
    assert {a.state.value for a in cloud.describe_eni(eni.eni_id).addresses if a.ip in ips} == {"AVAILABLE"}


def test_a_full_eni_is_a_quota_error_with_the_request_id(cloud, eni, soon):
    cloud.assign_ips(eni.eni_id, 9, "token-1", soon())
    with pytest.raises(CloudError) as caught:
        cloud.assign_ips(eni.eni_id, 1, "token-2", soon())
    assert caught.value.kind is CloudErrorKind.QUOTA
    assert caught.value.request_id
    assert eni.eni_id in str(caught.value)


@pytest.mark.parametrize("count", [0, 11])
def test_a_count_that_one_call_cannot_carry_is_a_mistake_of_the_caller(cloud, eni, soon, count):
    with pytest.raises(ValueError, match="1 to 10"):
        cloud.assign_ips(eni.eni_id, count, "token-1", soon())


def test_an_assignment_that_outlasts_the_deadline_has_an_unknown_outcome(cloud, region, eni, soon):
    region.faults.add(
        Fault(kind=FaultKind.STALE_READ, action="DescribeNetworkInterfaces", count=None, seconds=60)
    )
    with pytest.raises(CloudError) as caught:
        cloud.assign_ips(eni.eni_id, 1, "token-1", soon(0.6))
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME


def test_unassigned_addresses_are_gone_when_the_call_returns(cloud, eni, soon):
    ips = cloud.assign_ips(eni.eni_id, 4, "token-1", soon())
    cloud.unassign_ips(eni.eni_id, ips[:3], soon())
    assert ips_of(cloud, eni) == {eni.primary_ip, ips[3]}


def test_more_addresses_than_one_call_carries_are_unassigned_by_the_ten(open_cloud, api_url, region, soon):
    cloud = open_cloud(api_url)
    big = region.create_instance(InstanceOrder(instance_type="S5.2XLARGE16")).instance_id
    (eni,) = cloud.describe_enis(big)
    ips = [ip for n in range(3) for ip in cloud.assign_ips(eni.eni_id, 6, f"token-{n}", soon())]
    cloud.unassign_ips(eni.eni_id, ips, soon())
    assert ips_of(cloud, eni) == {eni.primary_ip}
    assert region.audit.calls()["UnassignPrivateIpAddresses"] == 2


def test_unassigning_what_is_not_there_is_a_success(cloud, eni, soon):
    ips = cloud.assign_ips(eni.eni_id, 2, "token-1", soon())
    cloud.unassign_ips(eni.eni_id, [ips[0]], soon())
    cloud.unassign_ips(eni.eni_id, [*ips, "10.0.1.250"], soon())
    assert ips_of(cloud, eni) == {eni.primary_ip}
    cloud.unassign_ips("eni-00000000", ["10.0.1.250"], soon())


@pytest.mark.parametrize("fault", [FaultKind.TIMEOUT_AFTER, FaultKind.TIMEOUT_BEFORE, FaultKind.TASK_FAILURE])
def test_unassigning_survives_a_lost_answer_and_a_failed_task(cloud, region, eni, soon, fault):
    ips = cloud.assign_ips(eni.eni_id, 2, "token-1", soon())
    region.faults.add(Fault(kind=fault, action="UnassignPrivateIpAddresses"))
    cloud.unassign_ips(eni.eni_id, ips, soon())
    assert ips_of(cloud, eni) == {eni.primary_ip}


def test_the_primary_address_is_never_given_back(cloud, eni, soon):
    with pytest.raises(CloudError, match="primary"):
        cloud.unassign_ips(eni.eni_id, [eni.primary_ip], soon())


# An address by its name.


@pytest.fixture
def other_eni(cloud, region):
    order = InstanceOrder(instance_type="S5.LARGE8")
    return cloud.describe_enis(region.create_instance(order).instance_id)[0]


def test_an_address_of_another_eni_is_in_use(cloud, eni, other_eni, soon):
    cloud.assign_named_ip(other_eni.eni_id, "10.0.1.99", "theirs", "token-1", soon())
    with pytest.raises(CloudError, match="ResourceInUse") as caught:
        cloud.assign_named_ip(eni.eni_id, "10.0.1.99", "ours", "token-2", soon())
    assert caught.value.kind is CloudErrorKind.ADDRESS_IN_USE
    [address] = [a for a in cloud.describe_eni(other_eni.eni_id).addresses if a.ip == "10.0.1.99"]
    assert address.description == "theirs"


def test_a_reserved_address_that_is_not_given_by_its_name_is_in_use(cloud, region, eni, soon):
    order = model.ReservationOrder(vpc_id="vpc-demo0001", subnet_id="subnet-demo0001")
    kept = cloud.reserve_ip(order, "token-1")
    region.set_reservation_rules(assignable=False)
    with pytest.raises(CloudError, match=kept.reservation_id) as caught:
        cloud.assign_named_ip(eni.eni_id, kept.ip, "ours", "token-1", soon())
    assert caught.value.kind is CloudErrorKind.ADDRESS_IN_USE


def test_an_address_that_the_eni_has_already_is_a_success_with_any_token(cloud, eni, soon):
    for token in ("token-1", "token-1", "token-2"):
        cloud.assign_named_ip(eni.eni_id, "10.0.1.99", "ours", token, soon())
    assert [a.ip for a in cloud.describe_eni(eni.eni_id).addresses if not a.primary] == ["10.0.1.99"]


@pytest.mark.parametrize("fault", [FaultKind.TIMEOUT_AFTER, FaultKind.BROKEN_JSON, FaultKind.HTTP_500])
def test_a_lost_answer_assigns_once(cloud, region, eni, soon, fault):
    region.faults.add(Fault(kind=fault, action="AssignPrivateIpAddresses"))
    cloud.assign_named_ip(eni.eni_id, "10.0.1.99", "ours", "token-1", soon())
    assert [a.ip for a in cloud.describe_eni(eni.eni_id).addresses if not a.primary] == ["10.0.1.99"]


def test_a_failed_task_leaves_no_address(cloud, region, eni, soon):
    region.faults.add(Fault(kind=FaultKind.TASK_FAILURE, action="AssignPrivateIpAddresses"))
    with pytest.raises(CloudError) as caught:
        cloud.assign_named_ip(eni.eni_id, "10.0.1.99", "ours", "token-1", soon())
    assert caught.value.kind is CloudErrorKind.TASK_FAILED
    assert [a.ip for a in cloud.describe_eni(eni.eni_id).addresses if not a.primary] == []


@pytest.mark.parametrize(
    ("ip", "code"), [("10.9.9.9", "Range"), ("10.0.1.1", "Reserved"), ("web", "Malformed")]
)
def test_an_address_that_the_subnet_does_not_have_is_invalid(cloud, eni, soon, ip, code):
    with pytest.raises(CloudError, match=code) as caught:
        cloud.assign_named_ip(eni.eni_id, ip, "ours", "token-1", soon())
    assert caught.value.kind is CloudErrorKind.INVALID


def test_a_full_eni_takes_no_named_address(cloud, eni, soon):
    cloud.assign_ips(eni.eni_id, 9, "token-1", soon())
    with pytest.raises(CloudError) as caught:
        cloud.assign_named_ip(eni.eni_id, "10.0.1.99", "ours", "token-2", soon())
    assert caught.value.kind is CloudErrorKind.QUOTA
