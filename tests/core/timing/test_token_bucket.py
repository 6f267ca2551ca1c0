"""A stream of requests keeps to its rate, with a burst after a pause, and waits no longer than it may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.timing.token_bucket import TokenBucket


def test_a_burst_goes_at_once_and_the_rest_at_the_rate():
    bucket = TokenBucket(rate=2.0, burst=3)

    assert [bucket.reserve(100.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]


def test_a_pause_pays_for_one_burst_and_no_more():
    bucket = TokenBucket(rate=2.0, burst=3)
    for _ in range(3):
        bucket.reserve(0.0)

    assert [bucket.reserve(1000.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert bucket.reserve(1000.5) == 0.5


def test_whoever_does_not_wait_so_long_takes_no_token():
    bucket = TokenBucket(rate=1.0, burst=1)
    assert bucket.reserve(0.0) == 0.0

    assert bucket.reserve(0.0, patience=0.9) is None
    assert bucket.reserve(0.0, patience=1.0) == 1.0


def test_a_wait_that_is_a_rounding_error_is_none():
    bucket = TokenBucket(rate=1.0, burst=1)
    bucket.reserve(10.0)

    assert bucket.reserve(11.0 - 5e-7) == 0.0
    assert bucket.reserve(12.0 - 1e-3) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_bucket_that_never_lets_anything_through_is_refused(rate, burst):
    with pytest.raises(ValueError, match=f"rate {rate} and burst {burst}"):
        TokenBucket(rate=rate, burst=burst)


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 1), (100.0, 1)])
def test_the_smallest_bucket_is_allowed(rate, burst):
    assert TokenBucket(rate=rate, burst=burst).reserve(0.0) == 0.0


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5))
def test_in_no_time_more_goes_through_than_rate_and_burst_allow(pauses, burst):
    bucket, now, through = TokenBucket(rate=2.0, burst=burst), 0.0, []
    for pause in pauses:
        now += pause
        through.append(now + bucket.reserve(now))

    assert through == sorted(through)
    for first, one in enumerate(through):
        for count, other in enumerate(through[first:], start=1):
            assert count <= burst + 2.0 * (other - one) + 1e-4
