"""The steps by which a claim gets its address, and what is never done: reserved twice, or another claim's."""

from dataclasses import replace

import pytest

from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.model import Reservation, ReservationState, Subnet
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import provision, vpcip
from ipamd.core.vpc_ip.facts import AddressHolder, AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder, FixedAddress
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, KEPT, fixed_claim

NOW = 1_800_000_000.0
SUBNET = Subnet(
    subnet_id="subnet-aaaaaaaa",
    vpc_id="vpc-1",
    zone="ap-test-1",
    cidr="10.0.3.0/24",
    available_ips=9,
    route_table_id="",
)
NOMINATED = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, nominated_ip="10.0.3.7")
REFUSAL = AddressRefusal(VpcIpReason.NOT_SUPPORTED, "not here")
BEGUN = AddressOrder(attempt=2, subnet_id="subnet-aaaaaaaa", ip="", started=NOW - 5.0)


def step(request=KEPT, *, claim=None, **known):
    claim = claim or fixed_claim(request, pod=ClaimPod(uid="u1", node="node-a"))
    looked = {"book": (), "subnets": (SUBNET,), "node_zone": "ap-test-1", "reservations": ()}
    facts = VpcIpFacts(now=NOW, claim=claim, pod=pod_view(nodeName="node-a"), **{**looked, **known})
    return provision.provision(facts, claim)


def reservation(number=1, ip="10.0.3.7", state=ReservationState.UNBIND):
    return Reservation(
        reservation_id=f"rsvip-{number}", ip=ip, subnet_id="subnet-aaaaaaaa", vpc_id="vpc-1", state=state
    )


def line(ip="10.0.3.7"):
    obj = vpcip.new_object(fixed_claim(), FixedAddress(ip=ip, subnet_id="subnet-aaaaaaaa"))
    obj["metadata"] |= {"uid": f"line-{ip}", "resourceVersion": "1"}
    return vpcip.read(obj)


def test_nothing_is_reserved_before_all_looks():
    assert step(book=None) == do.LookAtBook()
    assert step(subnets=None) == do.LookAtSubnets()
    assert step(reservations=None) == do.LookAtReservations()


def test_an_order_is_new_once_and_then_repeated_as_it_was():
    first = step()
    assert first == do.Reserve(
        order=AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", ip="", started=NOW), begun=False
    )
    assert step(claim=fixed_claim(allocation=BEGUN)) == do.Reserve(order=BEGUN, begun=True)
    ended = AddressOrder(attempt=2, subnet_id="subnet-aaaaaaaa")
    again = step(claim=fixed_claim(allocation=ended))
    assert isinstance(again, do.Reserve)
    assert (again.order.attempt, again.begun) == (3, False)


def test_what_is_reserved_is_entered_and_then_recorded():
    assert step(reservations=(reservation(),)) == do.WriteLine(address=ADDRESS)
    kept = step(reservations=(reservation(),), book=(line(),))
    assert isinstance(kept, do.KeepAddress)
    assert (kept.address, kept.reason) == (ADDRESS, VpcIpReason.RESERVED)


def test_a_line_of_before_goes_when_another_address_was_reserved():
    stray = line("10.0.3.9")

    assert step(reservations=(reservation(),), book=(stray,)) == do.DropLine(line=stray)


def test_a_line_of_before_is_reserved_by_its_address():
    what = step(book=(line("10.0.3.9"),))

    assert isinstance(what, do.Reserve)
    assert what.order.ip == "10.0.3.9"


def test_a_line_of_before_stays_in_its_subnet_when_another_one_has_more_room():
    roomier = replace(SUBNET, subnet_id="subnet-bbbbbbbb", cidr="10.0.4.0/24", available_ips=200)
    both = {"book": (line("10.0.3.9"),), "subnets": (SUBNET, roomier)}

    what = step(**both)
    assert isinstance(what, do.Reserve)
    assert (what.order.subnet_id, what.order.ip) == ("subnet-aaaaaaaa", "10.0.3.9")
    kept = step(**both, reservations=None, refusal=REFUSAL)
    assert isinstance(kept, do.KeepAddress)
    assert (kept.address.subnet_id, kept.address.ip) == ("subnet-aaaaaaaa", "10.0.3.9")
    full = step(**both, full=frozenset({"subnet-aaaaaaaa"}))
    assert isinstance(full, do.MarkWithoutAddress)
    assert full.reason is VpcIpReason.SUBNET_FULL


def test_the_zone_of_an_address_is_never_that_of_a_node_in_another_one():
    elsewhere = replace(SUBNET, subnet_id="subnet-bbbbbbbb", cidr="10.0.4.0/24", zone="ap-test-2")

    what = step(reservations=(reservation(),), subnets=(elsewhere,), node_zone="ap-test-2")

    assert isinstance(what, do.WriteLine)
    assert what.address == replace(ADDRESS, zone="")


def test_several_reservations_are_an_error_and_refused_ones_do_not_count():
    two = (reservation(1), reservation(2, "10.0.3.8"))

    what = step(reservations=two)
    assert isinstance(what, do.MarkWithoutAddress)
    assert what.reason is VpcIpReason.AMBIGUOUS
    assert "rsvip-1 (10.0.3.7), rsvip-2 (10.0.3.8)" in what.message
    claim = fixed_claim(refused_ips=("10.0.3.7",))
    assert isinstance(step(claim=claim, reservations=two), do.WriteLine)


def test_one_of_another_claims_address_is_given_up_unless_an_eni_has_it():
    foreign = frozenset({"10.0.3.7"})

    assert step(reservations=(reservation(),), foreign_ips=foreign) == do.ReleaseReservation(
        reservation_id="rsvip-1", vpc_id="vpc-1"
    )
    bound = reservation(state=ReservationState.BIND)
    assert isinstance(step(reservations=(bound,), foreign_ips=foreign), do.MarkWithoutAddress)


@pytest.mark.parametrize(
    "known",
    [
        {"crowded": frozenset({"subnet-aaaaaaaa"})},
        {"released": frozenset({"rsvip-1"})},
        {"claim": fixed_claim(refused_ips=("10.0.3.9",))},
    ],
    ids=lambda known: next(iter(known)),
)
def test_where_any_address_might_be_a_wrong_one_it_is_named(known):
    assert step(**known) == do.LookForAddress(subnet_id="subnet-aaaaaaaa")
    what = step(**known, candidate="10.0.3.200")
    assert isinstance(what, do.Reserve)
    assert what.order.ip == "10.0.3.200"


def test_another_subnet_that_is_crowded_does_not_matter():
    assert isinstance(step(crowded=frozenset({"subnet-b"})), do.Reserve)


def test_a_nominated_address_is_reserved_by_name_or_said_to_be_taken():
    what = step(NOMINATED)
    assert isinstance(what, do.Reserve)
    assert what.order.ip == "10.0.3.7"
    taken = step(NOMINATED, foreign_ips=frozenset({"10.0.3.7"}))
    assert isinstance(taken, do.MarkWithoutAddress)
    assert taken.reason is VpcIpReason.ADDRESS_TAKEN
    assert "another VpcIPClaim has it" in taken.message
    by_other = step(NOMINATED, foreign_ips=frozenset({"10.0.3.7"}), taken_by="in use by eni-9")
    assert isinstance(by_other, do.MarkWithoutAddress)
    assert "in use by eni-9" in by_other.message


class TestByTheBookAlone:
    """What is done where the VPC refuses."""

    def step(self, request=KEPT, **known):
        return step(request, **{"refusal": REFUSAL, "reservations": None, **known})

    def test_a_free_address_is_looked_for_entered_and_recorded_with_the_reason(self):
        assert self.step() == do.LookForAddress(subnet_id="subnet-aaaaaaaa")
        address = FixedAddress(ip="10.0.3.200", subnet_id="subnet-aaaaaaaa", zone="ap-test-1")
        assert self.step(candidate="10.0.3.200") == do.WriteLine(address=address)
        kept = self.step(book=(line("10.0.3.200"),))
        assert kept == do.KeepAddress(address=address, reason=REFUSAL.reason, message="not here")

    def test_an_order_that_was_begun_is_not_repeated_in_vain(self):
        assert isinstance(self.step(claim=fixed_claim(allocation=BEGUN)), do.LookForAddress)

    def test_a_nominated_address_is_looked_at_first(self):
        assert self.step(NOMINATED) == do.LookAtUse(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa")
        assert isinstance(self.step(NOMINATED, use=AddressHolder(place="")), do.WriteLine)
        ours = AddressHolder(place="ENI eni-1", eni_id="eni-1", claim_uid="claim-1")
        assert isinstance(self.step(NOMINATED, use=ours), do.WriteLine)
        taken = self.step(NOMINATED, use=AddressHolder(place="ENI eni-9", eni_id="eni-9"))
        assert isinstance(taken, do.MarkWithoutAddress)
        assert "ENI eni-9 has it" in taken.message

    def test_one_that_is_in_the_book_is_recorded_without_another_look(self):
        kept = self.step(NOMINATED, book=(line(),))
        assert isinstance(kept, do.KeepAddress)
        assert kept.address.ip == "10.0.3.7"

    def test_a_full_subnet_is_said(self):
        what = self.step(full=frozenset({"subnet-aaaaaaaa"}))
        assert isinstance(what, do.MarkWithoutAddress)
        assert what.reason is VpcIpReason.SUBNET_FULL


def test_a_kept_claim_without_pod_adopts_what_was_reserved_meanwhile():
    def finish(claim, **known):
        return provision.finish(VpcIpFacts(now=NOW, claim=claim, pod=None, **known), claim)

    begun = fixed_claim(allocation=BEGUN)
    assert finish(fixed_claim()) is None
    assert finish(fixed_claim(allocation=BEGUN, address=ADDRESS)) is None
    assert finish(begun) == do.LookAtBook()
    assert finish(begun, book=()) == do.LookAtReservations()
    assert finish(begun, book=(), reservations=()) is None
    assert finish(begun, book=(), refusal=REFUSAL) is None
    assert isinstance(finish(begun, book=(), reservations=(reservation(),)), do.WriteLine)
