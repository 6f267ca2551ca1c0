"""Which place a claim has in the line of its pool."""

from dataclasses import replace

import pytest

from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.core.claim import eipclaim
from ipamd.core.claim.eip_line import WaitingLine, in_order, is_in_line
from ipamd.core.claim.eipclaim import ClaimPod
from tests.testkit import claims
from tests.testkit import kubernetes_objects as objects


def claim(name, created):
    return replace(eipclaim.read(objects.claim(name, namespace="default")), created=created)


OLD, MIDDLE, YOUNG = claim("z", 1.0), claim("y", 2.0), claim("x", 2.5)


def test_the_oldest_is_first_whoever_is_told_first():
    line = WaitingLine.of([YOUNG, OLD, MIDDLE])
    assert [line.before(c) for c in (OLD, MIDDLE, YOUNG)] == [(0, 2), (1, 2), (2, 2)]


def test_who_is_not_in_it_yet_has_its_place_by_age():
    line = WaitingLine.of([OLD, YOUNG])
    assert line.before(MIDDLE) == (1, 2)
    assert WaitingLine.of([]).before(OLD) == (0, 0)


def test_of_one_age_the_name_decides():
    first, second = claim("a", 3.0), claim("b", 3.0)
    assert WaitingLine.of([second, first]).before(second) == (1, 1)


# -- who is in it

EXHAUSTED = ({"type": "Provisioned", "status": "False", "reason": "PoolExhausted"},)
OF_A_POOL = EipRequest(pool="web", delete_policy=DeletePolicy.DELETE)


def waiting(**changes):
    return claims.claim(**{"request": OF_A_POOL, "conditions": EXHAUSTED, **changes})


def test_who_was_refused_an_eip_of_its_pool_is_in_the_line():
    assert is_in_line(waiting())
    assert is_in_line(waiting(pod=None))


@pytest.mark.parametrize(
    "changes",
    [
        {"address": claims.GIVEN},
        {"deleting": True},
        {"request": None},
        {"request": EipRequest(address_ids=("eip-1",), delete_policy=DeletePolicy.DELETE)},
        {"pod": ClaimPod(uid="pod-1", last_seen=5.0)},
        {"conditions": ()},
        {"conditions": ({"type": "Provisioned", "status": "False", "reason": "PoolNotFound"},)},
        {"conditions": ({"type": "Provisioned", "status": "False", "reason": "EIPNotFound"},)},
        {"conditions": ({"type": "Bound", "status": "False", "reason": "PoolExhausted"},)},
    ],
)
def test_who_has_one_leaves_or_wants_something_else_is_not(changes):
    assert not is_in_line(waiting(**changes))


def test_they_are_served_by_age_whatever_their_namespace():
    one = replace(YOUNG, namespace="a")
    assert in_order([one, MIDDLE, OLD]) == [OLD, MIDDLE, one]
