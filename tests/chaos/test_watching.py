"""Whether the watchman and the end of a run see what they are there for."""

import time

import pytest

from ipamd.cloud import endpoints
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import tags
from ipamd.core.model import EipOrder
from ipamd.core.timing.deadline import Deadline
from tests.chaos.agent_node import CLUSTER
from tests.chaos.cluster import Cluster
from tests.chaos.moved import Moved
from tests.chaos.pod_lives import Kind
from tests.chaos.settling import Settling
from tests.controller.replica import KEYS
from tests.testkit.eventually import comes_about

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def console(cluster):
    """What anybody with the account's key can do."""
    with TencentCloud(
        region=cluster.around.region["region"],
        credentials=KEYS,
        endpoints=endpoints.parse(cluster.around.cloud_url),
    ) as cloud:
        yield cloud


def counts(cluster):
    return {kind: count for kind, count in cluster.verdicts.counts().items() if count}


def test_theft_a_second_eip_and_a_leak_are_seen(cluster, console):
    cluster.pods_come(Kind.EIP, 0, 1)
    [with_eip] = cluster.living()
    assert comes_about(lambda: with_eip.running, 20.0)
    cluster.watchman.look()
    assert counts(cluster) == {}

    cluster.nodes[0].kill()
    console.disassociate_eip(with_eip.eip_id)
    assert comes_about(lambda: counts(cluster).get("stolen") == 1, 5.0)

    claim = cluster.around.claims()[with_eip.name]["metadata"]["uid"]
    twin = console.allocate_eip(EipOrder(), tags.of_claim(CLUSTER, claim), "twin").eip_id
    assert comes_about(lambda: counts(cluster).get("duplicate") == 1, 5.0)
    assert any(twin in left for left in Settling(cluster)._claims_and_eips())


def test_address_that_two_pods_run_with_is_seen(cluster):
    cluster.pods_come(Kind.PLAIN, 0, 2)
    first, second = cluster.living()
    assert comes_about(lambda: first.running and second.running, 20.0)

    second.running = first.running
    cluster.owns(first.running.ip, second)

    assert counts(cluster) == {"duplicate": 1}


def test_an_eni_that_fails_to_be_made_is_nobodys_loss(cluster):
    cluster.around.add_faults([{"kind": "task_failure", "action": "CreateNetworkInterface", "count": 3}])
    cluster.pods_come(Kind.OWN_FIXED, 0, 1)
    [life] = cluster.living()

    def runs():
        cluster.watchman.look()
        return life.running

    assert comes_about(runs, 40.0, tick=0.0)
    assert cluster.around.faults_injected()["cloud task_failure"] == 3
    assert cluster.verdicts.sentences() == []


def test_an_eip_taken_off_an_eni_that_moves_is_seen_and_told_with_who_did_it(cluster, console):
    moved = Moved(cluster, Kind.OWN_FIXED_EIP)
    cluster.watchman.look()
    cluster.nodes[0].kill()
    moved.life.end(forced=True)
    assert counts(cluster) == {}

    console.disassociate_eip(moved.eip_id)

    assert comes_about(lambda: counts(cluster).get("stolen") == 1, 5.0)
    [said] = cluster.verdicts.sentences()
    assert f"{moved.eip_id} has left {moved.eni_id}" in said
    assert "DisassociateAddress" in said


def test_an_eni_that_a_claim_has_lost_is_seen(cluster, console):
    moved = Moved(cluster, Kind.OWN_FIXED_EIP)
    cluster.watchman.look()
    assert counts(cluster) == {}
    cluster.nodes[0].kill()
    moved.life.end(forced=True)
    deadline = Deadline.after(30.0, time.monotonic)

    console.detach_eni(moved.eni_id, cluster.nodes[0].instance_id, deadline)
    console.delete_eni(moved.eni_id, deadline)

    assert comes_about(lambda: f"has lost {moved.eni_id}" in str(cluster.verdicts.sentences()), 5.0)
