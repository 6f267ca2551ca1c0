"""Nodes ask the cloud once an interval, and less when they are too many for the account's rate."""

import random

from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.poll_interval import LookPace

THROTTLED = CloudErrorKind.THROTTLED


def seconds(pace, chance=0.0):
    return pace.seconds(lambda: chance)


def test_a_look_comes_at_most_an_interval_after_the_last():
    pace = LookPace(interval=30.0)
    assert seconds(pace) == 30.0
    assert 24.0 <= seconds(pace, 0.999) < 30.0
    assert seconds(pace.after(None)) == 30.0


def test_throttled_it_waits_twice_as_long_up_to_a_bound_and_comes_back_step_by_step():
    pace = LookPace(interval=30.0)
    waits = []
    for _ in range(6):
        pace = pace.after(THROTTLED)
        waits.append(seconds(pace))
    assert waits == [60.0, 120.0, 240.0, 300.0, 300.0, 300.0]
    back = []
    while seconds(pace) > 30.0:
        pace = pace.after(None)
        back.append(seconds(pace))
    assert back == sorted(back, reverse=True)
    assert len(back) == 9


def test_another_failure_changes_nothing():
    pace = LookPace(interval=30.0).after(THROTTLED)
    assert seconds(pace.after(CloudErrorKind.UNKNOWN_OUTCOME)) == 60.0
    assert seconds(LookPace(interval=30.0).after(CloudErrorKind.INTERNAL)) == 30.0


def test_an_interval_above_the_bound_stays_what_it_is():
    assert seconds(LookPace(interval=600.0).after(THROTTLED)) == 600.0


def test_too_many_nodes_for_the_rate_settle_below_it():
    """4,000 nodes whose 30 s would be 148 requests a second, an account that answers 100: no node starves."""
    chance, rate, nodes = random.Random(1), 100, 4_000
    paces = [LookPace(interval=30.0)] * nodes
    due = [chance.random() * 30.0 for _ in range(nodes)]
    looks = [0] * nodes
    asked_late = 0
    for second in range(900):
        answered = 0
        asking = [number for number in range(nodes) if due[number] < second + 1]
        chance.shuffle(asking)
        for number in asking:
            answered += 1
            failure = THROTTLED if answered > rate else None
            looks[number] += failure is None
            paces[number] = paces[number].after(failure)
            due[number] = second + paces[number].seconds(chance.random)
        if second >= 600:
            asked_late += answered
    assert asked_late / 300 < 2 * rate
    assert min(looks) >= 1
