"""Why no address will come to a Pod that waits: said only while nothing is under way that may bring one."""

import pytest

from ipamd.agent.enis import NodeEni
from ipamd.agent.pool.obstacle import MEANT, obstacle
from ipamd.core import model, pool
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import (
    Address,
    Assigned,
    Binding,
    BindStage,
    Cooling,
    Held,
    Unbinding,
    Warm,
)
from ipamd.core.model import SandboxKey
from tests.testkit.pods import pod_ref

NOW = 1000.0
LIMITS = model.EniLimits(enis=2, ips_per_eni=3)
KEY = SandboxKey(container_id="c1", ifname="eth0")
USED = Assigned(key=KEY, pod=pod_ref(), since=1.0, host_interface="veth", host_mac="0a:e2:00:00:00:01")
EIP = Binding(eip_id="eip-1", public_ip="198.18.0.9", stage=BindStage.UNBINDING)
FROZEN = TryAgainError("the pool is frozen")
QUOTA = cloud_error("AssignPrivateIpAddresses", "LimitExceeded", "the quota is used up")
BUSY = cloud_error("AssignPrivateIpAddresses", "InternalServerError", "try again")


def ledger(*states):
    return Ledger.of(
        Address(
            ip=f"10.0.1.{number}",
            eni_id="eni-1",
            state=state,
            added_at=0.0,
            eip=EIP if isinstance(state, Unbinding) else None,
        )
        for number, state in enumerate(states)
    )


def broken_eni(problem):
    return NodeEni(eni_id="eni-1", mac="52:54:00:00:00:01", subnet_id="subnet-1", gateway="", problem=problem)


def why(*states, addresses=2, refused=False, frozen=None, broken=(), disabled_by="", refusals=()):
    """Say what is in the way on a node with one ENI that has so many addresses of the two it can have."""
    eni = pool.EniCapacity(eni_id="eni-1", subnet_id="subnet-1", addresses=addresses, refused=refused)
    return obstacle(
        pool.PoolFacts(
            ledger=ledger(*(states or (USED, USED))), enis=(eni,), limits=LIMITS, targets=pool.Targets()
        ),
        NOW,
        frozen=lambda: frozen,
        broken=[broken_eni(problem) for problem in broken],
        disabled_by=disabled_by,
        refusals=refusals,
    )


@pytest.mark.parametrize(
    "free",
    [
        Warm(since=1.0),
        Cooling(until=2000.0),
        Unbinding(since=NOW),
        Held(key=KEY, pod=pod_ref(), until=2000.0, by_name=False),
    ],
)
def test_nothing_is_in_the_way_of_an_address_that_may_come_free(free):
    assert why(USED, free, frozen=FROZEN, disabled_by="NodeENIConfig all") is None


def test_nothing_is_in_the_way_while_the_cloud_may_be_asked_for_more():
    assert why(USED, addresses=1) is None
    assert why(USED, addresses=1, broken=["no link"], refusals=[QUOTA], disabled_by="it") is None


def test_a_frozen_pool_is_said_where_it_could_grow():
    assert why(USED, addresses=1, frozen=FROZEN) is FROZEN
    assert isinstance(why(frozen=FROZEN), MEANT), "it is full, frozen or not"


def test_a_node_that_is_full_says_how_many_addresses_it_has():
    error = why()

    assert isinstance(error, MEANT)
    assert error.message == (
        "the node is full: all 2 addresses for Pods are taken "
        "(2 ENIs with 3 addresses each, less the node's own)"
    )


def test_a_node_that_is_full_says_which_addresses_should_have_come_free():
    error = why(USED, Unbinding(since=NOW - pool.UNBIND_SECONDS - 1))

    assert not isinstance(error, MEANT)
    assert error.message.endswith("; 1 of them wait for longer than 60 s until their EIPs are unbound")


def test_a_node_that_is_disabled_says_by_what():
    error = why(disabled_by="NodeENIConfig all")

    assert isinstance(error, MEANT)
    assert error.message == "the node has no addresses for Pods: it is disabled by NodeENIConfig all"


@pytest.mark.parametrize(
    ("broken", "addresses", "said"),
    [
        (["no link"], 2, "1 ENIs of the node cannot carry Pods: no link"),
        (["no link"], 1, ""),
        (["no link", "no gateway"], 1, "2 ENIs of the node cannot carry Pods: no link"),
    ],
)
def test_enis_that_cannot_carry_pods_are_in_the_way_when_no_other_may_come(broken, addresses, said):
    error = why(USED, addresses=addresses, refused=True, broken=broken)

    assert (error.message if error else "") == said


@pytest.mark.parametrize(
    ("refusals", "said"),
    [
        ([], None),
        ([QUOTA], QUOTA),
        ([QUOTA, TryAgainError("the subnet is empty")], QUOTA),
        ([FROZEN, QUOTA], FROZEN),
        ([BUSY], None),
        ([QUOTA, BUSY], None),
    ],
)
def test_what_the_cloud_refuses_for_long_is_said_and_what_may_pass_is_waited_for(refusals, said):
    assert why(USED, addresses=1, refused=True, refusals=refusals) is said
