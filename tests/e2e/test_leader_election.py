"""Two replicas of the controller: one works, the other takes over, and never do both write."""

import time
from typing import Any

import pytest

from testbed.cluster import deployment
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e import controllers
from tests.e2e.workloads import eip_pod

RENEW_WITHIN = 10.0
"""Seconds for which a leader believes in its last renewal (ipamd.kube.leases.LeaseTiming)."""


@pytest.fixture(autouse=True)
def whole_controller(cluster: ClusterUnderTest):
    controllers.wait_for_both(cluster)
    yield
    cluster.region.admin.post("/faults", {"clear": True})
    controllers.wait_for_both(cluster)


def allocations(cluster: ClusterUnderTest, claim_uid: str) -> list[dict[str, Any]]:
    """Orders for one claim that the cloud carried out."""
    return [
        write
        for write in controllers.eip_writes(cluster)
        if write["action"] == "AllocateAddresses"
        and not write["code"]
        and not write["replayed"]
        and claim_uid in str(write["params"])
    ]


def test_two_replicas_run_on_different_nodes_and_one_leads(cluster: ClusterUnderTest):
    leading = controllers.leader(cluster)["metadata"]["name"]

    pods = controllers.replicas(cluster)
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 2
    assert leading in [pod["metadata"]["name"] for pod in pods]


def test_a_leader_that_ends_in_order_hands_over_at_once(cluster: ClusterUnderTest, namespace: str):
    first = controllers.leader(cluster)["metadata"]["name"]

    cluster.kubectl("delete", "pod", first, f"--namespace={deployment.NAMESPACE}", "--wait=false")

    # A Lease that is not given back would be waited for for 15 s.
    cluster.wait(
        "the other replica leads",
        lambda: controllers.leader(cluster)["metadata"]["name"] != first,
        seconds=14.0,
    )
    cluster.apply(eip_pod("web"), namespace=namespace)
    cluster.wait_for_pod(namespace, "web")
    eip = cluster.must_get_claim(namespace, "web")["status"]["address"]["ip"]
    assert cluster.internet.source_seen_from(namespace, "web") == eip


def test_a_leader_that_hangs_in_the_middle_of_an_order_is_succeeded_and_no_second_eip_is_ordered(
    cluster: ClusterUnderTest, namespace: str
):
    first = controllers.leader(cluster)
    # The order reaches the cloud, its answer does not reach the leader before that hangs.
    slow = {"kind": "latency", "action": "AllocateAddresses", "seconds": 3.0}
    cluster.region.admin.post("/faults", {"add": [slow]})
    cluster.apply(eip_pod("web"), namespace=namespace)
    cluster.wait(
        "the order is under way",
        lambda: cluster.region.admin.post("/faults", {})["injected"],
        seconds=20.0,
    )

    with controllers.frozen(cluster, first):
        cluster.wait_for_pod(namespace, "web")
        assert controllers.leader(cluster)["metadata"]["name"] != first["metadata"]["name"]
        before = len(controllers.eip_writes(cluster, first["spec"]["nodeName"]))

    claim = cluster.must_get_claim(namespace, "web")
    cluster.wait(
        "the old leader has noticed and started again",
        lambda: restarts(cluster, first["metadata"]["name"]) > restarts_of(first),
        seconds=90.0,
    )
    assert len(controllers.eip_writes(cluster, first["spec"]["nodeName"])) == before
    assert len(allocations(cluster, claim["metadata"]["uid"])) == 1
    tagged = [e for e in cluster.region.eips() if claim["metadata"]["uid"] in e["Tags"].values()]
    assert [eip["AddressIp"] for eip in tagged] == [claim["status"]["address"]["ip"]]
    assert cluster.internet.source_seen_from(namespace, "web") == claim["status"]["address"]["ip"]


def test_a_leader_that_loses_its_lease_stops_all_cloud_writes(cluster: ClusterUnderTest, namespace: str):
    first = controllers.leader(cluster)
    node = first["spec"]["nodeName"]
    refused = {"kind": "error", "action": "AllocateAddresses", "code": "InternalError", "count": None}
    cluster.region.admin.post("/faults", {"add": [refused]})
    for name in ("one", "two", "three"):
        cluster.apply(eip_pod(name), namespace=namespace)
    cluster.wait("the leader tries", lambda: len(controllers.eip_writes(cluster, node)) >= 3)

    with controllers.without_api_server(cluster, node):
        cut = time.monotonic()
        cluster.wait(
            "the other replica leads",
            lambda: controllers.leader(cluster)["metadata"]["name"] != first["metadata"]["name"],
        )
        assert time.monotonic() - cut > RENEW_WITHIN
        of_first = len(controllers.eip_writes(cluster, node))
        of_second = len(controllers.eip_writes(cluster)) - of_first
        # The work is still due, so the other one tries; the old one could, as the cloud is in its reach.
        cluster.wait(
            "the new leader tries",
            lambda: len(controllers.eip_writes(cluster)) - of_first >= of_second + 3,
        )
        assert len(controllers.eip_writes(cluster, node)) == of_first
        cluster.region.admin.post("/faults", {"clear": True})
        cluster.wait_for_pod(namespace, "one")
        assert len(controllers.eip_writes(cluster, node)) == of_first
    # It has tried in vain to start meanwhile; a fresh one need not wait for the kubelet's next attempt.
    name = first["metadata"]["name"]
    cluster.kubectl("delete", "pod", name, f"--namespace={deployment.NAMESPACE}", "--grace-period=1")


def restarts_of(pod: dict[str, Any]) -> int:
    return sum(status["restartCount"] for status in pod["status"]["containerStatuses"])


def restarts(cluster: ClusterUnderTest, name: str) -> int:
    return restarts_of(cluster.must_get(f"{controllers.PODS}/{name}"))
