"""The pool: what is asked of the cloud for which situation."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ipamd.core import errors, model, pool
from ipamd.core.kubernetes import capacity
from ipamd.core.ledger import acquisition, ledger, states

LIMITS = model.EniLimits(enis=4, ips_per_eni=10)
NOW = 1000.0


def ledger_of(warm=0, used=0, eni_id="eni-1", start=10):
    ips = [f"10.0.1.{n}" for n in range(start, start + warm + used)]
    current = ledger.adopt(ledger.Ledger(), eni_id, ips, NOW).ledger
    for n in range(used):
        current = acquisition.acquire(current, attachment(f"{eni_id}-{n}"), 30.0, NOW).ledger
    return current


def attachment(name):
    return acquisition.Attachment(
        key=model.SandboxKey(container_id=name, ifname="eth0"),
        pod=model.PodRef(namespace="default", name=name, uid=name),
    )


def eni(number=1, held=0, **kwargs):
    return pool.EniCapacity(eni_id=f"eni-{number}", subnet_id=f"subnet-{number}", addresses=held, **kwargs)


def plan(current, *enis, targets=None, limits=LIMITS, **kwargs):
    situation = pool.PoolFacts(
        ledger=current, enis=enis, limits=limits, targets=targets or pool.Targets(), **kwargs
    )
    return pool.plan(situation, NOW)


def test_empty_node_starts_with_an_eni_that_brings_the_warm_addresses():
    assert plan(ledger_of()) == [pool.CreateEni(count=5)]


def test_pool_at_its_target_asks_for_nothing():
    assert plan(ledger_of(warm=5), eni(held=5)) == []


def test_each_pod_taken_from_the_pool_is_made_good():
    assert plan(ledger_of(warm=4, used=1), eni(held=5)) == [pool.AssignIps(eni_id="eni-1", count=1)]


@pytest.mark.parametrize(("warm", "waiting", "concerned"), [(6, 0, False), (5, 0, True), (6, 1, True)])
def test_an_add_concerns_the_pool_when_it_leaves_too_few_addresses(warm, waiting, concerned):
    taken = acquisition.acquire(ledger_of(warm=warm), attachment("new"), 30.0, NOW)

    assert pool.is_concerned(taken, pool.Targets(), waiting) == concerned


def test_whatever_else_changes_addresses_concerns_the_pool():
    used = ledger_of(warm=9, used=1)
    left = ledger.release(used, attachment("eni-1-0").key, None, 30.0, NOW)
    lost = used.changed(forget=["10.0.1.10"])

    assert pool.is_concerned(left, pool.Targets(), 0)
    assert pool.is_concerned(lost, pool.Targets(), 0)


def test_fullest_eni_is_filled_first_and_a_new_one_comes_last():
    actions = plan(ledger_of(), eni(1, 3), eni(2, 8), waiting=5)

    assert actions == [
        pool.AssignIps(eni_id="eni-2", count=1),
        pool.AssignIps(eni_id="eni-1", count=6),
        pool.CreateEni(count=3),
    ]


def test_pods_that_wait_are_served_beyond_the_warm_target():
    assert plan(ledger_of(), eni(held=0), waiting=4) == [pool.AssignIps(eni_id="eni-1", count=9)]


def test_what_is_on_its_way_is_not_asked_for_twice():
    assert plan(ledger_of(), eni(held=5, busy=True), arriving=5) == []
    assert plan(ledger_of(), eni(held=5, busy=True), arriving=5, waiting=2) == []


def test_busy_eni_is_no_reason_for_another_one():
    assert plan(ledger_of(), eni(held=0, busy=True)) == []


def test_full_node_asks_for_nothing():
    full = [eni(n, 9) for n in (1, 2, 3)]

    assert plan(ledger_of(used=27), *full) == []


def test_no_eni_is_made_that_has_no_address_for_pods():
    """Its one address is its own."""
    assert plan(ledger_of(), limits=model.EniLimits(enis=4, ips_per_eni=1), waiting=1) == []
    assert plan(ledger_of(), limits=model.EniLimits(enis=4, ips_per_eni=2)) == [pool.CreateEni(count=1)]


def test_closed_subnet_is_passed_over():
    actions = plan(ledger_of(), eni(1, 3), closed_subnets=frozenset({"subnet-1"}))

    assert actions == [pool.CreateEni(count=5)]


def test_no_second_eni_while_one_is_being_created_or_enis_are_refused():
    assert plan(ledger_of(), creating=True) == []
    assert plan(ledger_of(), may_create=False) == []


def test_surplus_goes_back_one_by_one_and_slowly():
    surplus = ledger_of(warm=8)

    assert plan(surplus, eni(held=8), last_release=NOW - 119) == []
    assert plan(surplus, eni(held=8), last_release=NOW - 120) == [
        pool.UnassignIps(eni_id="eni-1", ips=("10.0.1.10",))
    ]


def test_quick_release_gives_all_surplus_back_at_once():
    actions = plan(ledger_of(warm=8), eni(held=8), targets=pool.Targets(quick_release=True), last_release=NOW)

    assert actions == [pool.UnassignIps(eni_id="eni-1", ips=("10.0.1.10", "10.0.1.11", "10.0.1.12"))]


def test_what_the_cloud_refuses_to_give_and_to_take_back_are_two_things():
    assert plan(ledger_of(warm=8), eni(held=8, keeps=True)) == []
    assert plan(ledger_of(warm=8), eni(held=8, refused=True)) != []
    assert plan(ledger_of(warm=4), eni(held=4, keeps=True)) == [pool.AssignIps(eni_id="eni-1", count=1)]


def test_surplus_comes_from_the_eni_with_the_fewest_owners():
    busy = ledger_of(warm=3, used=2)
    both = ledger.adopt(busy, "eni-2", [f"10.0.2.{n}" for n in range(4)], NOW).ledger

    assert plan(both, eni(1, 5), eni(2, 4)) == [pool.UnassignIps(eni_id="eni-2", ips=("10.0.2.0",))]


def test_between_min_and_max_nothing_happens():
    assert plan(ledger_of(warm=7), eni(held=7), targets=pool.Targets(min_warm=2, max_warm=8)) == []


@pytest.mark.parametrize(("low", "high"), [(-1, 5), (6, 5), (-2, -1)])
def test_contradictory_targets_are_refused_with_the_flags_and_both_values_named(low, high):
    with pytest.raises(errors.InvalidInputError, match=r"--ip-min-warm-target.*0 <= min <= max") as refused:
        pool.Targets(min_warm=low, max_warm=high)

    assert refused.value.message == f"warm targets: min is {low}, max is {high}"


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 5), (5, 5)])
def test_a_pool_may_have_no_warm_addresses_and_no_room_between_its_targets(low, high):
    targets = pool.Targets(min_warm=low, max_warm=high)

    assert (targets.min_warm, targets.max_warm) == (low, high)


@given(
    warm=st.integers(0, 20),
    waiting=st.integers(0, 40),
    held=st.lists(st.integers(0, 9), max_size=3),
    low=st.integers(0, 10),
    extra=st.integers(0, 10),
)
def test_no_plan_breaks_a_limit_of_the_cloud(warm, waiting, held, low, extra):
    enis = [eni(n, count) for n, count in enumerate(held, start=1)]
    targets = pool.Targets(min_warm=low, max_warm=low + extra)

    actions = plan(ledger_of(warm=warm), *enis, targets=targets, waiting=waiting)

    room = {e.eni_id: 9 - e.addresses for e in enis}
    for action in actions:
        match action:
            case pool.AssignIps(eni_id=eni_id, count=count):
                assert 0 < count <= min(10, room[eni_id])
            case pool.CreateEni(count=count):
                assert len(enis) < LIMITS.enis - 1
                assert 0 < count <= 9
            case pool.UnassignIps(ips=ips):
                assert 0 < len(ips) <= 10
                assert warm - len(ips) >= targets.max_warm
    assert len(actions) == len(set(map(repr, actions)))


@given(pods=st.integers(0, 27), low=st.integers(0, 8))
def test_repeated_plans_settle_between_pods_plus_min_and_pods_plus_max(pods, low):
    targets = pool.Targets(min_warm=low, max_warm=low + 2, quick_release=True)
    current, enis, last = ledger.Ledger(), dict[int, int](), 0
    demand = pods
    for _ in range(60):
        while demand and (taken := acquisition.acquire(current, attachment(f"p{demand}"), 30.0, NOW)).address:
            current, demand = taken.ledger, demand - 1
        actions = plan(current, *(eni(n, c) for n, c in enis.items()), targets=targets, waiting=demand)
        for action in actions:
            match action:
                case pool.AssignIps(eni_id=eni_id, count=count):
                    number = int(eni_id.removeprefix("eni-"))
                case pool.CreateEni(count=count):
                    number = len(enis) + 1
                case other:
                    pytest.fail(f"grew too far: {other}")
            enis[number] = enis.get(number, 0) + count
            fresh = [f"10.0.{number}.{last + n}" for n in range(count)]
            last += count
            current = ledger.adopt(current, f"eni-{number}", fresh, NOW).ledger
        if not actions and not demand:
            break

    assert demand == 0
    assert len(current.available) == min(low, 27 - pods)


def test_new_eni_goes_to_the_emptiest_usable_subnet_of_the_zone():
    def subnet(name, free, zone="z3"):
        return model.Subnet(
            subnet_id=name, vpc_id="vpc-1", zone=zone, cidr="", available_ips=free, route_table_id=""
        )

    subnets = [subnet("a", 10), subnet("b", 90), subnet("c", 500, zone="z4"), subnet("d", 200)]

    assert pool.choose_subnet(subnets, "z3", frozenset({"d"})).subnet_id == "b"
    assert pool.choose_subnet(subnets, "z9", frozenset()) is None
    assert pool.choose_subnet([subnet("a", 1)], "z3", frozenset()) is None


@pytest.mark.parametrize(
    ("vcpus", "eips"),
    [
        (1, 1),
        (5, 1),
        (6, 2),
        (11, 2),
        (12, 3),
        (18, 4),
        (24, 5),
        (30, 6),
        (36, 7),
        (42, 8),
        (47, 8),
        (48, 9),
        (96, 9),
    ],
)
def test_eips_of_a_node_follow_the_table_of_the_cloud(vcpus, eips):
    assert capacity.pod_eips(vcpus) == eips


@pytest.mark.parametrize(
    ("others", "eips"),
    [
        (0, 2),  # one place is left for the CVM, as TKE's page has it
        (1, 2),  # which its own public IP takes
        (2, 1),  # one more, bound by hand, is one that no Pod can have
        (3, 0),
        (9, 0),
    ],
)
def test_public_ips_that_are_no_pods_take_their_places(others, eips):
    assert capacity.pod_eips(8, others) == eips


def test_pod_ips_are_the_secondary_addresses_of_secondary_enis():
    assert capacity.resources(8, model.EniLimits(enis=6, ips_per_eni=20)) == {
        "tke.cloud.tencent.com/eip": 2,
        "tke.cloud.tencent.com/eni-ip": 95,
    }
    assert capacity.pod_ips(model.EniLimits(enis=1, ips_per_eni=6)) == 0


def test_an_eni_that_the_cloud_refuses_leaves_its_share_to_the_others():
    assert plan(ledger_of(), eni(1, 5, refused=True), eni(2)) == [pool.AssignIps(eni_id="eni-2", count=5)]


def test_an_eni_that_the_cloud_refuses_is_a_reason_for_another_one():
    assert plan(ledger_of(), eni(1, 5, refused=True)) == [pool.CreateEni(count=5)]


def test_an_eni_with_a_request_under_way_leaves_its_share_to_the_others_too():
    assert plan(ledger_of(), eni(1, 5, busy=True), eni(2)) == [pool.AssignIps(eni_id="eni-2", count=5)]


def test_room_that_is_open_is_that_of_enis_which_are_not_refused():
    def room(*enis, **kwargs):
        return pool.open_room(
            pool.PoolFacts(ledger=ledger_of(), enis=enis, limits=LIMITS, targets=pool.Targets(), **kwargs)
        )

    assert room() == 27
    assert room(eni(1, 4)) == 5 + 18
    assert room(eni(1, 4, refused=True), eni(2, 9), eni(3, 9)) == 0
    assert room(eni(1, 4), may_create=False) == 5
    assert room(eni(1, 4), may_create=False, closed_subnets=frozenset({"subnet-1"})) == 0


# ---- holds that give way

FULL = (eni(1, 9), eni(2, 9), eni(3, 9))


def held(*holds):
    """A full node whose last Pods are gone: for each the seconds of its hold, and its EIP if it has one."""
    current = ledger_of(used=20)
    for number, (seconds, eip) in enumerate(holds):
        key = attachment(f"eni-1-{number}").key
        ip = f"10.0.1.{10 + number}"
        if eip is not None:
            record = states.Binding(
                eip_id=f"eip-{number}", public_ip="", stage=states.BindStage.BOUND, retained=eip
            )
            address = replace(current.addresses[ip], eip=record)
            current = current.changed(address).ledger
        hold = ledger.AddressHold(until=NOW + seconds, by_name=bool(eip))
        current = ledger.release(current, key, hold, 30.0, NOW).ledger
    return current


def yielding(current, waiting, **kwargs):
    actions = plan(current, *FULL, waiting=waiting, **kwargs)
    return [ip for action in actions if isinstance(action, pool.ShortenHolds) for ip in action.ips]


def test_holds_give_way_only_to_pods_that_wait():
    current = held((100, None), (50, None))

    assert yielding(current, 0) == []
    assert yielding(current, 1) == ["10.0.1.11"]
    assert yielding(current, 5) == ["10.0.1.11", "10.0.1.10"]


def test_hold_of_a_retained_eip_gives_way_last_and_any_eip_after_none():
    current = held((20, True), (50, False), (300, None))

    assert yielding(current, 3) == ["10.0.1.12", "10.0.1.11", "10.0.1.10"]


def test_what_becomes_free_anyway_is_waited_for_first():
    current = held((100, None), (5, None))  # the second one ends within the grace
    cooling = ledger.release(current, attachment("eni-1-5").key, None, 30.0, NOW).ledger

    assert yielding(current, 1) == []
    assert yielding(current, 2) == ["10.0.1.10"]
    assert yielding(cooling, 2) == []


def unbinding_since(seconds):
    """A full node with one hold, and an address whose EIP has been on its way out for so many seconds."""
    current = held((100, None), (100, False))
    freed = ledger.vacate(current, "10.0.1.11", 30.0, NOW - seconds).ledger
    assert isinstance(freed.addresses["10.0.1.11"].state, states.Unbinding)
    return freed


def test_an_address_whose_eip_is_being_unbound_is_waited_for_not_one_where_that_takes_long():
    assert yielding(unbinding_since(pool.UNBIND_SECONDS - 1), 1) == []
    assert yielding(unbinding_since(pool.UNBIND_SECONDS), 1) == ["10.0.1.10"]


def test_what_is_stuck_or_in_quarantine_does_not_come_free():
    young, old = unbinding_since(pool.UNBIND_SECONDS - 1), unbinding_since(pool.UNBIND_SECONDS)
    lost = young.changed(replace(young.addresses["10.0.1.11"], missing_since=NOW)).ledger

    assert [a.ip for a in pool.coming_free(young, NOW)] == ["10.0.1.11"]
    assert pool.coming_free(old, NOW) == pool.coming_free(lost, NOW) == pool.stuck(young, NOW) == []
    assert [a.ip for a in pool.stuck(old, NOW)] == ["10.0.1.11"]


def test_a_hold_in_quarantine_is_no_help_to_who_waits():
    current = held((20, None), (100, None))
    lost = current.changed(replace(current.addresses["10.0.1.10"], missing_since=NOW)).ledger

    assert yielding(lost, 1) == ["10.0.1.11"]


def test_no_hold_gives_way_while_the_cloud_may_give_more():
    current = held((100, None))

    assert yielding(current, 1, arriving=1) == []
    assert [type(a) for a in plan(current, eni(1, 8), waiting=1)] == [pool.AssignIps, pool.CreateEni]


@pytest.mark.parametrize(("held_by_eni", "gives_way"), [(8, False), (9, True)])
def test_no_hold_gives_way_for_the_one_address_that_a_busy_eni_may_still_get(held_by_eni, gives_way):
    only = model.EniLimits(enis=2, ips_per_eni=10)

    actions = plan(held((100, None)), eni(1, held_by_eni, busy=True), limits=only, waiting=1)

    assert [type(action) for action in actions] == [pool.ShortenHolds] * gives_way


def test_a_hold_that_gives_way_lasts_a_moment_longer_and_is_never_prolonged():
    current = held((100, None), (3, None))
    [action] = plan(current, *FULL, waiting=2)

    shortened = ledger.shorten_holds(current, [*action.ips, "10.0.1.11", "10.9.9.9"], action.until).ledger

    assert shortened.addresses["10.0.1.10"].state.until == NOW + pool.GRACE
    assert shortened.addresses["10.0.1.11"].state.until == NOW + 3


def test_holds_of_a_pod_that_does_not_come_back_end_and_those_for_its_name_do_not():
    current = held((100, None), (100, True))
    ended = ledger.end_holds(current, attachment("eni-1-0").pod, 30.0, NOW).ledger
    kept = ledger.end_holds(current, attachment("eni-1-1").pod, 30.0, NOW).ledger

    assert isinstance(ended.addresses["10.0.1.10"].state, states.Cooling)
    assert kept == current


def test_one_eni_that_cannot_be_set_up_is_a_reason_for_another():
    assert plan(ledger_of(), eni(1, 9, broken=True)) == [pool.CreateEni(count=5)]


def test_two_enis_that_cannot_be_set_up_say_that_the_node_is_at_fault():
    assert plan(ledger_of(), eni(1, 9, broken=True), eni(2, 9, broken=True)) == []


def test_an_eni_that_works_grows_beside_two_that_cannot_be_set_up():
    broken = (eni(1, 9, broken=True), eni(2, 9, broken=True))

    assert plan(ledger_of(warm=4, eni_id="eni-3"), *broken, eni(3, 4)) == [
        pool.AssignIps(eni_id="eni-3", count=1)
    ]


def test_so_many_addresses_as_are_desired_are_there_whether_used_or_not():
    targets = pool.Targets(min_warm=1, max_warm=1, desired=6)
    assert plan(ledger_of(warm=2, used=1), eni(held=3), targets=targets) == [
        pool.AssignIps(eni_id="eni-1", count=3)
    ]
    assert plan(ledger_of(warm=5, used=1), eni(held=6), targets=targets) == []


def test_of_more_than_is_desired_only_the_surplus_goes_back():
    targets = pool.Targets(min_warm=1, max_warm=1, desired=4, quick_release=True)
    [action] = plan(ledger_of(warm=6), eni(held=6), targets=targets)
    assert isinstance(action, pool.UnassignIps)
    assert len(action.ips) == 2


def test_a_node_that_is_allowed_less_than_its_enis_could_take_grows_no_further():
    """Limits of a configuration, which came after the ENIs."""
    few = model.EniLimits(enis=2, ips_per_eni=4)
    facts = pool.PoolFacts(
        ledger=ledger_of(used=2), enis=(eni(1, 2), eni(2, 0)), limits=few, targets=pool.Targets()
    )
    assert pool.plan(facts, NOW) == [pool.AssignIps(eni_id="eni-1", count=1)]
    assert pool.open_room(facts) == 1
    assert pool.open_room(replace(facts, limits=replace(few, enis=1))) == 0
