"""What the cloud says of this node later: taken over, remembered and told when it differs."""

import json
from dataclasses import asdict, replace

import pytest

from ipamd.agent import facts
from ipamd.agent.live_facts import LiveFacts
from ipamd.core import model
from ipamd.runtime.reachability import Reachability
from ipamd.store.database import Database
from tests.testkit.node_facts import NODE_FACTS

RESIZED = replace(NODE_FACTS, limits=model.EniLimits(enis=8, ips_per_eni=20))


class Scene:
    """A node whose cloud answers what a test says."""

    def __init__(self, database):
        self.database, self.answer = database, NODE_FACTS
        self.changes: list[facts.NodeFacts] = []
        self.answers = 0
        self.live = LiveFacts(
            NODE_FACTS,
            ask=lambda _: self.answer,
            database=database,
            interval=60.0,
            metadata=Reachability("the metadata service"),
        )
        self.live.on_change(lambda: self.changes.append(self.live.current))
        self.live.on_answer(self._answered)

    def _answered(self):
        self.answers += 1


@pytest.fixture
def scene(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Scene(database)


def test_what_differs_is_current_remembered_and_told(scene):
    scene.answer = RESIZED

    scene.live.refresh()

    assert scene.live.current == RESIZED
    assert scene.changes == [RESIZED]
    assert scene.database.fact(facts.FACT) == json.loads(json.dumps(asdict(RESIZED)))


def test_an_answer_like_the_one_before_is_no_change(scene):
    scene.live.refresh()

    assert (scene.changes, scene.answers) == ([], 1)
    assert scene.live.current == NODE_FACTS


@pytest.mark.parametrize("other", ["ins-4", "ins-6"])
def test_what_is_said_of_another_instance_is_not_used(scene, other):
    scene.answer = replace(RESIZED, instance=replace(NODE_FACTS.instance, instance_id=other))

    scene.live.refresh()

    assert scene.live.current == NODE_FACTS
    assert (scene.changes, scene.answers) == ([], 0)
    assert scene.database.fact(facts.FACT) is None
