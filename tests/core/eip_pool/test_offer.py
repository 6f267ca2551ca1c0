"""What an EIPPool answers to a claim that wants an EIP of it."""

from dataclasses import replace

import pytest

from ipamd.core.claim import eipclaim
from ipamd.core.claim.eip_line import WaitingLine
from ipamd.core.claim.reason import Reason
from ipamd.core.eip_pool.eippool import EipPool, PoolSpec
from ipamd.core.eip_pool.offer import offer_for
from ipamd.core.model import EipOrder
from tests.testkit import kubernetes_objects as objects

CLAIM = replace(eipclaim.read(objects.claim("x", namespace="team-a")), created=2.0)
OLDER = replace(eipclaim.read(objects.claim("y", namespace="team-a")), created=1.0)
LINE = WaitingLine.of([CLAIM, OLDER])
GROWING = PoolSpec(order=EipOrder(), most=3)


def pool(**changes):
    fields = {
        "name": "web",
        "uid": "pool-1",
        "resource_version": "7",
        "generation": 1,
        "deleting": False,
        "held": True,
        "spec": GROWING,
        "status": {},
    }
    return EipPool(**{**fields, **changes})


def offer(a_pool, size=0):
    return offer_for(CLAIM, "web", a_pool, LINE, size=size)


def test_it_says_which_pool_it_is_and_who_is_before():
    made = offer(pool())

    assert (made.name, made.uid, made.refusal) == ("web", "pool-1", None)
    assert (made.ahead, made.waiting) == (1, 1)


@pytest.mark.parametrize(
    ("a_pool", "reason", "text"),
    [
        (None, Reason.POOL_NOT_FOUND, "there is no EIPPool web"),
        (pool(deleting=True, spec=None, problem="x"), Reason.POOL_REFUSED, "is being deleted"),
        (pool(spec=None, problem="spec has no EIPs"), Reason.POOL_REFUSED, "spec has no EIPs: have it corr"),
        (
            pool(spec=replace(GROWING, namespaces=("team-b", "team-c"))),
            Reason.POOL_REFUSED,
            "not for namespace team-a: its spec.namespaces has team-b, team-c",
        ),
    ],
)
def test_a_refusal_says_what_to_do(a_pool, reason, text):
    made = offer(a_pool)

    assert made.refusal is not None
    assert made.refusal[0] is reason
    assert text in made.refusal[1]
    assert made.uid == ("pool-1" if a_pool else "")


@pytest.mark.parametrize("namespaces", [(), ("team-a",), ("team-b", "team-a")])
def test_namespaces_that_are_named_or_all_may_have_one(namespaces):
    assert offer(pool(spec=replace(GROWING, namespaces=namespaces))).refusal is None


@pytest.mark.parametrize(
    ("a_pool", "size", "growth"),
    [
        (pool(), 2, "another is ordered, the pool may have 3"),
        (pool(), 3, ""),
        (pool(), 4, ""),
        (pool(spec=PoolSpec(address_ids=("eip-a",))), 1, ""),
        (pool(spec=None), 0, ""),
        (None, 0, ""),
        (
            pool(status={"conditions": [{"type": "Ready", "status": "False", "reason": "EIPQuotaExceeded"}]}),
            2,
            "the pool could not order another: EIPQuotaExceeded, see kubectl describe eipp web",
        ),
        (
            pool(status={"conditions": [{"type": "Ready", "status": "True", "reason": "Exhausted"}]}),
            2,
            "another is ordered, the pool may have 3",
        ),
    ],
)
def test_growth_is_what_is_done_for_those_who_wait(a_pool, size, growth):
    assert offer(a_pool, size).growth == growth
