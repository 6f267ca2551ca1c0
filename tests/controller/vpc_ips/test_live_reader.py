"""What is asked of the cloud about one fixed address, and how often."""

import pytest

from ipamd.controller.vpc_ips.live_reader import VpcIpLiveReader
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.model import Reservation, ReservationState, Subnet
from ipamd.core.vpc_ip.facts import VpcIpFacts
from tests.testkit.vpc_ips import ADDRESS, fixed_claim

SUBNET = Subnet(
    subnet_id="subnet-aaaaaaaa",
    vpc_id="vpc-1",
    zone="ap-test-1",
    cidr="10.0.3.0/24",
    available_ips=9,
    route_table_id="",
)
CLAIM = fixed_claim(address=ADDRESS)


def reservation(number=1, ip=ADDRESS.ip):
    return Reservation(
        reservation_id=f"rsvip-{number}",
        ip=ip,
        subnet_id=SUBNET.subnet_id,
        vpc_id="vpc-1",
        state=ReservationState.UNBIND,
    )


class Cloud:
    """Lists reservations by tag and by address; `asked` has how."""

    def __init__(self, *, by_tag=(), at_ip=(), subnets=(SUBNET,)):
        self.by_tag, self.at_ip, self.subnets = by_tag, at_ip, subnets
        self.error: CloudError | None = None
        self.asked: list[str] = []

    def describe_reservations(self, *, tags=None, ips=None, vpc_id=None):
        self.asked.append("by tag" if tags else f"{ips} in {vpc_id}")
        if self.error:
            raise self.error
        return list(self.by_tag if tags else self.at_ip)

    def describe_subnets(self, ids):
        assert list(ids) == [SUBNET.subnet_id]
        return list(self.subnets)


def looked(cloud, claim=CLAIM):
    reader = VpcIpLiveReader(None, cloud, "cls-1", nodes=None)
    return reader.at_reservations(claim, VpcIpFacts(now=0.0, claim=claim, pod=None))


def test_one_that_its_tag_shows_is_looked_at_once():
    cloud = Cloud(by_tag=(reservation(),), at_ip=(reservation(),))

    assert looked(cloud).reservations == (reservation(),)
    assert cloud.asked == ["by tag"]


def test_a_claim_that_records_none_is_looked_at_once():
    cloud = Cloud(at_ip=(reservation(),))

    assert looked(cloud, fixed_claim()).reservations == ()
    assert cloud.asked == ["by tag"]


def test_one_that_has_lost_its_tag_is_found_by_its_address():
    cloud = Cloud(by_tag=(reservation(9),), at_ip=(reservation(8), reservation()))

    assert looked(cloud).reservations == (reservation(9), reservation())
    assert cloud.asked == ["by tag", "['10.0.3.7'] in vpc-1"]


def test_in_a_subnet_that_is_gone_nothing_is_looked_for():
    cloud = Cloud(at_ip=(reservation(),), subnets=())

    assert looked(cloud).reservations == ()
    assert cloud.asked == ["by tag"]


def test_an_account_that_may_not_reserve_is_known_from_the_refusal_and_any_other_failure_is_one():
    cloud = Cloud()
    cloud.error = cloud_error("DescribeReserveIpAddresses", "UnauthorizedOperation", "not here", "r-1")
    assert looked(cloud).refusal is not None

    cloud.error = cloud_error("DescribeReserveIpAddresses", "InternalError", "?", "r-2")
    with pytest.raises(CloudError):
        looked(cloud)
