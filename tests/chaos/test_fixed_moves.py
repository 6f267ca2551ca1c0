"""A Pod with a fixed private address and an EIP goes from node to node: the world sees the same addresses.

Agents, controller and packets are real; what the cloud was asked for is read from its audit.
"""

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.moved import Moved
from tests.chaos.pod_lives import Kind

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
        cluster.settle()
        assert cluster.verdicts.sentences() == []


@pytest.fixture
def moved(cluster):
    """A Pod that runs on the first node."""
    pod = Moved(cluster, Kind.FIXED_EIP)
    yield pod
    pod.ends()


def test_a_move_keeps_both_addresses_and_asks_for_the_least(cluster, moved):
    moved.check_world()

    asked = moved.goes_to(1)

    assert moved.life.running.ip == moved.ip
    assert asked == [
        "DisassociateAddress",
        "UnassignPrivateIpAddresses",
        "AssignPrivateIpAddresses",
        "AssociateAddress",
    ]
    moved.check_world()
    moved.goes_to(0)
    assert moved.life.running.ip == moved.ip
    moved.check_world()


def test_on_the_same_node_nothing_is_asked_for(cluster, moved):
    asked = moved.goes_to(0)

    assert asked == []
    assert moved.life.running.ip == moved.ip
    moved.check_world()
