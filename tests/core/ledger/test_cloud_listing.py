"""What listings, reboots and lost stores may and may not change."""

from dataclasses import replace

import pytest

from ipamd.core import model
from ipamd.core.ledger import acquisition, cloud_listing, eip_records, fixed_addresses, ledger, states
from ipamd.core.ledger.fixed_addresses import FixedHold

NOW = 1000.0
KEY = model.SandboxKey(container_id="c1", ifname="eth0")
POD = model.PodRef(namespace="default", name="web-0", uid="u1")
IP = "10.0.1.10"


def listing(*entries, as_of=NOW, eni_id="eni-1", loose=()):
    eni = model.Eni(
        eni_id=eni_id,
        mac="52:54:00:00:00:01",
        vpc_id="vpc-1",
        subnet_id="subnet-1",
        primary=False,
        state=model.EniState.AVAILABLE,
        instance_id="ins-1",
        addresses=(entry("10.0.1.2", primary=True), *entries),
    )
    return cloud_listing.CloudListing(enis=(eni,), as_of=as_of, loose=frozenset(loose))


def entry(ip=IP, *, primary=False, state=model.IpState.AVAILABLE, eip_id=""):
    return model.EniAddress(ip=ip, primary=primary, state=state, eip_id=eip_id, public_ip="")


def assigned(*, eip_id="", retained=False, eni_id="eni-1"):
    current = ledger.adopt(ledger.Ledger(), eni_id, [IP], NOW - 100).ledger
    current = acquisition.acquire(current, acquisition.Attachment(key=KEY, pod=POD), 30.0, NOW - 100).ledger
    if eip_id:
        binding = states.Binding(
            eip_id=eip_id, public_ip="", stage=states.BindStage.BINDING, retained=retained
        )
        current = eip_records.begin_bind(current, IP, binding).ledger
        current = eip_records.confirm_bound(current, IP, eip_id).ledger
    return current


def observed(current, listed, now=NOW, wired=None):
    return cloud_listing.observe(current, listed, now, wired).ledger


def test_available_secondary_addresses_come_in_warm_and_the_primary_never_does():
    seen = listing(entry(), entry("10.0.1.11", state=model.IpState.PENDING))

    current = observed(ledger.Ledger(), seen)

    assert set(current.addresses) == {IP}
    assert current.addresses[IP].state == states.Warm(since=NOW)


def test_of_an_exclusive_eni_the_primary_address_comes_in_and_stands_for_it():
    (eni,) = listing(entry(), eni_id="eni-9").enis

    current = observed(ledger.Ledger(), cloud_listing.CloudListing(enis=(), exclusive=(eni,), as_of=NOW))

    assert set(current.addresses) == {"10.0.1.2"}
    assert [(a.ip, a.eni_id) for a in current.available_enis] == [("10.0.1.2", "eni-9")]
    assert current.available == []
    assert current.shared.addresses == {}
    assert current.exclusive is current


def test_unknown_address_with_an_eip_is_kept_out_of_the_pool():
    current = observed(ledger.Ledger(), listing(entry(eip_id="eip-9")))

    assert isinstance(current.addresses[IP].state, states.Unbinding)
    assert current.addresses[IP].eip.eip_id == "eip-9"
    assert current.available == []


def test_warm_address_that_turns_out_to_carry_an_eip_leaves_the_pool():
    current = ledger.adopt(ledger.Ledger(), "eni-1", [IP], NOW - 100).ledger

    current = observed(current, listing(entry(eip_id="eip-9")))

    assert isinstance(current.addresses[IP].state, states.Unbinding)


def test_owner_that_is_not_listed_is_quarantined_and_never_dropped():
    current = observed(assigned(), listing())
    assert current.addresses[IP].quarantined

    current = observed(current, listing(as_of=NOW + 10**6), now=NOW + 10**6)

    assert current.owned_by(KEY).ip == IP
    current = observed(current, listing(entry(), as_of=NOW + 10**6), now=NOW + 10**6)
    assert not current.addresses[IP].quarantined


def test_free_address_that_stays_away_is_forgotten_only_after_a_while():
    current = ledger.adopt(ledger.Ledger(), "eni-1", [IP], NOW - 100).ledger
    current = observed(current, listing())
    assert current.available == []

    soon = NOW + cloud_listing.FORGET_AFTER - 1
    assert IP in observed(current, listing(as_of=soon), now=soon).addresses
    late = NOW + cloud_listing.FORGET_AFTER
    assert IP not in observed(current, listing(as_of=late), now=late).addresses


def test_listing_asked_for_before_the_address_was_assigned_proves_nothing():
    current = ledger.adopt(ledger.Ledger(), "eni-1", [IP], NOW).ledger

    assert observed(current, listing(as_of=NOW - 1)) == current


def test_listing_from_before_an_address_was_asked_for_does_not_show_it_here():
    hold = FixedHold(claim_uid="claim-1", pod=POD, until=NOW + 60)
    current = fixed_addresses.begin_assign(ledger.Ledger(), IP, "eni-1", hold, NOW).ledger

    assert observed(current, listing(entry(), as_of=NOW - 1), NOW + 1).addresses[IP].quarantined
    assert not observed(current, listing(entry(), as_of=NOW + 1), NOW + 1).addresses[IP].quarantined


@pytest.mark.parametrize("listed", [(), (entry(),)], ids=["away", "here"])
@pytest.mark.parametrize("known", [True, False])
def test_of_an_address_that_has_left_of_late_a_listing_says_nothing(listed, known):
    current = assigned() if known else ledger.Ledger()
    for left in (cloud_listing.place("eni-1", IP), "eni-1"):
        doubting = replace(listing(*listed), doubted=frozenset([left]))

        assert observed(current, doubting) == current


def test_an_address_that_has_left_one_eni_is_taken_in_at_another():
    """A cloud gives the address that came free last to the ENI that is made next."""
    doubting = replace(listing(entry()), doubted=frozenset(["eni-0", cloud_listing.place("eni-0", IP)]))

    assert [a.ip for a in observed(ledger.Ledger(), doubting).available] == [IP]


def test_eip_that_was_unbound_from_outside_is_to_be_bound_again():
    current = assigned(eip_id="eip-1")
    seen = listing(entry(), loose=["eip-1"])

    assert set(cloud_listing.doubtful(current, seen.enis)) == {"eip-1"}
    assert observed(current, seen).addresses[IP].eip.stage is states.BindStage.BINDING


def test_a_listing_that_lags_behind_a_bind_unbinds_nothing():
    """The EIP is looked at by its id; only what that shows to be loose is bound again."""
    current = assigned(eip_id="eip-1")

    assert observed(current, listing(entry())) == current


def test_an_eip_that_was_bound_after_the_question_is_not_doubted():
    asked = assigned(eip_id="eip-1")
    asked = eip_records.begin_unbind(asked, IP, "eip-1").ledger

    assert cloud_listing.doubtful(asked, listing(entry()).enis) == {}
    assert cloud_listing.doubtful(assigned(), listing(entry()).enis) == {}
    assert cloud_listing.doubtful(assigned(eip_id="eip-1"), listing(entry(eip_id="eip-1")).enis) == {}


def test_an_address_that_is_not_listed_at_all_says_nothing_of_its_eip():
    assert cloud_listing.doubtful(assigned(eip_id="eip-1"), listing().enis) == {}


def test_listing_never_replaces_a_recorded_eip():
    current = observed(assigned(eip_id="eip-1"), listing(entry(eip_id="eip-2"), loose=["eip-1"]))

    assert current.addresses[IP].eip.eip_id == "eip-1"
    assert current.addresses[IP].eip.stage is states.BindStage.BINDING


def test_address_that_moved_to_another_eni_is_followed():
    current = observed(assigned(), listing(entry(), eni_id="eni-2"))

    assert current.owned_by(KEY).eni_id == "eni-2"


def test_retired_address_that_is_still_listed_stays_retired():
    current = ledger.adopt(ledger.Ledger(), "eni-1", [IP], NOW - 100).ledger
    current = ledger.retire(current, [IP], NOW - 50).ledger

    assert observed(current, listing(entry())) == current


def test_lost_store_finds_wired_addresses_occupied_and_gives_them_back_only_to_their_pod():
    occupant = states.Occupied(
        host_interface="eni0123456789a", host_mac="0a:e2:01:02:03:04", pod=POD, since=NOW
    )
    seen = listing(entry(eip_id="eip-1"), entry("10.0.1.11"))
    current = observed(ledger.Ledger(), seen, wired={IP: occupant})

    stranger = acquisition.Attachment(key=KEY, pod=model.PodRef(namespace="default", name="web-1", uid="u2"))
    assert acquisition.acquire(current, stranger, 30.0, NOW).address.ip == "10.0.1.11"
    own = acquisition.acquire(current, acquisition.Attachment(key=KEY, pod=POD), 30.0, NOW).address
    assert own.ip == IP
    assert own.eip.eip_id == "eip-1"


def test_detached_eni_puts_its_addresses_in_quarantine_at_once():
    current = cloud_listing.lost_eni(assigned(), ["eni-1"], NOW).ledger

    assert current.addresses[IP].quarantined
    assert not cloud_listing.lost_eni(current, ["eni-1", "eni-2"], NOW + 1)


def test_a_listing_that_was_overtaken_does_not_put_an_eip_at_two_addresses():
    current = ledger.adopt(assigned(eip_id="eip-1"), "eni-1", ["10.0.1.11"], NOW - 100).ledger

    seen = listing(entry(), entry("10.0.1.11", eip_id="eip-1"))
    current = observed(current, seen)

    assert set(cloud_listing.doubtful(current, seen.enis)) == {"eip-1"}
    assert current.addresses["10.0.1.11"].eip is None
    assert current.addresses[IP].eip.stage is states.BindStage.BOUND
    assert ledger.violations(current) == []


def test_an_eip_that_one_listing_has_twice_is_recorded_once():
    current = ledger.adopt(ledger.Ledger(), "eni-1", [IP, "10.0.1.11"], NOW - 100).ledger

    current = observed(current, listing(entry(eip_id="eip-1"), entry("10.0.1.11", eip_id="eip-1")))

    assert ledger.violations(current) == []
    assert [a.eip.eip_id for a in current.addresses.values() if a.eip] == ["eip-1"]


def test_an_address_that_cools_is_not_forgotten_because_it_could_come_back_warm():
    current = observed(assigned(), listing(), now=NOW)
    later = NOW + 10**6
    current = ledger.release(current, KEY, None, 30.0, later).ledger

    current = observed(current, listing(as_of=later), now=later)
    assert IP in current.addresses

    current = observed(current, listing(as_of=later + 31), now=later + 31)
    assert IP not in current.addresses
