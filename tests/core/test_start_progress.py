"""How far a start is, in words and in a file that outlives releases."""

import pytest

from ipamd.core import start_progress
from ipamd.core.start_progress import StartProgress, StartStep


def test_the_sentence_has_the_step_its_number_and_what_it_waits_for():
    progress = StartProgress(step=StartStep.IDENTITY, since=10.0, waits_for="metadata is away; again in 4 s")

    assert progress.sentence(22.4) == (
        "starting, step 2 of 5 for 12 s: asking the metadata service and the cloud who this node is; "
        "it waits for: metadata is away; again in 4 s"
    )


@pytest.mark.parametrize("step", list(StartStep))
def test_what_was_written_is_read_again(step):
    progress = StartProgress(step=step, since=3.5, waits_for="x")

    assert start_progress.from_json(progress.to_json()) == progress


@pytest.mark.parametrize(
    "content", [None, [], {}, {"step": "LATER", "since": 1}, {"step": "STORE", "since": "x"}]
)
def test_what_another_release_wrote_is_nothing(content):
    assert start_progress.from_json(content) is None
