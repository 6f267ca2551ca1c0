"""The ENI of a VpcIPClaim in the ledger: it comes and goes with its EIP, and is nobody else's at any time."""

from dataclasses import replace

import pytest

from ipamd.core import model
from ipamd.core.ledger import acquisition, cloud_listing, fixed_addresses, ledger, states
from tests.testkit.pods import pod_ref

NOW = 1000.0
IP, ENI, UID = "10.0.1.50", "eni-1", "claim-1"
POD, NEXT = pod_ref("web-0", "u1"), pod_ref("web-0", "u2")
HOLD = fixed_addresses.FixedHold(claim_uid=UID, pod=POD, until=NOW + 300)
KEY = model.SandboxKey(container_id="c1", ifname="eth0")
BARE = model.EniAddress(ip=IP, primary=True, state=model.IpState.AVAILABLE)
WITH_EIP = replace(BARE, eip_id="eip-1", public_ip="203.0.113.1")


def begun():
    return fixed_addresses.begin_assign(ledger.Ledger(), IP, ENI, HOLD, NOW, exclusive=True).ledger


def attached(entry=BARE):
    return fixed_addresses.confirm_attached(begun(), IP, UID, entry, NOW + 1).ledger


def with_eip(**changes):
    """The address with an EIP that is told of a claim."""
    current = attached(WITH_EIP)
    eip = replace(current.addresses[IP].eip, claim="default/web-0", retained=True)
    return ledger.Ledger.of([replace(current.addresses[IP], eip=replace(eip, **changes))])


def given(current, pod=POD, *, exclusive=True, fixed_ip=IP):
    attachment = acquisition.Attachment(key=KEY, pod=pod, exclusive=exclusive, fixed_ip=fixed_ip)
    return acquisition.acquire(current, attachment, 30.0, NOW)


def seen(current, entry=BARE, *, claims=None, as_of=NOW + 2):
    eni = model.Eni(
        eni_id=ENI,
        mac="",
        vpc_id="",
        subnet_id="",
        primary=False,
        state=model.EniState.AVAILABLE,
        instance_id="ins-1",
        addresses=(entry,),
        extended=True,
    )
    listing = cloud_listing.CloudListing(
        enis=(), exclusive=(eni,), claims={ENI: UID} if claims is None else claims, as_of=as_of
    )
    return cloud_listing.observe(current, listing, NOW + 3).ledger


def let_go(current, **how):
    return fixed_addresses.let_go(current, current.addresses[IP], NOW + 5, **how).ledger


def test_it_is_given_once_it_is_attached_and_to_its_claims_pods_only():
    assert given(begun()).address is None
    current = attached()
    assert given(current).address.ip == IP
    assert given(current, NEXT).address.ip == IP
    assert given(current, pod_ref("db-0", "u3"), fixed_ip=None).address is None
    assert given(current, exclusive=False).address is None
    assert current.available_enis == []
    assert current.pooled_enis.addresses == {}


def test_an_eip_that_it_comes_with_is_recorded_with_it():
    eip = attached(WITH_EIP).addresses[IP].eip
    assert (eip.eip_id, eip.stage, eip.claim) == ("eip-1", states.BindStage.BOUND, "")


def test_a_list_that_was_asked_for_before_it_came_does_not_take_it_away():
    listing = cloud_listing.CloudListing(enis=(), as_of=NOW + 0.5)
    current = cloud_listing.observe(attached(), listing, NOW + 2).ledger
    assert not current.addresses[IP].quarantined


def test_one_that_comes_to_a_claim_that_does_not_want_it_changes_nothing():
    assert not fixed_addresses.confirm_attached(begun(), IP, "claim-2", BARE, NOW)
    assert not fixed_addresses.confirm_attached(attached(), IP, UID, BARE, NOW)


def test_let_go_it_keeps_its_eip_until_it_is_off_the_node_and_both_are_forgotten_together():
    leaving = let_go(with_eip())
    address = leaving.addresses[IP]
    assert isinstance(address.state, states.Unbinding)
    assert address.keeps_eip
    assert fixed_addresses.detached(leaving, IP, UID).ledger == ledger.Ledger()
    assert not fixed_addresses.detached(with_eip(), IP, UID), "it is held"
    assert not fixed_addresses.detached(leaving, IP, "claim-2")


def test_without_an_eip_it_is_on_its_way_at_once():
    assert isinstance(let_go(attached()).addresses[IP].state, states.Unassigning)


def test_of_a_claim_that_ends_the_eip_is_unbound_first():
    address = let_go(with_eip(), with_eip=False).addresses[IP]
    assert address.eip.stage is states.BindStage.UNBINDING
    assert not address.keeps_eip


def test_a_claim_that_ends_while_its_eni_leaves_has_the_eip_unbound():
    leaving = let_go(let_go(with_eip()), with_eip=False)
    assert leaving.addresses[IP].eip.stage is states.BindStage.UNBINDING
    gone = leaving.addresses[IP]
    assert not fixed_addresses.let_go(leaving, gone, NOW, with_eip=False)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"retained": False}, False),
        ({"retained": False, "claim": ""}, True),
        ({"stage": states.BindStage.BINDING}, False),
        ({"stage": states.BindStage.UNBINDING}, False),
    ],
)
def test_which_eips_stay(changes, kept):
    assert with_eip(**changes).addresses[IP].keeps_eip is kept


def test_an_eip_of_an_eni_that_is_nobodys_does_not_stay():
    pooled = replace(with_eip().addresses[IP], fixed="")
    shared = replace(with_eip().addresses[IP], exclusive=False)
    assert not pooled.keeps_eip
    assert not shared.keeps_eip


@pytest.mark.parametrize(
    ("entry", "state"), [(BARE, states.Cooling), (WITH_EIP, states.Unbinding)], ids=["bare", "with EIP"]
)
def test_found_after_a_lost_store_it_is_its_claims_and_never_warm(entry, state):
    found = seen(ledger.Ledger(), entry)
    address = found.addresses[IP]
    assert (address.fixed, address.exclusive) == (UID, True)
    assert isinstance(address.state, state)

    held = fixed_addresses.reclaim(found, IP, HOLD, NOW + 4).ledger
    assert given(held).address.ip == IP
    assert held.addresses[IP].eip == address.eip


def test_an_eni_of_the_pool_is_reclaimed_for_no_claim():
    pooled = seen(ledger.Ledger(), claims={})
    assert not fixed_addresses.reclaim(pooled, IP, HOLD, NOW + 4)


def test_an_eip_that_is_being_unbound_is_not_reclaimed():
    leaving = let_go(with_eip(), with_eip=False)
    assert not fixed_addresses.reclaim(leaving, IP, HOLD, NOW + 6)
