"""The list of sources that ip-masq-agent leaves alone: what is ours in it, and what people wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.claim import eipclaim
from ipamd.core.eip import masquerade
from ipamd.core.errors import InvalidInputError

ENTRIES = st.sampled_from([f"10.0.1.{n}/32" for n in range(6)])
SETS = st.frozensets(ENTRIES)


def claim(private_ip):
    binding = {"node": "n", "eniID": "eni-1", "privateIP": private_ip} if private_ip else None
    return eipclaim.read({"metadata": {"name": "web-0"}, "status": {"binding": binding}})


def test_every_binding_is_exempt_and_nothing_else():
    found = masquerade.exempt([claim("10.0.1.4"), claim(""), claim("nonsense"), claim("10.0.1.5")])

    assert found == {"10.0.1.4/32", "10.0.1.5/32"}


def test_what_people_wrote_stays_in_its_place_and_stays_theirs():
    revision = masquerade.revise(
        ["172.16.0.0/16", "10.0.1.4/32"], frozenset(), frozenset({"10.0.1.4/32", "10.0.1.5/32"})
    )
    assert revision.entries == ("172.16.0.0/16", "10.0.1.4/32", "10.0.1.5/32")
    assert revision.ours == {"10.0.1.5/32"}

    revision = masquerade.revise(revision.entries, revision.ours, frozenset())
    assert revision.entries == ("172.16.0.0/16", "10.0.1.4/32")
    assert revision.ours == frozenset()


def test_an_entry_that_somebody_took_out_comes_back_while_the_pod_has_its_eip():
    wanted = frozenset({"10.0.1.4/32"})

    assert masquerade.revise([], wanted, wanted).entries == ("10.0.1.4/32",)


def test_new_entries_are_in_the_order_of_addresses():
    wanted = frozenset({"10.0.1.10/32", "10.0.1.9/32", "10.0.1.100/32"})

    assert masquerade.revise([], frozenset(), wanted).entries == (
        "10.0.1.9/32",
        "10.0.1.10/32",
        "10.0.1.100/32",
    )


@given(st.lists(ENTRIES), SETS, SETS, SETS)
def test_nothing_of_people_is_lost_and_all_that_is_wanted_is_there(present, ours, first, then):
    theirs = [entry for entry in present if entry not in ours]

    one = masquerade.revise(present, ours, first)
    two = masquerade.revise(one.entries, one.ours, then)
    again = masquerade.revise(two.entries, two.ours, then)

    assert set(two.entries) == set(theirs) | then
    assert [entry for entry in two.entries if entry in theirs] == theirs
    assert not two.ours & set(theirs)
    assert again == two
    assert set(masquerade.revise(two.entries, two.ours, frozenset()).entries) == set(theirs)


@given(SETS)
def test_the_annotation_says_the_same_when_it_is_read_again(ours):
    value = masquerade.write_ours(ours)

    assert (value is None) == (not ours)
    assert masquerade.read_ours({masquerade.OURS: value} if value else {}) == ours


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "NonMasqueradeSrcCIDRs"),
        ({"NonMasqueradeCIDRs": [], "MasqLinkLocal": True}, "NonMasqueradeSrcCIDRs"),
        ({"nonMasqueradeCIDRs": []}, "nonMasqueradeSrcCIDRs"),
        ({"NONMASQUERADESRCCIDRS": []}, "NONMASQUERADESRCCIDRS"),
        ({"nonMasqueradeCIDRs": [], "NonMasqueradeSrcCIDRs": None}, "NonMasqueradeSrcCIDRs"),
        ({1: 2}, "NonMasqueradeSrcCIDRs"),
    ],
)
def test_the_field_is_spelled_as_the_configuration_spells_its_fields(config, field):
    assert masquerade.field_of(config) == field


def test_two_spellings_of_the_field_are_not_chosen_between():
    with pytest.raises(InvalidInputError, match="has both nonMasqueradeSrcCIDRs and NonMasqueradeSrcCIDRs"):
        masquerade.field_of({"nonMasqueradeSrcCIDRs": [], "NonMasqueradeSrcCIDRs": []})


@pytest.mark.parametrize("value", ["10.0.0.1/32", {"a": 1}, [1], ["10.0.0.1/32", None]])
def test_a_field_of_another_shape_is_named_with_its_value(value):
    with pytest.raises(InvalidInputError, match=r"NonMasqueradeSrcCIDRs in config is .*; allowed"):
        masquerade.entries_of({"NonMasqueradeSrcCIDRs": value}, "NonMasqueradeSrcCIDRs")
