"""Who does not answer is called silent after a moment, and no longer than until its next answer."""

from ipamd.runtime.reachability import PATIENCE, Reachability


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_one_failure_after_a_young_answer_is_no_silence():
    clock = Clock()
    cloud = Reachability("cloud", monotonic=clock)
    cloud.answered()
    clock.now += PATIENCE
    cloud.failed("connection refused")

    assert cloud.silence() == []
    clock.now += 37
    assert cloud.silence() == ["cloud does not answer (last good 42s ago): connection refused"]


def test_an_answer_ends_it_also_a_refusal():
    clock = Clock()
    cloud = Reachability("cloud", monotonic=clock)
    clock.now += 60
    cloud.failed("timed out")
    assert cloud.silence() == [
        "cloud does not answer (has not answered since the agent's start): timed out",
    ]

    cloud.refused()

    assert cloud.silence() == []


def test_who_is_not_asked_is_not_silent_however_old_its_answer():
    clock = Clock()
    cloud = Reachability("cloud", monotonic=clock)
    cloud.answered()
    clock.now += 3600

    assert cloud.silence() == []
