"""An address of a VpcIPClaim: recorded before it is asked for, for its claim's Pods only, never warm."""

from dataclasses import replace

import pytest

from ipamd.core import model
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger import (
    acquisition,
    cloud_listing,
    eip_records,
    fixed_addresses,
    ledger,
    restart,
    states,
)
from ipamd.core.ledger.holds import HoldTimes, decide
from ipamd.core.tags import address_description
from tests.testkit.pods import pod_ref

NOW = 1000.0
IP, ENI, UID = "10.0.1.50", "eni-1", "claim-1"
POD, NEXT = pod_ref("web-0", "u1"), pod_ref("web-0", "u2")
HOLD = fixed_addresses.FixedHold(claim_uid=UID, pod=POD, until=NOW + 300)
EIP = states.Binding(eip_id="eip-1", public_ip="", stage=states.BindStage.BINDING, claim="default/web-0")


def asks(pod=POD, container="c1", fixed_ip: "str | None" = IP):
    key = model.SandboxKey(container_id=container, ifname="eth0")
    return acquisition.Attachment(key=key, pod=pod, fixed_ip=fixed_ip)


def begun():
    return fixed_addresses.begin_assign(ledger.Ledger(), IP, ENI, HOLD, NOW).ledger


def assigned():
    return fixed_addresses.confirm_assigned(begun(), IP, UID).ledger


def given(current, attachment):
    return acquisition.acquire(current, attachment, 30.0, NOW)


def running():
    return given(assigned(), asks()).ledger


def listed(current, *entries):
    eni = model.Eni(
        eni_id=ENI,
        mac="",
        vpc_id="",
        subnet_id="",
        primary=False,
        state=model.EniState.AVAILABLE,
        instance_id="ins-1",
        addresses=entries,
    )
    listing = cloud_listing.CloudListing(enis=(eni,), as_of=NOW + 1)
    return cloud_listing.observe(current, listing, NOW + 1).ledger


def entry(ip=IP, *, fixed=UID, state=model.IpState.AVAILABLE):
    description = address_description(fixed) if fixed else ""
    return model.EniAddress(ip=ip, primary=False, state=state, description=description)


def test_it_is_recorded_before_it_is_asked_for_and_given_to_nobody_until_it_is_listed():
    assert given(begun(), asks()).address is None
    assert given(assigned(), asks()).address.ip == IP


def test_a_listing_confirms_what_a_crash_has_left_unknown():
    current = listed(begun(), entry())

    assert given(current, asks()).address.ip == IP


def test_while_it_is_on_its_way_it_is_listed_and_of_no_use():
    current = listed(begun(), entry(state=model.IpState.PENDING))

    assert given(current, asks()).address is None


def test_one_that_is_refused_for_certain_leaves_nothing():
    assert fixed_addresses.abandon(begun(), IP, UID).ledger == ledger.Ledger()
    assert not fixed_addresses.abandon(running(), IP, UID)


def test_the_pod_of_a_claim_waits_for_its_address_and_takes_no_warm_one():
    current = ledger.adopt(ledger.Ledger(), ENI, ["10.0.1.10"], NOW).ledger

    assert given(current, asks()).address is None
    assert given(current, asks(fixed_ip="")).address is None


def test_a_pod_without_claim_never_gets_it():
    assert given(assigned(), asks(pod_ref("other"), fixed_ip=None)).address is None


def test_a_pod_of_the_name_that_wants_any_address_ends_the_hold():
    current = ledger.adopt(assigned(), ENI, ["10.0.1.10"], NOW).ledger

    transition = given(current, asks(NEXT, "c2", fixed_ip=None))

    assert transition.address.ip == "10.0.1.10"
    assert isinstance(transition.ledger.addresses[IP].state, states.Unassigning)


def test_a_later_pod_of_the_name_goes_on_with_it():
    held = ledger.release(running(), asks().key, hold_of(running()), 30.0, NOW).ledger

    assert given(held, asks(NEXT, "c2")).address.ip == IP


def hold_of(current, times=None):
    return decide(current.addresses[IP], None, times or HoldTimes(), NOW, cache_synced=True)


@pytest.mark.parametrize(
    ("times", "until"),
    [
        (HoldTimes(), NOW + 300),
        (HoldTimes(pod=20.0, retained=0.0), NOW + 20),
    ],
)
def test_it_is_held_by_name_when_its_sandbox_ends_whatever_the_watch_says(times, until):
    assert hold_of(running(), times) == ledger.AddressHold(until=until, by_name=True)


def test_where_nothing_is_held_it_is_let_go_at_once():
    assert hold_of(running(), HoldTimes(pod=0.0, retained=0.0)) is None


def test_time_alone_does_not_end_its_hold_and_never_makes_it_warm():
    held = ledger.release(running(), asks().key, hold_of(running()), 30.0, NOW).ledger

    assert not ledger.expire(held, 30.0, NOW + 10_000)
    gone = fixed_addresses.let_go(held, held.addresses[IP], NOW).ledger
    assert isinstance(gone.addresses[IP].state, states.Unassigning)
    assert not ledger.expire(gone, 30.0, NOW + 10_000)
    assert ledger.forget(gone, [IP]).ledger == ledger.Ledger()


def test_a_pod_that_has_it_keeps_it():
    held = ledger.release(running(), asks().key, hold_of(running()), 30.0, NOW).ledger
    taken = given(held, asks(NEXT, "c2")).ledger

    assert not fixed_addresses.let_go(taken, held.addresses[IP], NOW)


def test_its_eip_is_unbound_before_it_goes_back():
    bound = eip_records.begin_bind(assigned(), IP, EIP).ledger
    leaving = fixed_addresses.let_go(bound, bound.addresses[IP], NOW).ledger

    assert isinstance(leaving.addresses[IP].state, states.Unbinding)
    loose = eip_records.confirm_unbound(leaving, IP, EIP.eip_id, 30.0, NOW).ledger
    assert isinstance(loose.addresses[IP].state, states.Unassigning)


def test_an_address_that_is_somebody_elses_here_is_waited_for():
    warm = ledger.adopt(ledger.Ledger(), ENI, [IP], NOW).ledger

    with pytest.raises(TryAgainError, match=f"{IP} is at this node for somebody else"):
        fixed_addresses.begin_assign(warm, IP, ENI, HOLD, NOW)


def test_no_move_makes_it_warm():
    with pytest.raises(states.IllegalMoveError):
        states.moved(
            replace(assigned().addresses[IP], state=states.Cooling(until=NOW)), states.Warm(since=NOW)
        )
    with pytest.raises(states.IllegalMoveError):
        states.check(states.Address(ip=IP, eni_id=ENI, state=states.Warm(since=NOW), added_at=NOW, fixed=UID))


def test_after_a_lost_store_its_description_keeps_it_from_every_other_pod():
    found = listed(ledger.Ledger(), entry(), entry("10.0.1.10", fixed=""))

    assert [a.ip for a in found.available] == ["10.0.1.10"]
    assert found.addresses[IP].fixed == UID


def test_after_a_lost_store_it_waits_for_its_claim_and_then_goes_back():
    found = listed(ledger.Ledger(), entry())

    claimed = fixed_addresses.reclaim(found, IP, HOLD, NOW + 2).ledger
    assert given(claimed, asks()).address.ip == IP
    unclaimed = ledger.expire(found, 30.0, NOW + 1 + cloud_listing.FOUND_SECONDS).ledger
    assert isinstance(unclaimed.addresses[IP].state, states.Unassigning)


def test_after_a_lost_store_its_owner_is_the_sandbox_that_the_kernel_shows():
    owner = running().addresses[IP].state
    eni = model.Eni(
        eni_id=ENI,
        mac="",
        vpc_id="",
        subnet_id="",
        primary=False,
        state=model.EniState.AVAILABLE,
        instance_id="ins-1",
        addresses=(entry(),),
    )

    listing = cloud_listing.CloudListing(enis=(eni,), as_of=NOW)
    found = cloud_listing.observe(ledger.Ledger(), listing, NOW, {IP: owner}).ledger

    assert found.addresses[IP].state == owner
    assert found.addresses[IP].fixed == UID


def test_a_store_without_its_mark_learns_it_from_the_cloud():
    """So it is after a release that does not know fixed addresses."""
    warm = ledger.adopt(ledger.Ledger(), ENI, [IP], NOW).ledger

    assert listed(warm, entry()).available == []


def test_one_that_came_in_as_warm_is_taken_back_for_its_claim_and_not_from_a_pod():
    warm = ledger.adopt(ledger.Ledger(), ENI, [IP], NOW).ledger
    used = given(warm, asks(pod_ref("other"), fixed_ip=None)).ledger

    assert given(fixed_addresses.reclaim(warm, IP, HOLD, NOW).ledger, asks()).address.ip == IP
    assert not fixed_addresses.reclaim(used, IP, HOLD, NOW)


def test_a_reboot_holds_it_for_its_name():
    spans = restart.Spans(hold=120.0, cooldown=30.0)
    after = restart.rebooted(running(), spans, 10.0).ledger

    assert after.addresses[IP].state.by_name
    assert given(after, asks(NEXT, "c2")).address.ip == IP


def test_what_the_cloud_does_not_list_is_kept_as_long_as_a_pod_has_it():
    after = listed(running())

    assert after.addresses[IP].quarantined
    assert given(after, asks(container="c2")).address is None
    assert not ledger.expire(after, 30.0, NOW + 10_000)


def test_two_addresses_of_a_claim_are_a_violation():
    second = fixed_addresses.begin_assign(running(), "10.0.1.51", ENI, HOLD, NOW).ledger

    assert ledger.violations(second) == [f"VpcIPClaim {UID} is at 2 addresses"]


def test_the_pool_plans_without_it():
    current = ledger.adopt(running(), ENI, ["10.0.1.10"], NOW).ledger

    assert set(current.pooled.addresses) == {"10.0.1.10"}
    assert set(current.shared.addresses) == {"10.0.1.10", IP}
