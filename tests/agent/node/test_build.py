"""The node's parts as they are put together: which settings make an agent follow the cluster's ranges."""

import contextlib
from types import SimpleNamespace

import pytest

from ipamd.agent.node import build as node_room
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.store.database import Database
from simulator.kube import KubeServer, Store, listen
from tests.testkit.eventually import comes_about


@pytest.mark.parametrize(
    ("pod_egress", "direct_eni", "followed"),
    [("node", False, True), ("node", True, True), ("eni", True, True), ("eni", False, False)],
)
def test_ranges_are_followed_where_they_decide_by_which_way_a_packet_leaves(
    tmp_path, pod_egress, direct_eni, followed
):
    settings = SimpleNamespace(
        pod_egress=pod_egress, direct_eni=direct_eni, direct_cidrs=("10.9.0.0/16",), service_cidrs=()
    )
    facts = SimpleNamespace(current=SimpleNamespace(vpc_cidrs=("10.0.0.0/16",)))
    with (
        KubeServer(Store(), [listen()]) as kube,
        contextlib.closing(KubeClient(Connection(server=kube.url), component="test")) as client,
        Database(tmp_path / "ipamd.db") as database,
    ):
        ranges = node_room.ranges(settings, facts, client=client, database=database)
        service = node_room.watch(ranges)
        service.start()
        seen = comes_about(lambda: kube.traffic.count(verb="list") >= 2, 20.0 if followed else 0.3)
        assert service.stop(10.0)

    assert seen is followed
    assert ranges.current().direct == ("10.0.0.0/16", "10.9.0.0/16")
