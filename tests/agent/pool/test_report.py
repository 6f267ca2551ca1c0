"""What is told of the pool: that the node is full or disabled is a fact, all else in the way is a problem."""

from types import SimpleNamespace

import pytest

from ipamd.agent.pool.obstacle import NodeDisabledError, NodeFullError
from ipamd.agent.pool.report import PoolReport
from ipamd.core import model, pool
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import KernelError, TryAgainError
from ipamd.core.kubernetes.node_condition import NodeReason, Weight
from ipamd.core.ledger import ledger

FULL, DISABLED = NodeFullError("the node is full"), NodeDisabledError("it is disabled")
FROZEN = TryAgainError("the pool is frozen")
QUOTA = cloud_error("CreateNetworkInterface", "LimitExceeded", "the quota is used up")
DENIED = cloud_error("CreateNetworkInterface", "UnauthorizedOperation", "not allowed")
BUSY = cloud_error("CreateNetworkInterface", "InternalServerError", "try again")


def report(*, obstacle=None, refusals=(), frozen=(), addresses=0, warm=0):
    """What is told of a node with one ENI of nine places, of which so many are taken."""
    current = ledger.adopt(ledger.Ledger(), "eni-1", [f"10.0.1.{n}" for n in range(warm)], 1.0).ledger
    facts = pool.PoolFacts(
        ledger=current,
        enis=(pool.EniCapacity(eni_id="eni-1", subnet_id="subnet-1", addresses=addresses),),
        limits=model.EniLimits(enis=2, ips_per_eni=10),
        targets=pool.Targets(min_warm=4, max_warm=6),
    )
    seen = SimpleNamespace(facts=lambda: facts, obstacle=lambda: obstacle, refusals=lambda: list(refusals))
    return PoolReport(seen, SimpleNamespace(notices=lambda: list(frozen)))


@pytest.mark.parametrize(
    ("addresses", "warm", "room", "missing"),
    [(9, 0, 0, 0), (7, 0, 2, 2), (5, 1, 4, 3), (5, 5, 4, 0), (11, 0, 0, 0)],
)
def test_what_is_missing_is_what_the_node_could_have(addresses, warm, room, missing):
    told = [next(iter(dict(m.samples).values())) for m in report(addresses=addresses, warm=warm).metrics()]

    assert told == [room, missing]


@pytest.mark.parametrize(
    ("obstacle", "problems", "notices"),
    [(None, [], []), (FULL, [], [str(FULL)]), (DISABLED, [], [str(DISABLED)]), (QUOTA, [str(QUOTA)], [])],
)
def test_that_the_node_is_as_it_should_be_is_to_be_known_and_no_problem(obstacle, problems, notices):
    told = report(obstacle=obstacle, frozen=["it is frozen"])

    assert told.problems() == problems
    assert told.notices() == ["it is frozen", *notices]


@pytest.mark.parametrize(
    ("obstacle", "reason", "weight"),
    [
        (FULL, NodeReason.NODE_FULL, Weight.FACT),
        (DISABLED, NodeReason.NODE_DISABLED, Weight.FACT),
        (QUOTA, None, Weight.HARM),
        (FROZEN, None, Weight.HARM),
    ],
)
def test_the_node_says_what_keeps_pods_waiting_and_how_bad_that_is(obstacle, reason, weight):
    (entry,) = report(obstacle=obstacle, refusals=[QUOTA]).entries()

    assert (entry.message, entry.weight) == (str(obstacle), weight)
    assert reason is None or entry.reason == reason.value


def test_what_the_cloud_refuses_is_a_warning_while_there_are_addresses():
    told = report(refusals=[QUOTA, BUSY, DENIED, KernelError("no link", errno=19)]).entries()

    assert [(entry.message, entry.weight) for entry in told] == [
        (f"the node gets no more addresses: {error}", Weight.WARNING) for error in (QUOTA, DENIED)
    ]
