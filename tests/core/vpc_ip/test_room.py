"""Room on ENIs for fixed addresses: the pool leaves it, and makes it where there is none."""

from dataclasses import replace

import pytest

from ipamd.core import model, pool
from ipamd.core.ledger import ledger
from ipamd.core.vpc_ip import room
from tests.testkit.vpc_ip_claims import SUBNET

NOW = 1000.0
ENI = pool.EniCapacity(eni_id="eni-1", subnet_id=SUBNET, addresses=3)
WANTED = {SUBNET: 1}


def facts(*enis, warm=(), most=3, per_eni=5, targets=None, **known):
    current = ledger.Ledger()
    for eni_id, ip in warm:
        current = ledger.adopt(current, eni_id, [ip], NOW).ledger
    return pool.PoolFacts(
        ledger=current,
        enis=enis,
        limits=model.EniLimits(enis=most, ips_per_eni=per_eni + 1),
        targets=targets or pool.Targets(min_warm=0, max_warm=5),
        **known,
    )


def test_the_pool_leaves_a_place_for_each_address_that_is_to_come():
    known = facts(ENI, targets=pool.Targets(min_warm=2, max_warm=2))

    assert pool.plan(known, NOW) == [pool.AssignIps(eni_id="eni-1", count=2)]
    planned = pool.plan(room.reserved(known, WANTED), NOW)
    assert planned == [pool.AssignIps(eni_id="eni-1", count=1), pool.CreateEni(count=1)]


def test_where_nothing_is_to_come_the_pool_plans_as_ever():
    known = facts(ENI)

    assert room.reserved(known, {}) is known
    assert room.made(known, {}) == []


def test_where_there_is_room_nothing_is_asked_for():
    assert room.made(facts(ENI), {SUBNET: 2}) == []


@pytest.mark.parametrize(
    "enis",
    [(), (replace(ENI, addresses=5),), (replace(ENI, subnet_id="subnet-b"),), (replace(ENI, broken=True),)],
)
def test_an_eni_is_made_in_the_very_subnet(enis):
    assert room.made(facts(*enis), WANTED) == [pool.CreateEni(count=0, subnet_id=SUBNET)]
    assert room.obstacle(facts(*enis), SUBNET) == ""


def test_one_eni_is_made_at_a_time():
    assert room.made(facts(creating=True), WANTED) == []


def test_where_there_can_be_no_more_enis_a_warm_address_gives_way():
    full = replace(ENI, addresses=5)
    known = facts(full, warm=[("eni-1", "10.0.1.9"), ("eni-0", "10.0.2.9")], most=2)

    assert room.made(known, WANTED) == [pool.UnassignIps(eni_id="eni-1", ips=("10.0.1.9",))]
    assert room.made(replace(known, enis=(replace(full, busy=True),)), WANTED) == []


def test_where_pods_have_everything_it_is_said():
    full = facts(replace(ENI, addresses=5), most=2)
    elsewhere = facts(replace(ENI, subnet_id="subnet-b"), most=2)

    assert room.made(full, WANTED) == []
    assert room.obstacle(full, SUBNET) == f"Pods have all 5 addresses of the node's ENIs in {SUBNET}"
    assert room.obstacle(elsewhere, SUBNET) == f"the node has 1 of 1 ENIs for Pods and none in {SUBNET}"


def test_a_refused_eni_is_not_asked_for_again_at_once():
    refused = facts(may_create=False)

    assert room.made(refused, WANTED) == []
    assert "refuses" in room.obstacle(refused, SUBNET)
