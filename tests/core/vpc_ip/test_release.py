"""How a deleted claim without binding gives back what was reserved for it."""

from ipamd.core.claim.actions import DropFinalizer, RedateOrder, Wait
from ipamd.core.claim.release import SETTLE
from ipamd.core.model import Reservation, ReservationState
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import release, vpcip
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder, FixedAddress
from tests.testkit.vpc_ips import fixed_claim

NOW = 1_800_000_000.0


def released(claim=None, **known):
    claim = claim or fixed_claim(deleting=True)
    looked = {"book": (), "reservations": ()}
    return release.release(VpcIpFacts(now=NOW, claim=claim, pod=None, **{**looked, **known}))


def line(ip):
    obj = vpcip.new_object(fixed_claim(), FixedAddress(ip=ip, subnet_id="subnet-aaaaaaaa"))
    obj["metadata"] |= {"uid": f"line-{ip}", "resourceVersion": "1"}
    return vpcip.read(obj)


def reservation(state, resource_id=""):
    return Reservation(
        reservation_id="rsvip-1",
        ip="10.0.3.7",
        subnet_id="subnet-aaaaaaaa",
        vpc_id="vpc-1",
        state=state,
        resource_id=resource_id,
    )


def test_book_and_reservations_are_looked_at_before_anything_goes():
    assert released(book=None) == do.LookAtBook()
    assert released(reservations=None) == do.LookAtReservations()


def test_lines_go_in_their_order_and_the_claim_after_the_last():
    first, second = line("10.0.3.7"), line("10.0.3.8")

    assert released(book=(first, second)) == do.DropLine(line=first)
    assert released(book=(second,)) == do.DropLine(line=second)
    assert released() == DropFinalizer()


def test_a_reservation_is_released_before_the_line_goes():
    unused = reservation(ReservationState.UNBIND)

    action = released(book=(line("10.0.3.7"),), reservations=(unused,))

    assert action == do.ReleaseReservation(reservation_id="rsvip-1", vpc_id="vpc-1")


def test_one_that_something_has_is_waited_for():
    waiting = released(reservations=(reservation(ReservationState.BIND, "eni-9"),))

    assert isinstance(waiting, Wait)
    assert "is still at eni-9" in waiting.reason
    assert (waiting.warning, waiting.seconds) == ("AddressStillAssigned", 10.0)
    nameless = released(reservations=(reservation(ReservationState.BIND),))
    assert "at something that the cloud does not name" in nameless.reason


def test_one_that_was_asked_for_may_turn_up_for_a_while():
    def asked(seconds_ago):
        order = AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", started=NOW - seconds_ago)
        return released(fixed_claim(deleting=True, allocation=order))

    assert isinstance(asked(SETTLE), DropFinalizer)
    assert asked(-86400.0) == RedateOrder(), "of a clock that was ahead: it counts from now"
    waiting = asked(SETTLE - 1.0)
    assert isinstance(waiting, Wait)
    assert waiting.seconds == 1.0
