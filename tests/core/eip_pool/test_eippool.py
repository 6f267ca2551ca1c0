"""What stands in an EIPPool, and what is said of a wrong one (old servers drop the rules)."""

import dataclasses

import pytest

from ipamd.core import tags
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.eip_pool import eippool
from ipamd.core.eip_pool.eippool import FINALIZER, PoolAllocation, PoolSpec
from ipamd.core.model import EipOrder
from tests.testkit.eips import listed_eip

ATTRIBUTES = {"bandwidthMbps": 10, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}
ORDER = EipOrder(bandwidth_mbps=10)


def read(spec, **status):
    return eippool.read({"metadata": {"name": "web", "uid": "pool-1"}, "spec": spec, "status": status})


@pytest.mark.parametrize(
    ("spec", "read_as"),
    [
        ({"addressIDs": ["eip-aaaaaaaa"]}, PoolSpec(address_ids=("eip-aaaaaaaa",))),
        ({"selector": {"tags": {"team": "web"}}}, PoolSpec(selector=EipSelector(tags=(("team", "web"),)))),
        ({"attributes": ATTRIBUTES, "max": 3}, PoolSpec(order=ORDER, most=3)),
        (
            {"attributes": ATTRIBUTES, "max": 3, "releaseAfter": "24h"},
            PoolSpec(order=ORDER, most=3, release_after=86400.0),
        ),
        (
            {"attributes": ATTRIBUTES, "min": 1, "max": 1, "releaseAfter": "1m", "namespaces": ["a"]},
            PoolSpec(order=ORDER, least=1, most=1, release_after=60.0, namespaces=("a",)),
        ),
    ],
)
def test_each_kind_of_pool_is_read(spec, read_as):
    pool = read(spec)
    assert (pool.spec, pool.problem) == (read_as, "")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "spec has no EIPs; allowed is one of addressIDs, selector, attributes"),
        (
            {"addressIDs": ["eip-aaaaaaaa"], "selector": {}},
            "spec has addressIDs and selector; allowed is one",
        ),
        ({"addressIDs": ["eip-1"]}, 'spec.addressIDs: entry 1 is "eip-1"'),
        ({"selector": {"tags": []}}, "spec.selector: tags is []"),
        ({"addressIDs": ["eip-aaaaaaaa"], "max": 3}, "spec.max is 3; allowed is none beside spec.addressIDs"),
        ({"attributes": ATTRIBUTES}, "spec.max is null; allowed is a whole number from 1 to 100"),
        ({"attributes": ATTRIBUTES, "max": 0}, "spec.max is 0; allowed is a whole number from 1 to 100"),
        ({"attributes": ATTRIBUTES, "max": 101}, "spec.max is 101; allowed is"),
        ({"attributes": ATTRIBUTES, "max": True}, "spec.max is true; allowed is"),
        (
            {"attributes": ATTRIBUTES, "min": 4, "max": 3},
            "spec.max is 3; allowed is a whole number from 4 to 100",
        ),
        (
            {"attributes": ATTRIBUTES, "min": 4, "max": 3},
            "spec.max is 3; allowed is a whole number from 4 to 100, not below spec.min",
        ),
        ({"attributes": ATTRIBUTES, "min": -1, "max": 3}, "spec.min is -1; allowed is a whole number from 0"),
        ({"attributes": {**ATTRIBUTES, "isp": 1}, "max": 3}, "spec.attributes.isp is 1"),
        (
            {"attributes": ATTRIBUTES, "max": 3, "releaseAfter": "59s"},
            'spec.releaseAfter is "59s"; allowed is a',
        ),
        (
            {"attributes": ATTRIBUTES, "max": 3, "releaseAfter": 5},
            "spec.releaseAfter is 5; allowed is a duration",
        ),
        ({"addressIDs": ["eip-aaaaaaaa"], "namespaces": "a"}, 'spec.namespaces is "a"; allowed is a list'),
        ({"addressIDs": ["eip-aaaaaaaa"], "namespaces": ["a", ""]}, 'spec.namespaces is ["a", ""]; allowed'),
        ({"addressIDs": ["eip-aaaaaaaa"], "namespaces": ["a", 1]}, 'spec.namespaces is ["a", 1]; allowed'),
        ({"addressIDs": ["eip-aaaaaaaa"], "namespaces": [None]}, "spec.namespaces is [null]; allowed"),
    ],
)
def test_a_wrong_spec_is_named_with_object_field_value_and_what_is_allowed(spec, said):
    pool = read(spec)
    assert pool.spec is None
    assert pool.problem.startswith("EIPPool web: ")
    assert said in pool.problem


def test_a_pool_with_eips_of_ours_does_not_become_one_of_the_users():
    made = eippool.read(
        {"metadata": {"name": "web", "finalizers": [FINALIZER]}, "spec": {"addressIDs": ["eip-aaaaaaaa"]}}
    )
    assert made.spec is None
    assert "write attributes again" in made.problem


def test_the_order_that_is_under_way_is_read_from_the_status():
    began = {"attempt": 2, "startedAt": "2026-01-01T00:00:00Z", "id": "eip-aaaaaaaa", "taskID": "7"}
    pool = read({"attributes": ATTRIBUTES, "max": 3}, allocation=began, releasing=["eip-bbbbbbbb"])
    assert pool.allocation == PoolAllocation(
        attempt=2, started=1767225600.0, eip_id="eip-aaaaaaaa", task_id="7"
    )
    assert pool.releasing == ("eip-bbbbbbbb",)


@pytest.mark.parametrize(
    ("attempt", "read_as"), [(1, 1), (2, 2), (0, 0), (-1, 0), (True, 0), ("x", 0), (None, 0)]
)
def test_an_attempt_counts_from_one_and_what_is_no_number_is_none(attempt, read_as):
    assert read({}, allocation={"attempt": attempt}).allocation == PoolAllocation(attempt=read_as)


def test_what_the_api_server_keeps_of_the_object_is_read_with_it():
    fresh = eippool.read({"metadata": {"name": "web"}})
    assert (fresh.generation, fresh.deleting, fresh.held, fresh.uid) == (0, False, False, "")
    assert (fresh.created, fresh.releasing, fresh.status) == ((), (), {})

    metadata = {
        "name": "web",
        "uid": "pool-1",
        "resourceVersion": "7",
        "generation": 4,
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": ["x", FINALIZER],
    }
    pool = eippool.read({"metadata": metadata, "spec": {}, "status": {"created": ["eip-a", 1]}})
    assert (pool.generation, pool.deleting, pool.held, pool.uid) == (4, True, True, "pool-1")
    assert (pool.resource_version, pool.created) == ("7", ("eip-a",))
    assert not eippool.read({"metadata": {"name": "web", "finalizers": ["x"]}}).held


def test_what_an_eippool_has_is_no_orphan_unless_it_was_created_for_a_claim():
    def pool(**spec):
        return eippool.read({"metadata": {"name": "kept"}, "spec": spec})

    kept = listed_eip("eip-1111aaaa", name="web-a", public_ip="198.18.0.9", tags=tags.of_cluster("cls-1"))
    of_claim = dataclasses.replace(kept, eip_id="eip-2222bbbb", tags=tags.of_claim("cls-1", "gone"))
    for one in (
        pool(addressIDs=["eip-1111aaaa", "eip-2222bbbb"]),
        pool(selector={"tags": tags.of_cluster("cls-1")}),
        pool(selector={"names": ["web-a"]}),
        pool(selector={"publicIPs": ["198.18.0.9"]}),
    ):
        assert eippool.outside([one], [kept, of_claim]) == (of_claim,), one

    others = [pool(addressIDs=["eip-3333cccc"]), pool(selector={"tags": {"team": "web"}}), pool()]
    assert eippool.outside(others, [kept, of_claim]) == (kept, of_claim)
