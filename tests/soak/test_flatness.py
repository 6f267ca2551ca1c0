"""A leak is found under noise, and noise, warm-up and single odd samples are not taken for one."""

import random

import pytest

from testbed.soak.flatness import Series, judge, slope

SECONDS = 180


def series(value, *, allowed=2.0, count=60):
    times = [SECONDS * number / (count - 1) for number in range(count)]
    return Series(name="RSS", allowed=allowed, samples=tuple((at, value(at)) for at in times))


def test_what_stays_as_it_is_is_flat():
    verdict = judge(series(lambda _: 40.0, allowed=0))
    assert verdict.flat
    assert (verdict.start, verdict.end, verdict.growth) == (40.0, 40.0, 0.0)


def test_a_leak_of_some_kilobytes_for_each_pod_is_found():
    """Ten Pods in three seconds are 400 in the two minutes that are judged: 3 MiB are lost."""
    chance = random.Random(1)
    verdict = judge(series(lambda at: 40.0 + 10 / 3 * at * 8 / 1024 + chance.uniform(-0.5, 0.5)))
    assert not verdict.flat
    assert verdict.growth == pytest.approx(3.1, abs=0.4)


def test_noise_and_odd_samples_are_no_leak():
    chance = random.Random(2)
    assert judge(series(lambda at: 40.0 + chance.uniform(-1, 1) + (30 if at > 177 else 0))).flat


def test_the_warm_up_is_not_judged():
    assert judge(series(lambda at: 20.0 + min(at, 50.0))).flat


def test_what_shrinks_is_no_leak():
    assert judge(series(lambda at: 100.0 - at / 10)).flat


def test_one_more_of_what_may_not_grow_is_found_if_it_stays():
    grown = judge(series(lambda at: 6.0 + at // 40, allowed=0))
    assert not grown.flat


def test_too_few_samples_prove_nothing():
    with pytest.raises(ValueError, match="samples after the warm-up"):
        judge(series(lambda _: 1.0, count=4))
    with pytest.raises(ValueError, match="never sampled"):
        judge(Series(name="x", allowed=0, samples=()))
    assert slope([(0.0, 1.0)]) == 0.0
