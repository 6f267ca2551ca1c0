"""What is done next for a pool: one table of situations, and what must never be done."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.claim.actions import RedateOrder
from ipamd.core.claim.release import ATTEMPT_WINDOW, SETTLE
from ipamd.core.eip_pool import plan
from ipamd.core.eip_pool.eippool import EipPool, PoolAllocation, PoolSpec
from ipamd.core.eip_pool.plan import (
    EipPoolFacts,
    EndOrder,
    HoldPool,
    LetPoolGo,
    OrderEip,
    RecordLists,
    ReleaseEip,
    Rest,
)
from ipamd.core.model import Eip, EipOrder, EipStatus

NOW = 1_700_000_000.0
ORDER = EipOrder(bandwidth_mbps=10)
IDS = ("eip-a", "eip-b", "eip-c", "eip-d")


def pool(*, least=0, most=3, **changes):
    fields = {
        "name": "web",
        "uid": "pool-1",
        "resource_version": "7",
        "generation": 1,
        "deleting": False,
        "held": True,
        "spec": PoolSpec(order=ORDER, least=least, most=most),
        "status": {},
    }
    return EipPool(**{**fields, **changes})


def eip(eip_id, status=EipStatus.UNBIND, **changes):
    return Eip(eip_id=eip_id, public_ip="198.18.0.1", status=status, **changes)


def facts(*eips, held=(), **known):
    return EipPoolFacts(
        now=NOW, eips={e.eip_id: e for e in eips}, holders=dict.fromkeys(held, "default/x"), **known
    )


def begun(ago, attempt=1, eip_id=""):
    return PoolAllocation(attempt=attempt, started=NOW - ago, eip_id=eip_id)


ORDERED = OrderEip(attempt=1, begun=False, order=ORDER)
A, B, C = (eip(i) for i in IDS[:3])
TABLE = {
    "a pool of the user's needs nothing": (pool(held=False, spec=PoolSpec(address_ids=IDS)), facts(), Rest()),
    "the finalizer comes before the first order": (pool(held=False, least=1), facts(), HoldPool()),
    "a pool that is deleted before it had any": (pool(held=False, deleting=True), facts(), Rest()),
    "it grows to min": (pool(least=1), facts(), ORDERED),
    "it has min": (pool(least=1), facts(A), Rest()),
    "a claim waits": (pool(), facts(A, held=["eip-a"], waiting=1), ORDERED),
    "a claim waits and there is one for it": (pool(), facts(A, waiting=1), Rest()),
    "many wait, and max is there": (pool(most=1), facts(A, held=["eip-a"], waiting=5), Rest()),
    "one that is locked counts for nobody": (pool(), facts(replace(A, is_blocked=True), waiting=1), ORDERED),
    "one that is just unbound is waited for": (
        pool(),
        facts(eip("eip-a", EipStatus.UNBINDING), waiting=1),
        Rest(),
    ),
    "the next attempt has the next number": (
        pool(least=2, allocation=PoolAllocation(attempt=4)),
        facts(A),
        OrderEip(attempt=5, begun=False, order=ORDER),
    ),
    "a begun order without an answer is sent again": (
        pool(allocation=begun(1)),
        facts(waiting=3),
        OrderEip(attempt=1, begun=True, order=ORDER),
    ),
    "but not for ever": (
        pool(allocation=begun(ATTEMPT_WINDOW + 1)),
        facts(waiting=3),
        Rest(seconds=5.0),
    ),
    "and then another may be given": (
        pool(allocation=begun(ATTEMPT_WINDOW + SETTLE + 1)),
        facts(waiting=3),
        EndOrder(),
    ),
    "unless it is not believed what the cloud shows": (
        pool(allocation=begun(ATTEMPT_WINDOW + SETTLE + 1)),
        facts(waiting=3, blind="no EIP is shown"),
        Rest(seconds=30.0),
    ),
    "what is promised is waited for": (
        pool(allocation=begun(1, eip_id="eip-a")),
        facts(waiting=3),
        Rest(seconds=1.0),
    ),
    "what is promised and being made, too": (
        pool(allocation=begun(1, eip_id="eip-a")),
        facts(eip("eip-a", EipStatus.CREATING), waiting=3),
        Rest(seconds=1.0),
    ),
    "what is promised and never shown ends all orders": (
        pool(allocation=begun(999, eip_id="eip-a")),
        facts(waiting=3),
        Rest(seconds=30.0, not_shown=True),
    ),
    "what is promised and has failed": (
        pool(allocation=begun(1, eip_id="eip-a")),
        facts(waiting=3, failed=True),
        EndOrder(failed=True),
    ),
    "what is promised and there": (
        pool(allocation=begun(1, eip_id="eip-a")),
        facts(A, waiting=3),
        EndOrder(),
    ),
    "what is free too long goes": (
        pool(least=1),
        facts(A, B, free_for={"eip-b": 600.0}),
        ReleaseEip(eip_id="eip-b"),
    ),
    "and not before": (pool(least=1), facts(A, B, free_for={"eip-b": 590.0}), Rest(seconds=10.0)),
    "never one that a claim has": (
        pool(),
        facts(A, held=["eip-a"], free_for={"eip-a": 9999.0}),
        Rest(),
    ),
    "max was lowered": (pool(most=1), facts(A, B), ReleaseEip(eip_id="eip-b")),
    "max was lowered, and all are held": (pool(most=1), facts(A, B, held=["eip-a", "eip-b"]), Rest()),
    "a release that was begun is repeated": (
        pool(least=2, releasing=("eip-a",)),
        facts(A, B),
        ReleaseEip(eip_id="eip-a"),
    ),
    "a release that is over is forgotten": (
        pool(least=1, created=("eip-a", "eip-b"), releasing=("eip-a",)),
        facts(B, unshown={"eip-a": 60.0}),
        RecordLists(created=("eip-b",), releasing=()),
    ),
    "but not as long as a list may show it again": (
        pool(least=1, created=("eip-a", "eip-b"), releasing=("eip-a",)),
        facts(B, unshown={"eip-a": 59.0}),
        Rest(seconds=1.0),
    ),
    "a release that a claim has forestalled is forgotten": (
        pool(releasing=("eip-a",)),
        facts(A, held=["eip-a"]),
        RecordLists(created=("eip-a",), releasing=()),
    ),
    "what a list lacks counts": (
        pool(most=2, created=("eip-a", "eip-b")),
        facts(A, held=["eip-a"], waiting=2, unshown={"eip-b": 59.0}),
        Rest(seconds=1.0),
    ),
    "what was released by hand is forgotten": (
        pool(most=2, created=("eip-a", "eip-b")),
        facts(A, held=["eip-a"], waiting=2, unshown={"eip-b": 60.0}),
        RecordLists(created=("eip-a",), releasing=()),
    ),
    "unless what the cloud shows is not believed": (
        pool(most=2, created=("eip-a", "eip-b")),
        facts(A, held=["eip-a"], waiting=2, unshown={"eip-b": 999.0}, blind="no EIP is shown"),
        Rest(seconds=1.0),
    ),
    "what was made by an order whose answer was lost is written down": (
        pool(created=("eip-a",)),
        facts(A, B),
        RecordLists(created=("eip-a", "eip-b"), releasing=()),
    ),
    "a deleted pool gives back what is free": (
        pool(deleting=True, least=2),
        facts(A, B, held=["eip-a"], waiting=4),
        ReleaseEip(eip_id="eip-b"),
    ),
    "a deleted pool waits for what is held": (pool(deleting=True), facts(A, held=["eip-a"]), Rest()),
    "a deleted pool of which nothing is left": (pool(deleting=True), facts(), LetPoolGo()),
    "a deleted pool whose order may still deliver": (
        pool(deleting=True, allocation=begun(1)),
        facts(),
        Rest(seconds=5.0),
    ),
    "a deleted pool whose order has the date of a clock that was ahead": (
        pool(deleting=True, allocation=begun(-86400)),
        facts(),
        RedateOrder(),
    ),
    "a deleted pool whose promised EIP was released by hand": (
        pool(deleting=True, allocation=begun(999, eip_id="eip-a"), created=("eip-a",)),
        facts(unshown={"eip-a": 60.0}),
        EndOrder(failed=True),
    ),
    "but not before that is sure": (
        pool(deleting=True, allocation=begun(999, eip_id="eip-a"), created=("eip-a",)),
        facts(unshown={"eip-a": 59.0}),
        Rest(seconds=30.0, not_shown=True),
    ),
    "nor while what the cloud shows is not believed": (
        pool(deleting=True, allocation=begun(999, eip_id="eip-a"), created=("eip-a",)),
        facts(unshown={"eip-a": 999.0}, blind="no EIP is shown"),
        Rest(seconds=30.0, not_shown=True),
    ),
    "a deleted pool with a spec that cannot be read": (
        pool(deleting=True, spec=None),
        facts(A),
        ReleaseEip(eip_id="eip-a"),
    ),
    "a spec that cannot be read": (pool(spec=None), facts(A, waiting=1), Rest()),
}


@pytest.mark.parametrize("situation", TABLE)
def test_the_next_step(situation):
    its_pool, its_facts, step = TABLE[situation]
    if not its_pool.created and its_pool.held:
        its_pool = replace(its_pool, created=tuple(its_facts.eips))
    assert plan.decide(its_pool, its_facts) == step


@given(
    least=st.integers(0, 4),
    most=st.integers(1, 4),
    states=st.lists(st.sampled_from(EipStatus), max_size=4),
    held=st.sets(st.sampled_from(IDS)),
    waiting=st.integers(0, 6),
    allocation=st.sampled_from([PoolAllocation(attempt=0), begun(1), begun(1, eip_id="eip-d"), begun(999)]),
    created=st.sets(st.sampled_from(IDS)),
    releasing=st.sets(st.sampled_from(IDS)),
    deleting=st.booleans(),
)
def test_nothing_beyond_max_is_ordered_and_nothing_that_is_held_or_bound_is_released(
    least, most, states, held, waiting, allocation, created, releasing, deleting
):
    eips = [eip(i, state) for i, state in zip(IDS, states, strict=False)]
    its_pool = pool(
        least=min(least, most),
        most=most,
        allocation=allocation,
        created=tuple(created),
        releasing=tuple(releasing),
        deleting=deleting,
    )
    its_facts = facts(*eips, held=held & {e.eip_id for e in eips}, waiting=waiting)

    step = plan.decide(its_pool, its_facts)

    if isinstance(step, OrderEip):
        assert not deleting
        there = {e.eip_id for e in eips} | created
        assert step.begun or (len(there) < most and allocation.started is None)
    if isinstance(step, ReleaseEip):
        released = its_facts.eips[step.eip_id]
        assert released.status is EipStatus.UNBIND
        assert step.eip_id not in held
    if isinstance(step, LetPoolGo):
        assert deleting
        assert not eips
        assert not created
        assert allocation.started is None
