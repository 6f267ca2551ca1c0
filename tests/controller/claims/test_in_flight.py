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
    """Look for an order when it is probably there, then every tenth of a second; return the looks."""
    promises.order_accepted(name, ORDER)
    end, looks = clock.now + seconds, 0
    clock.now += promises.delivery_in(name)
    while True:
        looks += 1
        promises.order_looked(name, delivered=clock.now >= end)
        if clock.now >= end:
            return looks
        clock.now += 0.1


def test_an_order_is_looked_for_when_earlier_ones_were_delivered(promises, clock):
    looks = [deliver(promises, clock, f"claim-{number}", 2.0) for number in range(60)]
    assert sum(looks[20:]) <= 1.8 * 40
    assert promises.delivery_seconds() == pytest.approx(2.0, rel=0.15)


def test_a_look_that_comes_late_does_not_make_the_next_ones_later(promises, clock):
    before = promises.delivery_seconds()
    for number in range(5):
        promises.order_accepted(f"claim-{number}", ORDER)
        clock.now += 30
        promises.order_looked(f"claim-{number}", delivered=True)
    assert promises.delivery_seconds() < before


def test_after_the_first_look_an_order_is_not_waited_for_any_more(promises):
    promises.order_accepted("claim", ORDER)
    assert promises.delivery_in("claim") > 0
    promises.order_looked("claim", delivered=False)
    assert promises.delivery_in("claim") == 0


def test_a_released_eip_is_asked_for_by_its_id_unless_its_tag_shows_it(promises):
    promises.release_accepted("claim", "eip-1", tagged=True)
    promises.release_accepted("claim", "eip-2")
    assert promises.shown_by_tag("claim") == {"eip-1"}
    promises.forget("claim")
    assert promises.shown_by_tag("claim") == frozenset()
