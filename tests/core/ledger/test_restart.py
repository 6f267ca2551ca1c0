"""What a start makes of stored times, whatever clock they are of, and of a reboot."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ipamd.core import model
from ipamd.core.ledger import acquisition, eip_records, ledger, restart, states
from ipamd.core.ledger.cloud_listing import FOUND_SECONDS
from ipamd.core.timing.boottime import BOOT
from tests.random_addresses import any_address

NOW = 1000.0
SPANS = restart.Spans(hold=120.0, cooldown=30.0)
KEY = model.SandboxKey(container_id="c1", ifname="eth0")
POD = model.PodRef(namespace="default", name="web-0", uid="u1")
IP = "10.0.1.10"
HOUR = 3600.0


def owned(*, eip_id="", retained=False):
    current = ledger.adopt(ledger.Ledger(), "eni-1", [IP], NOW - 100).ledger
    current = acquisition.acquire(current, acquisition.Attachment(key=KEY, pod=POD), 30.0, NOW - 100).ledger
    if eip_id:
        stage = states.BindStage.BINDING
        binding = states.Binding(eip_id=eip_id, public_ip="", stage=stage, retained=retained)
        current = eip_records.begin_bind(current, IP, binding).ledger
        current = eip_records.confirm_bound(current, IP, eip_id).ledger
    return current


def one(state, **fields):
    return ledger.Ledger.of([states.Address(ip=IP, eni_id="eni-1", state=state, added_at=NOW, **fields)])


def timeless(address):
    """The address without anything that a clock has said."""
    state = address.state
    of_time = {"until": 0.0} if isinstance(state, states.Held | states.Cooling) else {"since": 0.0}
    missing = None if address.missing_since is None else 0.0
    return replace(address, state=replace(state, **of_time), added_at=0.0, missing_since=missing)


@given(address=any_address, rebooted=st.booleans())
def test_whatever_was_stored_keeps_no_address_from_pods_for_longer_than_the_settings(address, rebooted):
    take_over = restart.rebooted if rebooted else restart.restarted

    after = take_over(ledger.Ledger.of([address]), SPANS, NOW).ledger

    found = after.addresses[address.ip]
    due = ledger.next_expiry(after)
    cooling = FOUND_SECONDS if found.fixed else SPANS.cooldown
    assert due is None or due <= NOW + (SPANS.hold if isinstance(found.state, states.Held) else cooling)
    assert BOOT <= found.added_at <= NOW
    assert found.missing_since is None or BOOT <= found.missing_since <= NOW
    assert BOOT <= getattr(found.state, "since", NOW) <= NOW


@given(address=any_address)
def test_a_start_in_the_same_boot_changes_nothing_but_times_that_cannot_be(address):
    current = restart.restarted(ledger.Ledger.of([address]), SPANS, NOW).ledger

    assert timeless(current.addresses[address.ip]) == timeless(address)
    assert not restart.restarted(current, SPANS, NOW)


@pytest.mark.parametrize(
    "state",
    [
        states.Warm(since=NOW - 10),
        states.Assigned(
            key=KEY, pod=POD, since=NOW - 10, host_interface="eni0", host_mac="0a:e2:01:02:03:04"
        ),
        states.Held(key=KEY, pod=POD, until=NOW + 100, by_name=True),
        states.Held(key=KEY, pod=POD, until=NOW - 1, by_name=False),
        states.Cooling(until=NOW + 29),
    ],
)
def test_times_of_this_boot_are_true_after_a_restart(state):
    assert not restart.restarted(one(state, missing_since=NOW - 5), SPANS, NOW)


def test_a_hold_or_cool_down_that_would_last_for_hours_is_cut_to_its_setting():
    held = states.Held(key=KEY, pod=POD, until=NOW + HOUR, by_name=True)
    assert restart.restarted(one(held), SPANS, NOW).address.state.until == NOW + 120
    cooling = states.Cooling(until=NOW + HOUR)
    assert restart.restarted(one(cooling), SPANS, NOW).address.state.until == NOW + 30


@pytest.mark.parametrize("take_over", [restart.restarted, restart.rebooted])
def test_a_fixed_address_that_was_found_goes_on_waiting_for_its_claim_s_word(take_over):
    waiting = states.Cooling(until=NOW + FOUND_SECONDS)

    after = take_over(one(waiting, fixed="claim-1"), SPANS, NOW).ledger

    assert after.addresses[IP].state == waiting


def test_what_lies_in_the_future_happened_just_now():
    sandbox = states.Assigned(
        key=KEY, pod=POD, since=NOW + HOUR, host_interface="eni0", host_mac="0a:e2:01:02:03:04"
    )

    address = restart.restarted(one(sandbox, missing_since=NOW + HOUR), SPANS, NOW).address

    assert (address.state.since, address.missing_since) == (NOW, NOW)


def test_a_reboot_begins_cool_downs_and_quarantines_again_as_nobody_knows_how_long_it_took():
    earlier = 900_000.0  # that boot had lasted for days
    cooling = one(states.Cooling(until=earlier), missing_since=earlier)

    address = restart.rebooted(cooling, SPANS, NOW).address

    assert address.state.until == NOW + 30
    assert address.missing_since == NOW


def test_a_hold_of_before_a_reboot_begins_again():
    held = states.Held(key=KEY, pod=POD, until=5.0, by_name=True)

    assert restart.rebooted(one(held), SPANS, NOW).address.state == replace(held, until=NOW + 120)


def test_reboot_holds_each_address_for_its_pod():
    current = restart.rebooted(owned(eip_id="eip-1"), SPANS, NOW).ledger

    assert current.owned_by(KEY) is None
    new = model.SandboxKey(container_id="c2", ifname="eth0")
    resumed = acquisition.acquire(current, acquisition.Attachment(key=new, pod=POD), 30.0, NOW).address
    assert resumed.ip == IP
    assert resumed.eip.stage is states.BindStage.BOUND


def test_reboot_lets_go_of_addresses_whose_occupant_was_never_known():
    occupant = states.Occupied(
        host_interface="eni0123456789a", host_mac="0a:e2:01:02:03:04", pod=None, since=NOW - 10
    )

    assert isinstance(restart.rebooted(one(occupant), SPANS, NOW).address.state, states.Cooling)
