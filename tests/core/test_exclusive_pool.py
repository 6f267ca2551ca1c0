"""Which ENIs for single Pods a node orders and gives back."""

from dataclasses import replace

import pytest

from ipamd.core import exclusive_pool, model
from ipamd.core.errors import InvalidInputError
from ipamd.core.exclusive_pool import CreateExclusiveEni, EniTargets, ExclusiveFacts, RemoveEni
from ipamd.core.ledger import acquisition, ledger, states
from ipamd.core.pool import ShortenHolds

NOW = 1000.0
COOLDOWN = 30.0


def enis(*ages):
    """Warm ENIs, each idle for so long."""
    return ledger.Ledger.of(
        states.Address(
            ip=f"10.0.1.{n}",
            eni_id=f"eni-{n}",
            state=states.Warm(since=NOW - age),
            added_at=NOW - 500,
            exclusive=True,
        )
        for n, age in enumerate(ages, 10)
    )


def facts(current, **changes):
    given = {"enis": len(current.addresses), "limit": 4, "targets": EniTargets()}
    return ExclusiveFacts(ledger=current, **{**given, **changes})


def owned(current, name):
    key = model.SandboxKey(container_id=f"c-{name}", ifname="eth0")
    pod = model.PodRef(namespace="default", name=name, uid=name)
    attachment = acquisition.Attachment(key=key, pod=pod, exclusive=True)
    return acquisition.acquire(current, attachment, COOLDOWN, NOW).ledger, key


def held(current, name, until):
    current, key = owned(current, name)
    return ledger.release(current, key, ledger.AddressHold(until=until, by_name=False), COOLDOWN, NOW).ledger


def test_one_eni_is_kept_warm():
    assert exclusive_pool.plan(facts(enis()), NOW) == [CreateExclusiveEni()]
    assert exclusive_pool.plan(facts(enis(5)), NOW) == []


def test_one_is_created_at_a_time():
    short = facts(enis(), waiting=3)
    assert exclusive_pool.plan(short, NOW) == [CreateExclusiveEni()]
    assert exclusive_pool.plan(replace(short, creating=True), NOW) == []


def test_pods_that_wait_are_served_beyond_the_target():
    current, _ = owned(enis(5), "web-0")

    assert exclusive_pool.wanted(facts(current, waiting=1)) == 2
    assert exclusive_pool.room(facts(current)) == 3


@pytest.mark.parametrize("changes", [{"limit": 0}, {"may_create": False}])
def test_nothing_is_ordered_that_cannot_come(changes):
    assert exclusive_pool.plan(facts(enis(), **changes), NOW) == []


def test_where_the_node_is_full_holds_give_way_to_pods_that_wait():
    current = held(held(enis(5, 5), "web-0", NOW + 300), "web-1", NOW + 100)
    full = facts(current, limit=2, waiting=1)

    assert exclusive_pool.plan(full, NOW) == [ShortenHolds(ips=("10.0.1.11",), until=NOW + 10)]
    assert exclusive_pool.plan(replace(full, waiting=0), NOW) == [], "nobody waits"


def test_no_more_holds_give_way_than_pods_wait_for():
    """What comes free by itself in a moment is not asked for twice."""
    three = held(held(held(enis(5, 5, 5), "web-0", NOW + 300), "web-1", NOW + 200), "web-2", NOW + 5)

    def yielding(waiting):
        plan = exclusive_pool.plan(facts(three, limit=3, waiting=waiting), NOW)
        return [len(action.ips) for action in plan]

    assert [yielding(n) for n in (1, 2, 3, 4)] == [[], [1], [2], [2]]


def test_an_address_in_quarantine_gives_way_to_nobody():
    current = held(held(enis(5, 5), "web-0", NOW + 300), "web-1", NOW + 100)
    first, second = (a for a in current.addresses.values() if isinstance(a.state, states.Held))
    soonest = min((first, second), key=lambda a: a.state.until)

    def plan_with(**changes):
        changed = {**current.addresses, soonest.ip: replace(soonest, **changes)}
        return exclusive_pool.plan(facts(ledger.Ledger.of(changed.values()), limit=2, waiting=1), NOW)

    other = (second if soonest is first else first).ip
    assert plan_with(missing_since=NOW) == [ShortenHolds(ips=(other,), until=NOW + 10)]
    assert plan_with() == [ShortenHolds(ips=(soonest.ip,), until=NOW + 10)]


def test_by_default_one_is_kept_and_goes_back_in_two_minutes():
    assert EniTargets() == EniTargets(min_warm=1, max_warm=1, release_interval=120.0)


def test_what_is_surplus_goes_one_by_one_the_longest_idle_first():
    surplus = facts(enis(5, 50, 7))

    assert exclusive_pool.plan(surplus, NOW) == [RemoveEni(eni_id="eni-11", ip="10.0.1.11")]
    assert exclusive_pool.plan(replace(surplus, last_release=NOW - 60), NOW) == []


def test_without_the_mode_all_that_is_free_goes_back():
    assert exclusive_pool.plan(facts(enis(5), targets=EniTargets().none), NOW) == [
        RemoveEni(eni_id="eni-10", ip="10.0.1.10")
    ]
    assert exclusive_pool.plan(facts(enis(), targets=EniTargets().none, limit=0), NOW) == []


@pytest.mark.parametrize(("least", "most"), [(-1, 0), (2, 1)])
def test_targets_that_contradict_themselves_are_refused(least, most):
    with pytest.raises(InvalidInputError, match=f"min is {least}, max is {most}"):
        EniTargets(min_warm=least, max_warm=most)


def test_free_enis_over_a_limit_that_was_lowered_go_back_whatever_the_targets_say():
    lowered = facts(enis(5, 9), limit=1, targets=EniTargets(min_warm=3, max_warm=3))
    assert exclusive_pool.plan(lowered, NOW) == [RemoveEni(eni_id="eni-11", ip="10.0.1.11")]
    assert exclusive_pool.plan(replace(lowered, limit=2), NOW) == []
    assert exclusive_pool.plan(replace(lowered, waiting=2), NOW) == [], "two Pods wait for them"
    assert exclusive_pool.plan(replace(lowered, last_release=NOW - 1), NOW) == []


def test_for_an_eni_of_a_claim_a_free_one_goes_at_once():
    current = enis(5, 9)
    full = facts(current, enis=4, coming=1, last_release=NOW, targets=EniTargets(min_warm=2, max_warm=2))
    assert exclusive_pool.plan(full, NOW) == [RemoveEni(eni_id="eni-11", ip="10.0.1.11")]

    leaving = ledger.retire(current, ["10.0.1.11"], NOW).ledger
    assert exclusive_pool.plan(replace(full, ledger=leaving), NOW) == []
    assert exclusive_pool.plan(replace(full, enis=3), NOW) == [], "there is a place"


def test_the_place_of_an_eni_of_a_claim_is_not_taken_by_a_new_one():
    assert exclusive_pool.plan(facts(enis(), enis=3, coming=1), NOW) == []
    assert exclusive_pool.plan(facts(enis(), enis=2, coming=1), NOW) == [CreateExclusiveEni()]


def test_a_free_eni_that_a_pod_waits_for_makes_no_way():
    assert exclusive_pool.plan(facts(enis(5), enis=4, coming=1, waiting=1), NOW) == []


def test_for_an_eni_of_a_claim_a_hold_ends():
    current = held(enis(5), "web-0", NOW + 100)
    (action,) = exclusive_pool.plan(facts(current, enis=4, coming=1), NOW)
    assert isinstance(action, ShortenHolds)
    assert action.ips == ("10.0.1.10",)
