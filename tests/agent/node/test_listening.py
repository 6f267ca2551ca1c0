"""The listener's thread: it has a round made when it begins, and ends when it is told to."""

import queue

import pytest

from ipamd.agent.node.kernel_listener import KernelListener
from ipamd.net import netns

pytestmark = pytest.mark.netns


@pytest.fixture
def woken():
    return queue.SimpleQueue()


def test_it_wakes_once_it_listens_and_its_wait_is_cut_short_by_the_stop(woken):
    listener = KernelListener(lambda: woken.put("a round"), lambda: ())
    netns.run_apart(listener.start)  # where nothing changes that could end the wait

    assert woken.get(timeout=10) == "a round"
    assert listener.stop(5.0)
    assert woken.empty()


def test_one_that_was_never_started_has_ended(woken):
    assert KernelListener(lambda: None, lambda: ()).stop(0.0)
