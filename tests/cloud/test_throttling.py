"""The rate of one process: its share of the account's allowance, and silence after a refusal."""

import pytest

from ipamd.cloud.throttling import Limiter, node_limiter
from tests.testkit.clock import Clock


@pytest.fixture
def clock():
    return Clock(0.0)


def test_calls_beyond_the_burst_wait_for_their_share_of_the_rate(clock):
    limiter = Limiter(clock=clock, share=0.5, burst_seconds=1.0, allowance={"AssociateAddress": 10})
    waits = [limiter.reserve("AssociateAddress", 60) for _ in range(8)]
    assert waits == pytest.approx([0, 0, 0, 0, 0, 0.2, 0.4, 0.6])


def test_in_the_long_run_the_rate_is_the_share(clock):
    limiter = Limiter(clock=clock, share=0.25, allowance={"AssociateAddress": 10})
    for _ in range(100):
        clock.now += limiter.reserve("AssociateAddress", 1e6)
    assert clock.now == pytest.approx(95 / 2.5, rel=0.01)


def test_actions_do_not_wait_for_one_another(clock):
    limiter = Limiter(clock=clock, share=0.1)
    while limiter.reserve("AssociateAddress", 60) == 0:
        pass
    assert limiter.reserve("DisassociateAddress", 60) == 0


def test_a_turn_that_would_come_too_late_is_not_taken(clock):
    limiter = Limiter(clock=clock, share=0.1, burst_seconds=1.0, allowance={"AssociateAddress": 10})
    assert limiter.reserve("AssociateAddress", 60) == 0
    assert limiter.reserve("AssociateAddress", 0.5) is None
    assert limiter.reserve("AssociateAddress", 2) == pytest.approx(1.0)


def test_an_action_that_is_too_fast_for_the_cloud_is_left_alone_for_a_while(clock):
    limiter = Limiter(clock=clock, share=1.0)
    limiter.quieten("DescribeAddresses", 3)
    limiter.quieten("DescribeAddresses", 1)
    assert limiter.reserve("DescribeAddresses", 2) is None
    assert limiter.reserve("DescribeAddresses", 10) == 3
    clock.now = 3.0
    assert limiter.reserve("DescribeAddresses", 10) == 0


def test_an_action_without_a_known_rate_gets_the_lowest_one(clock):
    limiter = Limiter(clock=clock, share=1.0, burst_seconds=1.0)
    waits = [limiter.reserve("SomethingNew", 60) for _ in range(11)]
    assert waits[-1] == pytest.approx(0.1)


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_is_a_part_of_the_whole(clock, share):
    with pytest.raises(ValueError, match="share"):
        Limiter(clock=clock, share=share)


def test_an_action_may_have_a_share_of_its_own_and_no_more_at_once_than_the_account_admits(clock):
    limiter = Limiter(
        clock=clock,
        share=0.5,
        shares={"AllocateAddresses": 0.8},
        allowance={"AllocateAddresses": 10, "AssociateAddress": 10},
    )

    orders = [limiter.reserve("AllocateAddresses", 60) for _ in range(12)]
    binds = [limiter.reserve("AssociateAddress", 60) for _ in range(12)]

    assert orders == pytest.approx([0] * 10 + [0.125, 0.25])
    assert binds == pytest.approx([0] * 10 + [0.2, 0.4])
    with pytest.raises(ValueError, match=r"not 1\.5"):
        Limiter(clock=clock, shares={"AllocateAddresses": 1.5})


def test_a_node_binds_all_its_eips_at_once_and_then_keeps_to_its_share(clock):
    limiter = node_limiter(clock)

    waits = [limiter.reserve("AssociateAddress", 60.0) for _ in range(12)]

    assert waits[:9] == [0.0] * 9
    assert waits[9:] == pytest.approx([0.4, 0.8, 1.2])
