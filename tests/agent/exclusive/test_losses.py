"""What becomes of a Pod with an ENI of its own when the ENI is taken away in the console."""

import time

import pytest

from ipamd.core.timing.deadline import Deadline
from tests.agent.conftest import AgentBed
from tests.agent.exclusive.test_exclusive_pods import NODE_OPTIONS, Given, extended, links

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with AgentBed(tmp_path_factory.mktemp("losses")) as bed:
        yield bed.begin(*NODE_OPTIONS)


def detach(node, given):
    soon = Deadline.after(20.0, time.monotonic)
    eni = extended(node)[given.ip]
    node.cloud.detach_eni(eni.eni_id, node.node.instance_id, soon)
    return eni


def test_the_next_sandbox_of_a_pod_whose_eni_was_detached_gets_another_one(node):
    given = Given(node, "detached")
    detach(node, given)
    missing = [("MISSING", True)]
    node.eventually(
        "the loss is told",
        lambda: [(e["state"], e["exclusive"]) for e in node.ctl("enis")["enis"] if e["pod"]] == missing,
    )
    before = given.ip
    given.delete()

    given.sandbox = node.runtime.new_sandbox(pod=given.pod)
    node.eventually("another ENI", lambda: node.call("add", given.sandbox)[0] == 0, seconds=60)
    given.add()

    assert given.ip != before
    assert extended(node)[given.ip].mac in links(given.sandbox.netns)["eth0"]
    given.end()


def test_del_of_a_pod_whose_eni_was_deleted_succeeds_as_often_as_it_is_asked(node):
    given = Given(node, "deleted")
    eni = detach(node, given)
    node.cloud.delete_eni(eni.eni_id, Deadline.after(20.0, time.monotonic))

    assert node.call("del", given.sandbox)[0] == 0
    assert node.call("del", given.sandbox)[0] == 0
    node.runtime.remove_sandbox(given.sandbox)
    assert node.call("del", given.sandbox)[0] == 0
    node.workloads.remove_pod("deleted")
