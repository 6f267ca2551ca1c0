"""Durations, counted by buckets."""

import math

from ipamd.runtime.durations import DurationCounts


def test_each_is_counted_in_every_bucket_that_holds_it():
    counts = DurationCounts([0.1, 1.0])
    for seconds in (0.05, 0.1, 0.5, 7.0):
        counts.observe(seconds)

    found = counts.distribution()

    assert found.counts == ((0.1, 2), (1.0, 3), (math.inf, 4))
    assert found.total == 7.65


def test_nothing_was_counted_yet():
    assert DurationCounts([1.0]).distribution().counts == ((1.0, 0), (math.inf, 0))
