"""What becomes of a Pod with an ENI of its own when the ENI is taken away in the console."""

import time

import pytest

from ipamd.core.ledger.cloud_listing import FORGET_AFTER
from ipamd.core.timing.deadline import Deadline
from tests.agent.conftest import AgentBed
from tests.agent.exclusive.test_configured_node import offered
from tests.agent.exclusive.test_exclusive_pods import DIRECT, NODE_OPTIONS, Given, extended, ip_of, links
from tests.agent.pool.test_node_config import Node

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with AgentBed(tmp_path_factory.mktemp("losses")) as bed:
        yield bed.begin(*NODE_OPTIONS)


def detach(node, given):
    eni = extended(node)[given.ip]
    node.pool_at_rest()
    node.detach_eni(eni.eni_id)
    return eni


def states(node):
    """How the ENIs that Pods have are in the cloud, as the operator is told."""
    return [eni["state"] for eni in node.ctl("enis")["enis"] if eni["exclusive"] and eni["pod"]]


def test_the_next_sandbox_of_a_pod_whose_eni_was_detached_gets_another_one(node):
    given = Given(node, "detached")
    detach(node, given)
    node.eventually("the loss is told", lambda: states(node) == ["MISSING"])
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


def test_an_eni_that_was_detached_takes_no_place_of_the_node(tmp_path):
    with Node(tmp_path) as node:
        node.begin(*NODE_OPTIONS)
        node.configure(maxDirectENI=1)
        node.eventually("one is offered", lambda: offered(node) == "1")
        lost = Given(node, "lost")
        node.eventually("it is the only one", lambda: set(extended(node)) == {lost.ip}, seconds=60.0)
        detach(node, lost)
        node.eventually("the loss is told", lambda: states(node) == ["MISSING"])

        began = time.monotonic()
        _, sandbox = node.pod_and_sandbox("next", annotations=DIRECT)
        # As long as the cloud is detaching the old one its place is taken: the kubelet repeats the ADD.
        node.eventually("it has an ENI", lambda: node.call("add", sandbox)[0] == 0, seconds=60)

        assert time.monotonic() - began < FORGET_AFTER / 2
        _, result = node.call("add", sandbox)
        assert set(extended(node)) == {ip_of(result)}
        node.delete_pod(sandbox)
        lost.end()
