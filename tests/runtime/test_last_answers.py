"""How old the last good answers are."""

from ipamd.runtime.last_answers import LastAnswers
from tests.runtime.manual_clock import ManualClock


def test_an_answer_ages_and_one_that_never_came_is_as_old_as_the_process():
    clock = ManualClock()
    answered = {"cloud": clock.now(), "metadata": None}
    answers = LastAnswers(
        {"cloud": lambda: answered["cloud"], "metadata": lambda: answered["metadata"]}, monotonic=clock.now
    )
    clock.advance(10)
    assert answers.ages() == {"cloud": 10, "metadata": 10}

    answered["cloud"] = clock.now()
    clock.advance(5)

    assert answers.ages() == {"cloud": 5, "metadata": 15}
    (metric,) = answers.metrics()
    assert metric.samples == {("cloud",): 5, ("metadata",): 15}
