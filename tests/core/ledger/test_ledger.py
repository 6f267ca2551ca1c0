"""Ownership of addresses: what a runtime may do to us, in the order in which it may do it."""

from dataclasses import replace

import pytest

from ipamd.core import model, names
from ipamd.core.ledger import acquisition, eip_records, ledger, states
from tests.testkit.pods import pod_ref

NOW = 1000.0
COOLDOWN = 30.0


def key(container="c1", ifname="eth0"):
    return model.SandboxKey(container_id=container, ifname=ifname)


def asks(container="c1", *, name="web-0", uid="u1", eip_id="", ifname="eth0"):
    return acquisition.Attachment(key=key(container, ifname), pod=pod_ref(name, uid), eip_id=eip_id)


def binding(eip_id="eip-1", *, retained=False):
    return states.Binding(
        eip_id=eip_id, public_ip="198.18.0.1", stage=states.BindStage.BINDING, retained=retained
    )


def warm_pool(count=3):
    ips = [f"10.0.1.{n + 10}" for n in range(count)]
    return ledger.adopt(ledger.Ledger(), "eni-1", ips, NOW).ledger


def acquired(current, attachment, now=NOW):
    transition = acquisition.acquire(current, attachment, COOLDOWN, now)
    assert transition.address is not None
    assert transition.address.state.key == attachment.key
    return transition.ledger, transition.address.ip


def taken_over(current, attachment, now=NOW):
    used = acquisition.acquire(current, attachment, COOLDOWN, now)
    assert not used, "an address that another sandbox uses is only named"
    assert used.address is not None
    transition = acquisition.take_over(current, used.address, attachment, COOLDOWN, now)
    return transition.ledger, transition.address.ip


def with_bound_eip(current, ip, *, retained=False):
    current = eip_records.begin_bind(current, ip, binding(retained=retained)).ledger
    return eip_records.confirm_bound(current, ip, "eip-1").ledger


def test_add_twice_gives_the_same_address_and_nothing_to_persist():
    current, ip = acquired(warm_pool(), asks())

    again = acquisition.acquire(current, asks(), COOLDOWN, NOW + 1)

    assert again.address.ip == ip
    assert not again


def test_two_pods_never_share_an_address():
    current, first = acquired(warm_pool(), asks("c1"))
    current, second = acquired(current, asks("c2", name="web-1", uid="u2"))

    assert first != second
    assert ledger.violations(current) == []


def test_dry_pool_gives_no_address():
    current, _ = acquired(warm_pool(1), asks("c1"))

    assert acquisition.acquire(current, asks("c2", name="web-1", uid="u2"), COOLDOWN, NOW).address is None


def test_address_that_was_idle_longest_is_given_first():
    current = ledger.adopt(warm_pool(2), "eni-1", ["10.0.1.5"], NOW + 10).ledger

    _, ip = acquired(current, asks())

    assert ip == "10.0.1.10"


def test_del_of_another_container_frees_nothing():
    current, _ = acquired(warm_pool(), asks("c1"))

    assert not ledger.release(current, key("c0"), None, COOLDOWN, NOW)


def test_freed_address_cools_before_it_is_given_again():
    current, ip = acquired(warm_pool(1), asks("c1"))
    current = ledger.release(current, key("c1"), None, COOLDOWN, NOW).ledger
    other = asks("c2", name="web-1", uid="u2")

    assert acquisition.acquire(current, other, COOLDOWN, NOW).address is None
    assert ledger.next_expiry(current) == NOW + COOLDOWN
    current = ledger.expire(current, COOLDOWN, NOW + COOLDOWN - 0.1).ledger
    assert acquisition.acquire(current, other, COOLDOWN, NOW).address is None
    current = ledger.expire(current, COOLDOWN, NOW + COOLDOWN).ledger
    assert acquisition.acquire(current, other, COOLDOWN, NOW).address.ip == ip


def test_freed_address_with_an_eip_waits_for_the_unbind_to_be_confirmed():
    current, ip = acquired(warm_pool(1), asks())
    current = with_bound_eip(current, ip)
    current = ledger.release(current, key(), None, COOLDOWN, NOW).ledger

    assert isinstance(current.addresses[ip].state, states.Unbinding)
    assert not ledger.expire(current, COOLDOWN, NOW + 10**6)
    current = eip_records.begin_unbind(current, ip, "eip-1").ledger
    current = eip_records.confirm_unbound(current, ip, "eip-1", COOLDOWN, NOW + 50).ledger
    assert current.addresses[ip].state == states.Cooling(until=NOW + 50 + COOLDOWN)
    assert current.addresses[ip].eip is None


def test_new_sandbox_before_the_old_ones_del_takes_the_address_over():
    current, ip = acquired(warm_pool(), asks("old"))
    current = with_bound_eip(current, ip)

    current, taken = taken_over(current, asks("new"))

    assert taken == ip
    assert current.addresses[ip].eip.stage is states.BindStage.BOUND
    assert not ledger.release(current, key("old"), None, COOLDOWN, NOW)
    assert current.owned_by(key("new")).ip == ip


def test_take_over_that_came_too_late_changes_nothing():
    current, _ = acquired(warm_pool(), asks("old"))
    seen = acquisition.acquire(current, asks("second"), COOLDOWN, NOW).address
    assert seen is not None
    current, _ = taken_over(current, asks("first"))

    late = acquisition.take_over(current, seen, asks("second"), COOLDOWN, NOW)

    assert not late
    assert late.address is None


def test_take_over_that_is_undone_leaves_the_older_sandbox_as_it_was():
    before, ip = acquired(warm_pool(), asks("old"))
    current, _ = taken_over(before, asks("new"))

    current = acquisition.give_back(current, ip, key("new"), before.addresses[ip].state).ledger

    assert current.addresses == before.addresses
    assert not acquisition.give_back(current, ip, key("new"), before.addresses[ip].state)


def test_sandbox_that_was_wired_after_an_add_began_is_the_newer_one():
    current, ip = acquired(warm_pool(), asks("c2"), NOW)

    def newer(attachment, began):
        return acquisition.overtaken_by(current, attachment, began)

    assert newer(asks("c1"), NOW - 1).ip == ip
    assert newer(asks("c1", uid="u0"), NOW - 1).ip == ip, "an earlier Pod of the name"
    assert newer(asks("c1"), NOW + 1) is None
    assert newer(asks("c2"), NOW - 1) is None, "the sandbox itself"
    assert newer(asks("c1", name="web-1"), NOW - 1) is None


def test_address_of_an_unknown_occupant_is_taken_over_and_not_just_given():
    occupied = states.Occupied(
        host_interface="eni0123456789a", host_mac="0a:e2:01:02:03:04", pod=pod_ref(), since=NOW
    )
    current = warm_pool(1)
    current = current.changed(replace(current.addresses["10.0.1.10"], state=occupied)).ledger

    current, ip = taken_over(current, asks("new"))
    undone = acquisition.give_back(current, ip, key("new"), occupied).ledger

    assert current.owned_by(key("new")).ip == ip
    assert undone.addresses[ip].state == occupied


def test_held_address_and_its_eip_wait_for_the_pods_next_sandbox():
    current, ip = acquired(warm_pool(), asks("old"))
    current = with_bound_eip(current, ip)
    current = ledger.release(
        current, key("old"), ledger.AddressHold(until=NOW + 120, by_name=False), COOLDOWN, NOW
    ).ledger
    current = ledger.expire(current, COOLDOWN, NOW + 119).ledger

    current, resumed = acquired(current, asks("new", eip_id="eip-1"), NOW + 119)

    assert resumed == ip
    assert current.addresses[ip].eip.stage is states.BindStage.BOUND


def test_hold_that_runs_out_lets_the_eip_go_before_the_address():
    current, ip = acquired(warm_pool(), asks())
    current = with_bound_eip(current, ip)
    current = ledger.release(
        current, key(), ledger.AddressHold(until=NOW + 120, by_name=False), COOLDOWN, NOW
    ).ledger

    current = ledger.expire(current, COOLDOWN, NOW + 120).ledger

    assert isinstance(current.addresses[ip].state, states.Unbinding)


def test_second_del_ends_the_hold_when_the_pod_is_not_wanted_any_more():
    current, ip = acquired(warm_pool(), asks())
    hold = ledger.AddressHold(until=NOW + 120, by_name=False)
    current = ledger.release(current, key(), hold, COOLDOWN, NOW).ledger

    assert not ledger.release(current, key(), hold, COOLDOWN, NOW)
    current = ledger.release(current, key(), None, COOLDOWN, NOW).ledger
    assert isinstance(current.addresses[ip].state, states.Cooling)


def test_later_pod_of_the_name_gets_a_retained_address_and_no_other():
    current, ip = acquired(warm_pool(), asks("old", uid="u1"))
    current = with_bound_eip(current, ip, retained=True)
    kept = ledger.release(
        current, key("old"), ledger.AddressHold(until=NOW + 120, by_name=True), COOLDOWN, NOW
    ).ledger
    current, resumed = acquired(kept, asks("new", uid="u2", eip_id="eip-1"))

    assert resumed == ip
    assert current.addresses[ip].state.pod == pod_ref(uid="u2")

    _, other = acquired(kept, asks("x", name="web-1", uid="u3"))
    assert other != ip


def test_later_pod_of_the_name_without_retention_ends_the_old_pods_hold():
    current, ip = acquired(warm_pool(), asks("old", uid="u1"))
    hold = ledger.AddressHold(until=NOW + 120, by_name=False)
    current = ledger.release(current, key("old"), hold, COOLDOWN, NOW).ledger

    current, fresh = acquired(current, asks("new", uid="u2"))

    assert fresh != ip
    assert isinstance(current.addresses[ip].state, states.Cooling)


def test_older_pod_of_the_name_keeps_what_it_has_until_its_own_del():
    current, old = acquired(warm_pool(), asks("old", uid="u1"))

    current, new = acquired(current, asks("new", uid="u2"))

    assert old != new
    assert acquisition.superseded(current, asks("new", uid="u2")) == []
    assert current.owned_by(key("old")).ip == old
    assert ledger.violations(current) == []


def test_pods_own_address_goes_before_one_that_is_held_for_its_name():
    current, former = acquired(warm_pool(), asks("old"))
    current, own = acquired(current, asks("first", uid="u2"))
    by_name = ledger.AddressHold(until=NOW + 100, by_name=True)
    current = ledger.release(current, key("old"), by_name, COOLDOWN, NOW).ledger

    _, resumed = taken_over(current, asks("second", uid="u2"))

    assert resumed == own != former


def test_sandbox_whose_address_is_lost_is_superseded_by_the_pods_next_one():
    current, lost = acquired(warm_pool(), asks("old"))
    current = current.changed(replace(current.addresses[lost], missing_since=NOW)).ledger

    current, fresh = acquired(current, asks("new"))

    assert fresh != lost
    assert [a.ip for a in acquisition.superseded(current, asks("new"))] == [lost]
    assert ledger.violations(current) == []


def test_another_interface_of_a_pod_or_a_container_is_found():
    current, ip = acquired(warm_pool(), asks("c1"))

    assert acquisition.other_interface(current, asks("c1", ifname="net1")).ip == ip
    assert acquisition.other_interface(current, asks("c1", uid="u2", ifname="net1")).ip == ip
    assert acquisition.other_interface(current, asks("c2", ifname="net1")).ip == ip
    assert acquisition.other_interface(current, asks("c2")) is None
    assert acquisition.other_interface(current, asks("c2", uid="u2", ifname="net1")) is None


def test_each_sandbox_of_a_pod_has_a_link_of_its_own():
    old, new = asks("old").assigned(NOW), asks("new").assigned(NOW)

    assert old.host_interface == names.host_veth("old", "eth0")
    assert old.host_interface != new.host_interface


def test_namespace_that_took_the_place_of_one_that_is_gone_is_recorded():
    current, ip = acquired(warm_pool(), asks())

    entered = acquisition.enter(current, key(), "/run/netns/second").ledger

    assert entered.addresses[ip].state.netns == "/run/netns/second"
    assert not acquisition.enter(entered, key(), "/run/netns/second")
    assert not acquisition.enter(entered, key("other"), "/run/netns/third")


@pytest.mark.parametrize(
    ("awaits", "stage", "is_eip_pod"),
    [
        (True, None, True),
        (True, "binding", True),
        (True, "bound", True),
        (True, "unbinding", False),
        (False, None, False),
        (False, "binding", False),
        (False, "bound", True),
        (False, "unbinding", False),
    ],
)
def test_pod_counts_as_one_with_eip_when_it_has_it_or_its_add_waits_for_it(awaits, stage, is_eip_pod):
    eip = None if stage is None else replace(binding(), stage=states.BindStage(stage))
    state = replace(asks(), awaits_eip=awaits).assigned(NOW)
    address = states.Address(ip="10.0.1.1", eni_id="eni-1", state=state, added_at=NOW, eip=eip)

    assert address.is_eip_pod is is_eip_pod


def test_pod_that_lost_its_eip_counts_as_one_without_until_another_is_bound():
    attachment = replace(asks(), awaits_eip=True)
    current, ip = acquired(warm_pool(), attachment)
    current = with_bound_eip(current, ip)

    current = eip_records.begin_unbind(current, ip, "eip-1").ledger
    assert not current.addresses[ip].is_eip_pod
    current = eip_records.confirm_unbound(current, ip, "eip-1", COOLDOWN, NOW).ledger
    assert not current.addresses[ip].is_eip_pod
    current = eip_records.begin_bind(current, ip, binding()).ledger
    assert not current.addresses[ip].is_eip_pod
    current = eip_records.confirm_bound(current, ip, "eip-1").ledger
    assert current.addresses[ip].is_eip_pod


def test_quarantined_address_is_neither_given_nor_resumed():
    current, ip = acquired(warm_pool(2), asks("old"))
    held = ledger.release(
        current, key("old"), ledger.AddressHold(until=NOW + 120, by_name=False), COOLDOWN, NOW
    ).ledger
    quarantined = held.changed(replace(held.addresses[ip], missing_since=NOW)).ledger

    current, other = acquired(quarantined, asks("new"))

    assert other != ip
    assert ledger.violations(current) == []
    lonely = ledger.adopt(ledger.Ledger(), "eni-1", [ip], NOW).ledger
    lonely = lonely.changed(replace(lonely.addresses[ip], missing_since=NOW)).ledger
    assert acquisition.acquire(lonely, asks("new"), COOLDOWN, NOW).address is None


def test_same_sandbox_that_cannot_resume_its_held_address_leaves_none_behind():
    current, ip = acquired(warm_pool(2), asks("c1"))
    current = ledger.release(
        current, key("c1"), ledger.AddressHold(until=NOW + 120, by_name=False), COOLDOWN, NOW
    ).ledger
    current = current.changed(replace(current.addresses[ip], missing_since=NOW)).ledger

    current, other = acquired(current, asks("c1"))

    assert other != ip
    assert ledger.violations(current) == []


def test_retired_address_is_not_given_and_comes_back_only_by_being_reinstated():
    current = ledger.retire(warm_pool(1), ["10.0.1.10"], NOW).ledger

    assert acquisition.acquire(current, asks(), COOLDOWN, NOW).address is None
    assert not ledger.expire(current, COOLDOWN, NOW + 10**6)
    current = ledger.reinstate(current, ["10.0.1.10", "10.9.9.9"], NOW).ledger
    assert acquisition.acquire(current, asks(), COOLDOWN, NOW).address.ip == "10.0.1.10"


def test_address_with_an_owner_cannot_be_forgotten():
    current, ip = acquired(warm_pool(1), asks())

    with pytest.raises(states.IllegalMoveError, match="forgotten"):
        ledger.forget(current, [ip])


def test_retiring_skips_an_address_that_was_given_away_meanwhile():
    current, ip = acquired(warm_pool(1), asks())

    assert not ledger.retire(current, [ip], NOW)


def test_an_eip_is_never_recorded_at_two_addresses():
    current, first = acquired(warm_pool(), asks("c1"))
    current = with_bound_eip(current, first)
    current, second = acquired(current, asks("c2", name="web-1", uid="u2"))

    with pytest.raises(states.IllegalMoveError, match="eip-1"):
        eip_records.begin_bind(current, second, binding())


def test_an_eip_on_its_way_out_is_not_bound_again_before_it_is_out():
    current, ip = acquired(warm_pool(), asks())
    current = eip_records.begin_unbind(with_bound_eip(current, ip), ip, "eip-1").ledger

    with pytest.raises(states.IllegalMoveError):
        eip_records.begin_bind(current, ip, binding())
    assert eip_records.confirm_bound(current, ip, "eip-1").address.eip.stage is states.BindStage.UNBINDING


def test_confirmations_about_another_eip_change_nothing():
    current, ip = acquired(warm_pool(), asks())
    current = with_bound_eip(current, ip)

    assert not eip_records.confirm_unbound(current, ip, "eip-2", COOLDOWN, NOW)
    assert not eip_records.begin_unbind(current, ip, "eip-2")
    assert not eip_records.confirm_bound(current, "10.9.9.9", "eip-1")


def test_binding_again_refreshes_the_claim_and_keeps_the_stage():
    current, ip = acquired(warm_pool(), asks())
    current = with_bound_eip(current, ip)

    refreshed = eip_records.begin_bind(current, ip, binding(retained=True)).address

    assert refreshed.eip.retained
    assert refreshed.eip.stage is states.BindStage.BOUND


def test_stored_nonsense_is_refused():
    broken = states.Address(
        ip="10.0.1.1", eni_id="eni-1", state=states.Warm(since=NOW), added_at=NOW, eip=binding()
    )

    with pytest.raises(states.IllegalMoveError):
        ledger.Ledger.of([broken])
