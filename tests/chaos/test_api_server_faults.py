"""The API server fails in its ways: running Pods keep their EIPs, DEL works, and nobody storms the server.

Real agents and a controller; the Watchman looks at the EIPs of running Pods all the time, and each test ends
with all troubles over, everything mended and nothing left.
"""

import http.client
import time

import pytest

from ipamd.kube.gate import RequestGate
from ipamd.kube.resources import NODES
from tests.chaos.cluster import Cluster
from tests.chaos.pod_lives import Kind
from tests.chaos.troubles import Troubles
from tests.testkit.eventually import comes_about

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

LONG = 600.0
"""Seconds that no test lasts: its end heals."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def pods(cluster):
    """Two Pods with EIP and one without that run on the first node."""
    cluster.pods_come(Kind.EIP, 0, 2)
    cluster.pods_come(Kind.PLAIN, 0, 1)
    pods = cluster.living()
    assert comes_about(lambda: all(life.running for life in pods), 20.0)
    cluster.watchman.look()
    yield pods
    cluster.settle()
    assert cluster.verdicts.sentences() == []


def source_seen(life):
    """The address with which a server in the internet sees the Pod."""

    def ask():
        connection = http.client.HTTPConnection("203.0.113.10", timeout=5)
        connection.request("GET", "/")
        answer = connection.getresponse().read().decode()
        connection.close()
        return answer.strip()

    return life.sandbox.run(ask)


def public_ip(cluster, life):
    return {e["AddressId"]: e["AddressIp"] for e in cluster.around.state()["eips"]}[life.eip_id]


def dels_work(cluster, pods):
    """End the last Pod; its sandbox and its network go although the API server does not answer."""
    gone = pods.pop()
    gone.end()
    assert gone.ended.wait(20.0)
    ip = gone.last_ip
    assert comes_about(lambda: ip not in cluster.nodes[0].pods_in_kernel()[1], 5.0)


OUTAGES = [
    Troubles.API_SERVER_DOWN,
    Troubles.API_SERVER_REFUSES,
    Troubles.API_SERVER_THROTTLES,
    Troubles.FROZEN_WATCHES,
    Troubles.LOST_WRITES,
]
COME, LOSE_THEIR_SANDBOX = 4, 3
"""Pods that keep an agent busy while the API server fails."""
ANSWERING = [Troubles.LOST_WRITES, Troubles.CONFLICTS]
"""Under them Pods can be served."""


@pytest.mark.parametrize("trouble", OUTAGES, ids=lambda trouble: trouble.name.lower())
def test_pods_keep_their_traffic_and_dels_work_while_the_api_server_fails(cluster, pods, trouble):
    cluster.begin_trouble(trouble, LONG)

    for life in pods[:2]:
        assert source_seen(life) == public_ip(cluster, life)
    dels_work(cluster, pods)


@pytest.mark.parametrize("trouble", [*OUTAGES, Troubles.CONFLICTS], ids=lambda trouble: trouble.name.lower())
def test_an_agent_asks_a_failing_api_server_a_few_times_a_second_at_most_and_less_when_it_lasts(
    cluster, pods, trouble
):
    node = cluster.nodes[0]
    node.gate = RequestGate
    node.kill()
    node.start()
    cluster.around.disturb_watches("cut")
    cluster.begin_trouble(trouble, LONG)
    cluster.around.count_requests_anew()
    began = time.monotonic()
    # The watches fail, and so does what each of these Pods makes an agent write.
    cluster.pods_come(Kind.EIP, 0, COME)
    cluster.sandboxes_die(0, LOSE_THEIR_SANDBOX)
    cluster.time_passes(5.0)
    if trouble in ANSWERING:
        assert comes_about(lambda: all(life.running for life in cluster.living()), 60.0)

    early, busiest = cluster.around.requests(node.user_agent)
    early_seconds = time.monotonic() - began
    cluster.around.count_requests_anew()
    cluster.time_passes(5.0)
    late, _ = cluster.around.requests(node.user_agent)
    seconds = time.monotonic() - began - early_seconds

    pods = COME + LOSE_THEIR_SANDBOX
    if trouble in OUTAGES[:3]:
        # What is on its way when the first request fails, one for each Pod; then two, and one a second.
        assert 0 < early.total() <= pods + 2 + early_seconds, early
        assert busiest <= pods + 2 + 1
        assert late.total() <= 3 + seconds, late
    else:
        # The server answers: what the Pods need is asked for, at the rate that is allowed.
        assert 0 < early.total() <= 10 * pods, early
        assert busiest <= 30
        # A Pod that still waits: itself, its claim, an Event. And one a second.
        assert late.total() <= 3 * COME + seconds, late
    assert late.total() < early.total(), (early, late)


def test_a_pod_that_was_made_while_the_watches_are_frozen_is_found_by_asking(cluster, pods):
    cluster.begin_trouble(Troubles.FROZEN_WATCHES, LONG)

    cluster.pods_come(Kind.PLAIN, 0, 1)

    assert comes_about(lambda: all(life.running for life in cluster.living()), 10.0)


def test_a_successor_of_the_name_that_came_between_two_events_is_served_as_itself(cluster, pods):
    old = pods[0]
    cluster.begin_trouble(Troubles.FROZEN_WATCHES, LONG)
    assert cluster.replace(old, cluster.nodes[0], forced=True)
    new = cluster.lives[old.name]
    assert new.pod["metadata"]["uid"] != old.pod["metadata"]["uid"]

    cluster.end_troubles(float("inf"))

    assert comes_about(lambda: new.running, 30.0)
    claim = lambda: cluster.around.claims()[new.name]["status"]["pod"]["uid"]  # noqa: E731
    assert comes_about(lambda: claim() == new.pod["metadata"]["uid"], 10.0)


def test_what_happened_while_the_history_was_compacted_is_found_in_the_next_list(cluster, pods):
    cluster.begin_trouble(Troubles.FROZEN_WATCHES, LONG)
    pods[0].end()
    cluster.pods_come(Kind.EIP, 0, 1)
    assert cluster.around.disturb_watches("expire") > 0

    cluster.end_troubles(float("inf"))

    assert comes_about(lambda: all(life.running for life in cluster.living()), 20.0)
    assert pods[0].ended.wait(20.0)


def test_conflicts_on_every_second_write_only_delay(cluster, pods):
    cluster.begin_trouble(Troubles.CONFLICTS, LONG)

    cluster.pods_come(Kind.EIP, 0, 3)
    cluster.pods_come(Kind.RETAINED, 1, 3)

    assert comes_about(lambda: all(life.running for life in cluster.living()), 20.0)


def test_node_object_that_is_deleted_under_a_running_agent_disturbs_no_pod(cluster, pods):
    node = cluster.nodes[0]
    document = cluster.around.ask("GET", NODES.path("", node.name))
    cluster.around.ask("DELETE", NODES.path("", node.name))
    cluster.around.count_requests_anew()
    cluster.time_passes(2.0)

    for life in pods[:2]:
        assert source_seen(life) == public_ip(cluster, life)
    dels_work(cluster, pods)
    assert cluster.around.requests(node.user_agent)[1] <= 10
    metadata = {key: document["metadata"][key] for key in ("name", "labels") if key in document["metadata"]}
    cluster.around.ask("POST", NODES.path(), {"metadata": metadata, "status": document["status"]})
