"""Claims are found by node and by EIP, as they are now and in the order of their coming."""

import random
from dataclasses import replace

import pytest

from ipamd.controller.claims.index import ClaimIndex, source_of
from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.claim import eipclaim

EIPS = ("eip-aaaaaaaa", "eip-bbbbbbbb")


def claim(name, *, node="", bound="", holds="", waits=()):
    status = {
        **({"pod": {"uid": "u", "node": node}} if node else {}),
        **({"binding": {"node": bound}} if bound else {}),
        **({"address": {"id": holds, "ip": "198.18.0.1"}} if holds else {}),
    }
    spec = {"deletePolicy": "Delete", "addressIDs": list(waits or EIPS)}
    return eipclaim.read({"metadata": {"namespace": "default", "name": name}, "spec": spec, "status": status})


def key(name):
    return ("default", name)


def test_a_claim_is_found_where_its_pod_and_its_binding_are():
    index = ClaimIndex()
    index.put(key("a"), claim("a", node="n1", bound="n2"))

    assert index.on_node("n1") == index.on_node("n2") == [key("a")]
    index.put(key("a"), claim("a", node="n1"))
    assert index.on_node("n2") == []
    index.drop(key("a"))
    assert index.on_node("n1") == []


def test_who_waits_for_an_eip_and_who_has_it():
    index = ClaimIndex()
    for name in "abc":
        index.put(key(name), claim(name))
    assert index.waiting_for(EIPS[0]) == [key("a"), key("b"), key("c")]

    index.put(key("b"), claim("b", holds=EIPS[0]))

    assert index.waiting_for(EIPS[0]) == [key("a"), key("c")]
    assert index.holding(EIPS[0]) == [key("b")]


@pytest.mark.parametrize(
    ("request_", "source"),
    [
        (None, ""),
        (EipRequest(address_ids=EIPS, delete_policy=DeletePolicy.DELETE), ""),
        (EipRequest(pool="web", delete_policy=DeletePolicy.DELETE), "EIPPool web"),
        (
            EipRequest(selector=EipSelector(names=("a",)), delete_policy=DeletePolicy.DELETE),
            "of the name a",
        ),
    ],
)
def test_a_claim_is_found_by_its_pool_or_selector_if_it_has_one(request_, source):
    assert source_of(replace(claim("a"), request=request_)) == source


def test_nothing_is_left_of_claims_that_are_gone():
    index, lots = ClaimIndex(), random.Random(1)
    for _ in range(2000):
        name = f"c{lots.randrange(20)}"
        if lots.random() < 0.3:
            index.drop(key(name))
        else:
            index.put(key(name), claim(name, node=f"n{lots.randrange(3)}", holds=lots.choice(["", *EIPS])))
    for number in range(20):
        index.drop(key(f"c{number}"))

    assert index._keys == {}
    assert index._marks == {}
