"""Who does not answer is called silent after a moment, and no longer than until its next answer."""

from ipamd.runtime.reachability import PATIENCE, Reachability
from tests.testkit.clock import Clock


def test_one_failure_after_a_young_answer_is_no_silence():
    clock = Clock(1000.0)
    cloud = Reachability("cloud", monotonic=clock)
    cloud.answered()
    clock.now += PATIENCE
    cloud.failed("connection refused")

    assert cloud.silence() == []
    clock.now += 37
    assert cloud.silence() == ["cloud does not answer (last good 42s ago): connection refused"]


def test_an_answer_ends_it_also_a_refusal():
    clock = Clock(1000.0)
    cloud = Reachability("cloud", monotonic=clock)
    clock.now += 60
    cloud.failed("timed out")
    assert cloud.silence() == [
        "cloud does not answer (has not answered since the agent's start): timed out",
    ]

    cloud.refused()

    assert cloud.silence() == []


def test_who_is_not_asked_is_not_silent_however_old_its_answer():
    clock = Clock(1000.0)
    cloud = Reachability("cloud", monotonic=clock)
    cloud.answered()
    clock.now += 3600

    assert cloud.silence() == []


def test_who_did_not_answer_somebody_that_waited_is_silent_at_once_and_until_it_answers():
    clock = Clock(1000.0)
    cloud = Reachability("cloud", monotonic=clock)
    cloud.answered()
    cloud.failed("connection refused")
    assert cloud.silence() == []

    cloud.waited_in_vain("not sent, because it fails", last=cloud.answered_at)

    assert cloud.silence() == ["cloud does not answer (last good 0s ago): connection refused"]
    cloud.failed("timed out")
    assert cloud.silence() == ["cloud does not answer (last good 0s ago): timed out"]
    cloud.answered()
    cloud.failed("connection refused")
    assert cloud.silence() == []


def test_an_answer_to_another_request_counts_more_than_to_have_waited_in_vain():
    clock = Clock(1000.0)
    cloud = Reachability("cloud", monotonic=clock)
    cloud.answered()
    before = cloud.answered_at
    clock.now += 1
    cloud.answered()

    cloud.waited_in_vain("timed out", last=before)

    assert cloud.silence() == []
