"""Pods that keep an ENI of their own: docs/fixed-ips.md and docs/direct-eni.md on real Kubernetes."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from testbed.cluster.nodes import Node
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims, eip, wait_released
from tests.e2e.fixed_ips import FixedIps, reached, writes
from tests.e2e.flags import agent_flags
from tests.e2e.placement import node_of, out_of_service, wait_elsewhere
from tests.e2e.workloads import ANNOTATION, DIRECT, DIRECT_ENI, Json, direct_pod, eip_workload, plain_pod

KEPT = {
    **DIRECT,
    "vpc-ip-claim-delete-policy": "Never",
    "eip-attributes": "",
    "eip-claim-delete-policy": "Never",
}


@pytest.fixture(scope="module")
def own_enis(cluster: ClusterUnderTest) -> Iterator[None]:
    """The agents have the mode, for the tests of this file."""
    with agent_flags(cluster, "--direct-eni", "--eni-release-interval=3s"):
        for node in cluster.nodes:
            cluster.wait("the resource", partial(offers_the_mode, cluster, node))
        yield


def offers_the_mode(cluster: ClusterUnderTest, node: Node) -> bool:
    found = cluster.must_get(f"/api/v1/nodes/{node.name}")
    return bool(found["status"]["allocatable"].get(DIRECT_ENI, "0") != "0")


@pytest.fixture
def fixed(cluster: ClusterUnderTest, own_enis: None, namespace: str) -> FixedIps:
    return FixedIps(cluster, namespace)


def eni_of(fixed: FixedIps, name: str) -> str:
    claim = fixed.claim(name)
    assert claim is not None
    return str(claim["status"]["address"]["eniID"])


def in_cloud(cluster: ClusterUnderTest, eni_id: str) -> Json | None:
    """The ENI as the cloud has it; None when it does not exist."""
    found: Json | None = cluster.region.admin.get("/state")["cloud"]["enis"].get(eni_id)
    return found


def instance_of(cluster: ClusterUnderTest, node: str) -> str:
    instances = {i["private_ip"]: i["instance_id"] for i in cluster.region.document["instances"]}
    return str(instances[node])


def deleted(cluster: ClusterUnderTest, eni_id: str) -> None:
    cluster.wait(f"{eni_id} is deleted", lambda: in_cloud(cluster, eni_id) is None, seconds=90.0)


def test_on_another_node_the_pod_has_its_eni_with_both_addresses(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps, claims: Claims, cordoned: Any
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    ip, public = fixed.address("web-0"), claims.bound("web-0")
    claims.outside_sees("web-0", public[1])
    eni, first = eni_of(fixed, "web-0"), node_of(cluster, namespace, "web-0")
    before = writes(cluster, eni, ip, public[0])

    cordoned(first)
    cluster.delete("pod", "web-0", namespace=namespace)

    assert fixed.address("web-0") == ip
    assert node_of(cluster, namespace, "web-0") != first
    assert eni_of(fixed, "web-0") == eni
    assert claims.bound("web-0") == public
    claims.outside_sees("web-0", public[1])
    cluster.apply(plain_pod("peer"), namespace=namespace)
    cluster.wait_for_pod(namespace, "peer")
    assert reached(cluster, namespace, ip, by="peer") == "web-0\n"
    assert writes(cluster, eni, ip, public[0])[len(before) :] == [
        "DetachNetworkInterface",
        "AttachNetworkInterface",
    ]


def test_on_the_same_node_the_eni_stays_without_a_call(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps, claims: Claims, cordoned: Any
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    ip, public = fixed.address("web-0"), claims.bound("web-0")
    eni, node = eni_of(fixed, "web-0"), node_of(cluster, namespace, "web-0")
    for other in cluster.nodes:
        if other.name != node:
            cordoned(other.name)
    before = writes(cluster, eni, ip, public[0])

    cluster.delete("pod", "web-0", namespace=namespace)

    assert fixed.address("web-0") == ip
    assert claims.bound("web-0") == public
    claims.outside_sees("web-0", public[1])
    assert writes(cluster, eni, ip, public[0]) == before


def test_while_no_pod_runs_the_eni_exists_and_is_deleted_with_its_claim(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps, claims: Claims
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    ip, public = fixed.address("web-0"), claims.bound("web-0")
    eni = eni_of(fixed, "web-0")

    cluster.kubectl("scale", "statefulset/web", "--replicas=0", f"--namespace={namespace}")
    fixed.missed("web-0")
    assert in_cloud(cluster, eni) is not None
    assert fixed.reservation(ip) is None  # the ENI itself keeps the address

    cluster.kubectl("delete", "vipc", "web-0", f"--namespace={namespace}", seconds=120.0)
    deleted(cluster, eni)
    fixed.given_back("web-0", ip)
    assert eip(cluster, public[0])["AddressStatus"] == "UNBIND"  # kept by its own claim

    cluster.kubectl("delete", "eipc", "web-0", f"--namespace={namespace}", seconds=120.0)
    wait_released(cluster, public[0])


def test_a_deleted_claim_takes_no_eni_from_a_pod_that_runs(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps, claims: Claims
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    ip, public = fixed.address("web-0"), claims.bound("web-0")
    eni = eni_of(fixed, "web-0")

    cluster.kubectl("delete", "vipc", "web-0", "--wait=false", f"--namespace={namespace}")

    claims.outside_sees("web-0", public[1])
    cluster.kubectl("scale", "statefulset/web", "--replicas=0", f"--namespace={namespace}")
    deleted(cluster, eni)
    fixed.given_back("web-0", ip)


def test_a_pod_has_the_address_that_it_names_on_an_eni_of_its_own(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    ip = fixed.address("web-0")
    cluster.kubectl("delete", "statefulset/web", f"--namespace={namespace}")
    cluster.kubectl("delete", "vipc", "web-0", f"--namespace={namespace}", seconds=120.0)
    fixed.given_back("web-0", ip)

    pod = direct_pod("named")
    pod["metadata"]["annotations"][f"{ANNOTATION}nominated-vpc-ip"] = ip
    cluster.apply(pod, namespace=namespace)

    assert fixed.address("named") == ip
    eni = eni_of(fixed, "named")
    cluster.delete("pod", "named", namespace=namespace)
    deleted(cluster, eni)


def test_a_node_that_died_without_a_word_does_not_keep_the_eni(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps, claims: Claims
):
    """Power off, then the taint by which an operator says that the node is out of service."""
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    ip, public = fixed.address("web-0"), claims.bound("web-0")
    eni = eni_of(fixed, "web-0")
    node = cluster.node(node_of(cluster, namespace, "web-0"))

    with out_of_service(cluster, node):
        wait_elsewhere(cluster, namespace, "web-0", node)
        assert fixed.address("web-0") == ip
        assert eni_of(fixed, "web-0") == eni
        assert claims.bound("web-0") == public
        claims.outside_sees("web-0", public[1])
    at = in_cloud(cluster, eni)
    assert at is not None
    assert at["instance_id"] == instance_of(cluster, node_of(cluster, namespace, "web-0"))
