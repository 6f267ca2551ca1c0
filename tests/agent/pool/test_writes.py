"""Cloud writes of the pool: one at a time for each subject; what was refused is not tried again at once."""

import threading
import time

import pytest

from ipamd.agent.pool.executor import SubnetRefusedError
from ipamd.agent.pool.writes import CREATION, PoolWrites
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import KernelError, TryAgainError
from ipamd.core.timing.deadline import Deadline
from tests.testkit.eventually import eventually

BUSY = TryAgainError("the ENI is busy")
QUOTA = cloud_error("CreateNetworkInterface", "LimitExceeded", "the quota is used up")


def soon(seconds=10.0):
    return Deadline.after(seconds, time.monotonic)


class Scene:
    def __init__(self):
        self.writes = PoolWrites(lambda: 100.0)
        self.ended: list[dict[str, int]] = []
        self.writes.on_end(lambda: self.ended.append(self.writes.arriving()))

    def over(self, number=1):
        eventually(lambda: len(self.ended) == number, "that many writes have ended")


@pytest.fixture
def scene():
    scene = Scene()
    scene.writes.start()
    yield scene
    assert scene.writes.stop(10)


def raising(error):
    def write():
        raise error

    return write


def test_the_end_of_a_write_is_told_once_its_subject_is_free_again(scene):
    done = []

    scene.writes.grow("eni-1", 3, lambda: done.append("assigned"))
    scene.over()

    assert (done, scene.ended) == (["assigned"], [{}])


def test_the_end_of_one_that_failed_is_told_too(scene):
    scene.writes.grow("eni-1", 3, raising(BUSY))
    scene.over()

    assert scene.ended == [{}]
    assert scene.writes.growth.is_closed("eni-1")
    assert scene.writes.activity() == ["eni-1: the ENI is busy"]


def test_what_is_under_way_is_told_with_what_it_will_bring(scene):
    go = threading.Event()
    scene.writes.grow("eni-1", 3, go.wait)
    scene.writes.give_back("eni-2", go.wait)

    assert scene.writes.arriving() == {"eni-1": 3, "eni-2": 0}
    assert scene.writes.activity() == ["3 addresses for eni-1", "a change of eni-2"]
    go.set()
    scene.over(2)


def test_a_subject_has_one_write_at_a_time(scene):
    go, done = threading.Event(), []
    scene.writes.grow("eni-1", 3, go.wait)
    scene.writes.grow("eni-1", 5, lambda: done.append("a second one"))
    scene.writes.give_back("eni-1", lambda: done.append("a third one"))

    assert scene.writes.arriving() == {"eni-1": 3}
    go.set()
    scene.over()
    assert done == []


def test_an_eni_that_has_to_keep_an_address_may_have_another(scene):
    scene.writes.give_back("eni-1", raising(BUSY))
    scene.over()

    assert scene.writes.returns.is_closed("eni-1")
    assert not scene.writes.growth.is_closed("eni-1")
    assert scene.writes.refusals() == []
    assert scene.writes.activity() == ["eni-1: the ENI is busy"]


def test_a_success_forgets_what_was_refused(scene):
    scene.writes.grow("eni-1", 3, raising(BUSY))
    scene.over()
    scene.writes.grow("eni-1", 3, lambda: None)
    scene.over(2)

    assert scene.writes.refusals() == []


def test_a_subnet_that_is_refused_is_closed_and_not_the_creation_of_enis(scene):
    scene.writes.grow(CREATION, 5, raising(SubnetRefusedError("subnet-1", QUOTA)))
    scene.over()

    assert scene.writes.growth.is_closed("subnet-1")
    assert not scene.writes.growth.is_closed(CREATION)


def test_the_cloud_s_own_words_come_first_of_what_was_refused(scene):
    scene.writes.grow("eni-1", 3, raising(KernelError("no link", errno=19)))
    scene.over()
    scene.writes.grow(CREATION, 5, raising(QUOTA))
    scene.over(2)
    scene.writes.grow("eni-2", 3, raising(BUSY))
    scene.over(3)

    assert scene.writes.refusals()[0] is QUOTA
    assert len(scene.writes.refusals()) == 3


def test_a_defect_gives_the_subject_back_and_is_told(scene, caplog):
    scene.writes.grow("eni-1", 3, raising(ZeroDivisionError("a defect of the test")))
    scene.over()

    assert [error.message for error in scene.writes.refusals()] == [
        "a defect of the agent: ZeroDivisionError"
    ]
    assert any("a defect" in record.getMessage() for record in caplog.records)


def test_an_eni_s_turn_is_had_by_one(scene):
    with scene.writes.turn("eni-1", soon()):
        assert scene.writes.arriving() == {"eni-1": 0}
        with scene.writes.turn("eni-2", soon(0)):
            pass
        with pytest.raises(TryAgainError, match="ENI eni-1"), scene.writes.turn("eni-1", soon(0)):
            pytest.fail("two at once")

    with scene.writes.turn("eni-1", soon(0)):
        pass


def test_who_waits_for_an_eni_s_turn_has_it_when_the_write_ends(scene):
    go, had = threading.Event(), []

    def wait():
        with scene.writes.turn("eni-1", soon()):
            had.append(go.is_set())

    scene.writes.grow("eni-1", 3, go.wait)
    waiting = threading.Thread(target=wait)
    waiting.start()
    go.set()
    waiting.join(10)

    assert had == [True]
