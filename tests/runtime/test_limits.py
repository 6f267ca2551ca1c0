"""Locks by name, slots and rates: who comes too late or as one too many is told so."""

import threading
import time

import pytest

from ipamd.core.errors import TryAgainError
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.concurrency_limit import ConcurrencyLimit
from ipamd.runtime.keyed_lock import KeyedLock
from ipamd.runtime.rate_limit import RateLimit


def soon(seconds=10.0):
    return Deadline.after(seconds, time.monotonic)


def late():
    return TryAgainError("too late")


def test_one_name_is_held_by_one_and_others_do_not_wait():
    locks: KeyedLock[str] = KeyedLock()
    with (
        locks.held("a", soon(), late),
        locks.held("b", soon(0), late),
        pytest.raises(TryAgainError, match="too late"),
        locks.held("a", soon(0), late),
    ):
        pytest.fail("two at once")
    with locks.held("a", soon(0), late):
        pass


def test_the_lock_passes_to_who_waits_and_nothing_stays_behind():
    locks: KeyedLock[str] = KeyedLock()
    order = []

    def second():
        with locks.held("a", soon(), late):
            order.append("second")

    with locks.held("a", soon(), late):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert locks._locks == {}


def test_an_error_inside_gives_the_lock_and_the_slot_back():
    locks: KeyedLock[str] = KeyedLock()
    limit = ConcurrencyLimit(1)
    with pytest.raises(ZeroDivisionError), locks.held("a", soon(), late), limit.slot(late):
        raise ZeroDivisionError
    with locks.held("a", soon(0), late), limit.slot(late):
        pass


def test_one_too_many_is_refused_at_once():
    limit = ConcurrencyLimit(2)
    with (
        limit.slot(late),
        limit.slot(late),
        pytest.raises(TryAgainError, match="too late"),
        limit.slot(late),
    ):
        pytest.fail("too many")
    with limit.slot(late):
        pass


def test_after_a_pause_the_crowd_comes_at_the_rate():
    now = [100.0]
    limit = RateLimit(rate=2.0, burst=1, clock=lambda: now[0])
    limit.pause(10)
    limit.pause(3)

    assert limit.reserve(9.9) is None
    assert limit.reserve() == pytest.approx(10.0)
    assert limit.reserve() == pytest.approx(10.5)
    assert limit.reserve() == pytest.approx(11.0)
    now[0] = 200.0
    assert limit.reserve() == 0.0
