"""A Pod with a fixed private address and an EIP goes from node to node: the world sees the same addresses.

Agents, controller and packets are real; what the cloud was asked for is read from its audit.
"""

import json

import pytest

from testbed.probes import SourceReporter, seen_source
from tests.chaos.cluster import Cluster
from tests.chaos.pod_lives import Kind
from tests.testkit.eventually import comes_about

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
    pod = Moved(cluster)
    yield pod
    pod.life.end()
    assert pod.life.ended.wait(30)


class Moved:
    """One name, wherever its Pod is."""

    def __init__(self, cluster):
        self.cluster = cluster
        before = set(cluster.living())
        cluster.pods_come(Kind.FIXED_EIP, 0, 1)
        (self.life,) = set(cluster.living()) - before
        self.await_told()
        self.ip, self.eip_id = self.life.running.ip, self.life.eip_id
        claim = cluster.around.claims()[self.life.name]
        self.public_ip = claim["status"]["address"]["ip"]

    def await_told(self):
        """Wait until the Pod runs and both claims say so; who moves on before has more to do."""
        assert comes_about(self._is_told, 40.0), self.life

    def _is_told(self):
        claims = self.cluster.around.claims(), self.cluster.around.vpc_ip_claims()
        of_name = [claim.get(self.life.name, {}).get("status", {}) for claim in claims]
        bound = [status.get("phase") == "Bound" for status in of_name]
        uids = [status.get("binding", {}).get("podUID") for status in of_name]
        return all(bound) and set(uids) == {self.life.pod["metadata"]["uid"]} and bool(self.life.eip_id)

    def goes_to(self, number):
        """Replace the Pod by one on a node; return what the cloud was asked for its two addresses."""
        before = len(self.writes())
        node, name = self.cluster.nodes[number], self.life.name
        assert self.cluster.replace(self.life, node, forced=False)
        self.life = self.cluster.lives[name]
        self.life.eip_id = ""
        assert comes_about(lambda: self.life.running is not None, 40.0), self.life
        self.cluster.watchman.look()
        self.await_told()
        return self.writes()[before:]

    def writes(self):
        """The cloud's writes that name one of the Pod's addresses, oldest first."""
        rows = self.cluster.around.operate("GET", "/audit")["writes"]
        named = [(row, json.dumps(row["params"])) for row in rows]
        return [row["action"] for row, text in named if f'"{self.ip}"' in text or self.eip_id in text]

    def check_world(self):
        """Outside sees the Pod as its EIP and reaches it by that; in the VPC it has its own address."""
        internet, host = self.cluster.around.internet
        inside = self.life.sandbox.netns
        with SourceReporter(internet, port=8081):
            assert seen_source(inside, host, port=8081) == self.public_ip
        with SourceReporter(inside):
            assert seen_source(internet, self.public_ip) == host
        self.cluster.pods_come(Kind.PLAIN, 0, 1)
        neighbour = next(life for life in self.cluster.living() if life.kind is Kind.PLAIN)
        assert comes_about(lambda: neighbour.running is not None, 30.0)
        with SourceReporter(neighbour.sandbox.netns):
            assert seen_source(inside, neighbour.running.ip) == self.ip
        with SourceReporter(inside):
            assert seen_source(neighbour.sandbox.netns, self.ip) == neighbour.running.ip
        neighbour.end()
        assert neighbour.ended.wait(30)


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
