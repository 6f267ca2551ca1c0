"""What the cloud has promised: when an order is looked for, and which releases are seen by their tags."""

import pytest

from ipamd.controller.claims.in_flight import InFlight
from ipamd.core.model import AcceptedOrder
from tests.testkit.clock import Clock

ORDER = AcceptedOrder(eip_id="eip-1", task_id="1")


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def promises(clock):
    return InFlight(monotonic=clock)


def deliver(promises, clock, name, seconds):
    """Look for an order whenever it is probably there, until it is; return the looks."""
    promises.order_accepted(name, ORDER)
    end, looks = clock.now + seconds, 0
    while True:
        clock.now += promises.delivery_in(name)
        looks += 1
        promises.order_asked(name)
        promises.order_looked(name, delivered=clock.now >= end)
        if clock.now >= end:
            return looks


def expected(promises):
    """Return in how many seconds an order that is given now would be looked for."""
    promises.order_accepted("the next", ORDER)
    try:
        return promises.delivery_in("the next")
    finally:
        promises.forget("the next")


def test_an_order_is_looked_for_when_earlier_ones_were_delivered(promises, clock):
    looks = [deliver(promises, clock, f"claim-{number}", 2.0) for number in range(60)]
    assert sum(looks[20:]) <= 1.3 * 40
    assert expected(promises) == pytest.approx(2.0, rel=0.15)


def test_a_look_that_comes_late_does_not_make_the_next_ones_later(promises, clock):
    deliver(promises, clock, "first", 0.15)
    before = expected(promises)
    for number in range(5):
        promises.order_accepted(f"claim-{number}", ORDER)
        clock.now += 30
        promises.order_asked(f"claim-{number}")
        promises.order_looked(f"claim-{number}", delivered=True)
    assert expected(promises) <= before


def test_after_a_look_in_vain_the_next_one_comes_when_a_fifth_of_the_time_has_passed_again(promises, clock):
    promises.order_accepted("claim", ORDER)
    clock.now += 5
    assert promises.delivery_in("claim") == 0
    promises.order_asked("claim")
    promises.order_looked("claim", delivered=False)
    assert promises.delivery_in("claim") == pytest.approx(1.0)


def test_orders_that_are_given_at_once_are_looked_for_at_once(promises, clock):
    for name in ("claim-1", "claim-2", "claim-3"):
        promises.order_accepted(name, ORDER)
        clock.now += 0.009
    clock.now += 0.06
    promises.order_accepted("later", ORDER)
    assert promises.delivery_in("claim-1") == promises.delivery_in("claim-3")
    assert promises.delivery_in("claim-3") < promises.delivery_in("later")


def test_whoever_looks_for_an_order_knows_how_many_are_looked_for_at_the_same_time(promises, clock):
    for name in ("claim-1", "claim-2", "claim-3"):
        promises.order_accepted(name, ORDER)
    clock.now += 0.2
    promises.order_accepted("later", ORDER)

    assert [promises.order_asked(name) for name in ("claim-1", "claim-2", "claim-3", "other")] == [3, 2, 1, 1]
    promises.order_looked("claim-2", delivered=True)
    promises.order_looked("claim-3", delivered=False)
    promises.forget("later")
    clock.now += 1.0
    assert promises.order_asked("claim-1") == 2


def test_an_order_that_is_looked_for_with_later_ones_is_not_waited_for_before(promises, clock):
    for name in ("claim-1", "claim-2", "claim-3"):
        promises.order_accepted(name, ORDER)
        clock.now += 0.04
    clock.now += promises.delivery_in("claim-1")

    assert promises.delivery_in("claim-2") > 0
    assert promises.order_asked("claim-1") == 1


def test_a_released_eip_is_asked_for_by_its_id_unless_its_tag_shows_it(promises):
    promises.release_accepted("claim", "eip-1", tagged=True)
    promises.release_accepted("claim", "eip-2")
    assert promises.shown_by_tag("claim") == {"eip-1"}
    promises.forget("claim")
    assert promises.shown_by_tag("claim") == frozenset()
