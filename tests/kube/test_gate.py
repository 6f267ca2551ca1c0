"""The gate's three regimes, on a clock of the test's own."""

import pytest

from ipamd.kube.gate import RequestGate
from tests.testkit.clock import Clock


@pytest.fixture
def time():
    return Clock(1000.0)


@pytest.fixture
def gate(time):
    return RequestGate(rate=10, burst=20, monotonic=time, sleep=time.sleep)


def admitted_in(gate, time, seconds):
    end = time.now + seconds
    count = 0
    while gate.admit(max(0.0, end - time.now)):
        count += 1
    return count


def test_a_burst_passes_and_then_the_rate_holds(gate, time):
    assert admitted_in(gate, time, 0) == 20
    assert admitted_in(gate, time, 10) == pytest.approx(100, abs=1)


def test_a_failing_server_is_asked_about_once_a_second(gate, time):
    gate.failed("connection refused")

    assert admitted_in(gate, time, 60) <= 62


def test_one_good_answer_restores_the_rate(gate, time):
    gate.failed("connection refused")
    admitted_in(gate, time, 10)

    gate.answered()

    assert admitted_in(gate, time, 0) == 20


def test_a_pause_holds_everybody_and_the_crowd_after_it_is_small(gate, time):
    gate.pause(30)

    assert not gate.admit(29)
    assert gate.admit(31)
    assert time.now == 1030
    assert admitted_in(gate, time, 0) <= 2


def test_who_will_not_wait_takes_no_turn(gate, time):
    gate.failed("connection refused")
    admitted_in(gate, time, 0)

    refused = [gate.admit(0.5) for _ in range(1000)]

    assert not any(refused)
    assert gate.admit(1.1)


def test_what_nobody_waits_for_leaves_half_of_the_burst_to_others(gate, time):
    for _ in range(10):
        assert gate.admit(0, last=True)
    assert time.now == 1000.0

    assert gate.admit(30, last=True)
    assert time.now > 1000.0
    assert admitted_in(gate, time, 0) >= 9


def test_what_nobody_waits_for_has_its_turn_when_others_never_rest(time):
    gates: list[RequestGate] = []

    def busy(seconds):
        time.sleep(seconds)
        admitted_in(gates[0], time, 0)

    gates.append(RequestGate(rate=10, burst=20, monotonic=time, sleep=busy))
    admitted_in(gates[0], time, 0)

    assert gates[0].admit(30, last=True)
    assert 1010.0 <= time.now <= 1010.2


def test_what_nobody_waits_for_is_not_held_up_beyond_its_patience(gate, time):
    admitted_in(gate, time, 0)
    gate.pause(30)

    assert not gate.admit(0.5, last=True)
    assert time.now == pytest.approx(1000.5)


def test_it_knows_when_the_server_was_seen_to_work(gate, time):
    assert gate.reachability.answered_at is None
    time.now = 1010.0
    gate.answered()
    time.now = 1020.0
    gate.failed("connection refused")

    assert gate.reachability.answered_at == 1010.0
