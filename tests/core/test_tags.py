"""Tags and tokens by which an order is known again."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core import tags

UID = str(uuid.UUID(int=7))


def test_the_tags_are_those_that_tke_sets_and_the_claim_s():
    assert tags.of_claim("cls-1", UID) == {
        "tke-clusterId": "cls-1",
        "tke-created-eip": "true",
        "tke-eipclaim-uid": UID,
    }


def test_only_all_three_tags_make_an_eip_the_claim_s():
    own = tags.of_claim("cls-1", UID)

    assert tags.created_for({**own, "team": "a"}, "", "cls-1", UID)
    assert not tags.created_for(own, "", "cls-2", UID)
    assert not tags.created_for(own, "", "cls-1", "another")
    assert not tags.created_for({k: v for k, v in own.items() if k != "tke-created-eip"}, "", "cls-1", UID)


@given(st.text(min_size=1, max_size=300), st.integers(min_value=1, max_value=10**9))
def test_a_token_fits_the_api_and_is_the_same_again(claim_uid, attempt):
    token = tags.client_token(claim_uid, attempt)

    assert token == tags.client_token(claim_uid, attempt)
    assert len(token) <= 64
    assert token.isascii()


def test_each_attempt_of_each_claim_has_a_token_of_its_own():
    tokens = {tags.client_token(uid, n) for uid in (UID, "x" * 200, "x" * 201) for n in range(1, 50)}

    assert len(tokens) == 3 * 49


NAMED = tags.name_of("default", "web-0", UID)


@pytest.mark.parametrize("has", [{}, tags.of_cluster("cls-1"), {"team": "a"}])
def test_an_eip_that_the_account_gave_without_the_tag_is_known_by_its_name(has):
    assert tags.created_for(has, NAMED, "cls-1", UID)
    assert tags.claim_of(has, NAMED) == UID


@pytest.mark.parametrize(
    ("has", "name"),
    [
        (tags.of_cluster("cls-2"), NAMED),
        ({"tke-created-eip": "true"}, NAMED),
        (tags.of_claim("cls-1", "another"), NAMED),
        ({}, tags.name_of("default", "web-0", "another")),
        ({}, f"web-0-{UID}"),
        ({}, ""),
    ],
    ids=["other cluster", "no cluster", "other tag", "other name", "name of a person's", "no name"],
)
def test_what_tags_or_name_say_to_be_another_s_is_not_taken(has, name):
    assert not tags.created_for(has, name, "cls-1", UID)


def test_a_long_name_keeps_the_uid():
    name = tags.name_of("n" * 63, "p" * 253, UID)

    assert len(name) == 128
    assert tags.claim_of({}, name) == UID


def test_a_reservation_has_the_cluster_s_tag_and_its_claim_s():
    assert tags.of_vpc_ip_claim("cls-1", UID) == {"tke-clusterId": "cls-1", "tke-vpcipclaim-uid": UID}


def test_a_reservation_s_token_is_no_order_s():
    first, second = (tags.reservation_token(UID, attempt) for attempt in (1, 2))
    assert tags.reservation_token(UID, 1) == first
    assert len({first, second, tags.client_token(UID, 1)}) == 3


def test_an_address_says_by_its_description_for_which_claim_it_is():
    assert tags.described_claim(tags.address_description(UID)) == UID
    assert tags.described_claim("") == ""
    assert tags.described_claim(f"what people wrote, also tke-vpcip/{UID}") == ""
