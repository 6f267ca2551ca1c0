"""What the cloud has promised: when an order is looked for, and which releases are seen by their tags."""

import pytest

from ipamd.cloud.poll_plan import PollPace
from ipamd.controller.claims.in_flight import InFlight
from ipamd.core.model import AcceptedOrder
from tests.testkit.clock import Clock

ORDER = AcceptedOrder(eip_id="eip-1", task_id="1")


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def in_flight(clock):
    return InFlight(monotonic=clock)


def deliver(in_flight, clock, name, seconds):
    """Look for an order whenever it is probably there, until it is; return the looks."""
    in_flight.order_accepted(name, ORDER)
    end, looks = clock.now + seconds, 0
    while True:
        clock.now += in_flight.delivery_in(name)
        looks += 1
        in_flight.order_asked(name)
        in_flight.order_looked(name, delivered=clock.now >= end)
        if clock.now >= end:
            return looks


def expected(in_flight):
    """Return in how many seconds an order that is given now would be looked for."""
    in_flight.order_accepted("the next", ORDER)
    try:
        return in_flight.delivery_in("the next")
    finally:
        in_flight.forget("the next")


def test_an_order_is_looked_for_when_earlier_ones_were_delivered(in_flight, clock):
    looks = [deliver(in_flight, clock, f"claim-{number}", 2.0) for number in range(60)]
    assert sum(looks[20:]) <= 1.3 * 40
    assert expected(in_flight) == pytest.approx(2.0, rel=0.15)


def test_a_look_that_comes_late_does_not_make_the_next_ones_later(in_flight, clock):
    deliver(in_flight, clock, "first", 0.15)
    before = expected(in_flight)
    for number in range(5):
        in_flight.order_accepted(f"claim-{number}", ORDER)
        clock.now += 30
        in_flight.order_asked(f"claim-{number}")
        in_flight.order_looked(f"claim-{number}", delivered=True)
    assert expected(in_flight) <= before


def test_after_a_slow_hour_of_the_cloud_no_order_is_left_unlooked_at_as_long_as_that(in_flight, clock):
    for number in range(20):
        deliver(in_flight, clock, f"slow-{number}", 120.0)

    assert expected(in_flight) == PollPace().patience


def test_after_a_look_in_vain_the_next_one_comes_when_a_fifth_of_the_time_has_passed_again(in_flight, clock):
    in_flight.order_accepted("claim", ORDER)
    clock.now += 5
    assert in_flight.delivery_in("claim") == 0
    in_flight.order_asked("claim")
    in_flight.order_looked("claim", delivered=False)
    assert in_flight.delivery_in("claim") == pytest.approx(1.0)


def test_orders_that_are_given_at_once_are_looked_for_at_once(in_flight, clock):
    for name in ("claim-1", "claim-2", "claim-3"):
        in_flight.order_accepted(name, ORDER)
        clock.now += 0.009
    clock.now += 0.06
    in_flight.order_accepted("later", ORDER)
    assert in_flight.delivery_in("claim-1") == in_flight.delivery_in("claim-3")
    assert in_flight.delivery_in("claim-3") < in_flight.delivery_in("later")


def test_whoever_looks_for_an_order_knows_how_many_are_looked_for_at_the_same_time(in_flight, clock):
    for name in ("claim-1", "claim-2", "claim-3"):
        in_flight.order_accepted(name, ORDER)
    clock.now += 0.2
    in_flight.order_accepted("later", ORDER)

    assert [in_flight.order_asked(name) for name in ("claim-1", "claim-2", "claim-3", "other")] == [
        3,
        2,
        1,
        1,
    ]
    in_flight.order_looked("claim-2", delivered=True)
    in_flight.order_looked("claim-3", delivered=False)
    in_flight.forget("later")
    clock.now += 1.0
    assert in_flight.order_asked("claim-1") == 2


def test_an_order_that_is_looked_for_with_later_ones_is_not_waited_for_before(in_flight, clock):
    for name in ("claim-1", "claim-2", "claim-3"):
        in_flight.order_accepted(name, ORDER)
        clock.now += 0.04
    clock.now += in_flight.delivery_in("claim-1")

    assert in_flight.delivery_in("claim-2") > 0
    assert in_flight.order_asked("claim-1") == 1


def test_a_released_eip_is_asked_for_by_its_id_unless_its_tag_shows_it(in_flight):
    in_flight.release_accepted("claim", "eip-1", tagged=True)
    in_flight.release_accepted("claim", "eip-2")
    assert in_flight.shown_by_tag("claim") == {"eip-1"}
    in_flight.forget("claim")
    assert in_flight.shown_by_tag("claim") == frozenset()
