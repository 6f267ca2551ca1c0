"""The delays of a back-off: growing, bounded, jittered."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.timing.backoff import Backoff


def test_delays_double_up_to_the_longest():
    backoff = Backoff(first=0.2, longest=1.0)
    assert [backoff.ceiling(attempt) for attempt in range(1, 6)] == [0.2, 0.4, 0.8, 1.0, 1.0]


@given(attempt=st.integers(-5, 10**9), seed=st.integers(), first=st.floats(0.001, 1.0))
def test_every_delay_lies_between_half_of_its_ceiling_and_the_ceiling(attempt, seed, first):
    backoff = Backoff(first=first, longest=30.0)
    delay = backoff.delay(attempt, random.Random(seed).random)
    ceiling = backoff.ceiling(attempt)
    assert ceiling / 2 <= delay <= ceiling <= 30.0


def test_two_clients_that_fail_together_do_not_come_back_together():
    backoff = Backoff(first=1.0, longest=8.0)
    ours, theirs = random.Random(1).random, random.Random(2).random
    assert [backoff.delay(n, ours) for n in range(1, 6)] != [backoff.delay(n, theirs) for n in range(1, 6)]


@pytest.mark.parametrize("wrong", [{"first": 0}, {"first": 6.0, "longest": 5.0}, {"factor": 0.5}])
def test_a_schedule_that_would_not_wait_or_would_shrink_is_refused(wrong):
    with pytest.raises(ValueError, match="back-off"):
        Backoff(**wrong)
