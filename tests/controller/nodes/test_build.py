"""The passes over Nodes as they are put together: which change of a Node brings the next one about."""

from dataclasses import replace

import pytest

from ipamd.controller.nodes import build as nodes_room
from ipamd.controller.tempo import ReplicaPace
from ipamd.core.kubernetes.node_taint import TaintMode
from ipamd.core.kubernetes.nodes import NodeView
from tests.testkit.eventually import eventually

FINE = NodeView(name="fine", ready=True, outage="", instance_id="ins-1")
DUE = replace(FINE, name="due", tainted=True, has_addresses=True, agent="no-pod")


class Cluster:
    """Two Nodes; counts how often all of them were looked at."""

    def __init__(self):
        self.listeners = []
        self.looked = 0

    def on_node(self, listener):
        self.listeners.append(listener)

    def node(self, name):
        return {node.name: node for node in (FINE, DUE)}.get(name)

    def nodes(self):
        self.looked += 1
        return []

    def tell(self, name):
        for listener in self.listeners:
            listener(name)


def built(mode):
    cluster = Cluster()
    services = nodes_room.build(
        mode, cluster, None, fence=None, teller=None, tempo=ReplicaPace()
    ).while_leading
    return cluster, next(service for service in services if service.name == "node taints")


def test_a_node_from_which_the_taint_is_to_be_taken_is_looked_at_long_before_the_next_period():
    cluster, taints = built(TaintMode.REMOVE)
    taints.start()
    try:
        eventually(lambda: cluster.looked == 1)
        cluster.tell("due")
        eventually(lambda: cluster.looked == 2, seconds=15.0)
    finally:
        assert taints.stop(10.0)


@pytest.mark.parametrize(
    ("mode", "listeners"), [(TaintMode.OFF, 1), (TaintMode.REMOVE, 2), (TaintMode.KEEP, 2)]
)
def test_who_leaves_the_taint_alone_follows_no_node_for_it(mode, listeners):
    cluster, _ = built(mode)

    assert len(cluster.listeners) == listeners
