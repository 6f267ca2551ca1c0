"""Some times at once, then one for each period; whatever the clock does, never more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.timing.allowance import Allowance

START = 1000.0


def test_a_full_one_is_used_at_once_and_then_waited_for():
    allowance = Allowance.full(3, 5.0, START)
    for _ in range(3):
        assert allowance.wait(START) == 0
        allowance = allowance.used(START)

    assert allowance.wait(START) == 5.0
    assert allowance.wait(START + 4.0) == pytest.approx(1.0)
    assert allowance.wait(START + 5.0) == 0


def test_it_is_full_again_after_a_while_and_no_fuller():
    allowance = Allowance.full(2, 5.0, START).used(START).used(START)
    for _ in range(2):
        assert allowance.wait(START + 1000.0) == 0
        allowance = allowance.used(START + 1000.0)
    assert allowance.wait(START + 1000.0) > 0


@given(st.lists(st.floats(0, 20, allow_nan=False), max_size=60))
def test_whoever_waits_gets_no_more_than_burst_and_rate(pauses):
    allowance, now, uses = Allowance.full(4, 5.0, START), START, 0
    for pause in pauses:
        now += pause + allowance.wait(now + pause)
        allowance = allowance.used(now)
        uses += 1
    assert uses <= 4 + (now - START) / 5.0 + 1e-6
