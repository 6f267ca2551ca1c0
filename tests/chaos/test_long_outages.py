"""The cloud, or the API server, is away for longer than back-offs take to grow: it is found again.

What waits must neither have given up nor wait for much longer than the outage lasted. The daemons of this bed
have grown their pauses to the caps after a second (cloud 0.5 s and 0.1 s, work of the controller 1 s, its
watches 0.2 s); what has the caps of production (watches and refusals of the agent, 30 s) pauses for 8 s.
`make faults` draws outages that reach those too.
"""

import time

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.pod_lives import Kind
from tests.chaos.surroundings import BOUND
from tests.chaos.troubles import Troubles
from tests.testkit.eventually import comes_about

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

LASTS = 12.0
"""Seconds: twelve times the longest cap that the bed has set, and past 1 + 2 + 4 of a doubling pause."""
NO_END = 600.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def come(cluster, kind, node, count):
    """Create Pods; return them."""
    before = cluster.living()
    cluster.pods_come(kind, node, count)
    return [life for life in cluster.living() if life not in before]


def bound(cluster):
    """The EIPs that are bound, by the address where they are."""
    eips = cluster.around.state()["eips"]
    return {e["PrivateAddressIp"]: e["AddressId"] for e in eips if e["AddressStatus"] in BOUND}


@pytest.mark.parametrize(
    "trouble", [Troubles.ENDPOINT_GONE, Troubles.API_SERVER_DOWN], ids=lambda trouble: trouble.name.lower()
)
def test_pods_keep_their_eips_through_a_long_outage_and_what_waited_is_done_soon_after(cluster, trouble):
    stay = come(cluster, Kind.EIP, 0, 2) + come(cluster, Kind.RETAINED, 1, 1)
    go = come(cluster, Kind.EIP, 0, 2) + come(cluster, Kind.PLAIN, 1, 1)
    assert comes_about(lambda: all(life.running for life in stay + go), 20.0)
    networks = {life: life.running for life in stay}
    theirs = {life.running.ip: bound(cluster)[life.running.ip] for life in stay}

    cluster.begin_trouble(trouble, NO_END)
    for life in go:
        life.end()
    late = (
        come(cluster, Kind.EIP, 0, 2) + come(cluster, Kind.RETAINED, 1, 1) + come(cluster, Kind.PLAIN, 1, 1)
    )
    cluster.time_passes(LASTS)
    assert all(life.ended.is_set() for life in go)
    assert {life: life.running for life in stay} == networks
    assert {ip: eip_id for ip, eip_id in bound(cluster).items() if ip in theirs} == theirs
    assert not any(life.running for life in late if life.kind.wants_eip)
    cluster.end_troubles(float("inf"))

    began = time.monotonic()
    assert comes_about(lambda: all(life.running for life in late), 30.0)
    assert {life: life.running for life in stay} == networks
    cluster.settle()
    assert cluster.verdicts.sentences() == []
    assert time.monotonic() - began < 60.0
