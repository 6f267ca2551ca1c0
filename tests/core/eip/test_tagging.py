"""An account that takes no more tags is asked for less, step by step, down to none."""

from ipamd.core import tags
from ipamd.core.eip.tagging import Tagging


def test_each_step_asks_for_less_and_the_last_for_nothing():
    steps = [Tagging.FULL, Tagging.FULL.less, Tagging.FULL.less.less]

    assert [step.tags_of("cls-1", "uid-1") for step in steps] == [
        tags.of_claim("cls-1", "uid-1"),
        tags.of_cluster("cls-1"),
        {},
    ]
    assert steps[-1].less is steps[-1]
