"""Fixed private IPs: each test is named after what a user is told in docs/fixed-ips.md."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims
from tests.e2e.fixed_ips import FixedIps, reached, writes
from tests.e2e.flags import controller_flags
from tests.e2e.placement import node_of, out_of_service, wait_elsewhere
from tests.e2e.workloads import ANNOTATION, eip_workload, plain_pod

FIXED = {"vpc-ip-claim-delete-policy": "Never"}
WITH_EIP = {**FIXED, "eip-attributes": "", "eip-claim-delete-policy": "Never"}
SOON = "--claim-absence=5s"


@pytest.fixture
def fixed(cluster: ClusterUnderTest, namespace: str) -> FixedIps:
    return FixedIps(cluster, namespace)


def test_the_next_pod_of_the_name_has_the_address_on_another_node_too(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps, cordoned: Callable[[str], None]
):
    cluster.apply(eip_workload("StatefulSet", "web", WITH_EIP), namespace=namespace)
    ip = fixed.address("web-0")
    claims = Claims(cluster, namespace)
    eip = claims.bound("web-0")
    first = node_of(cluster, namespace, "web-0")
    before = writes(cluster, ip, eip[0])

    cordoned(first)
    cluster.delete("pod", "web-0", namespace=namespace)

    assert fixed.address("web-0") == ip
    assert node_of(cluster, namespace, "web-0") != first
    assert claims.bound("web-0") == eip
    claims.outside_sees("web-0", eip[1])
    cluster.apply(plain_pod("peer"), namespace=namespace)
    cluster.wait_for_pod(namespace, "peer")
    assert reached(cluster, namespace, ip, by="peer") == "web-0\n"
    assert writes(cluster, ip, eip[0])[len(before) :] == [
        "DisassociateAddress",
        "UnassignPrivateIpAddresses",
        "AssignPrivateIpAddresses",
        "AssociateAddress",
    ]


def test_on_the_same_node_no_cloud_call_is_made_for_either_address(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps, claims: Claims, cordoned: Any
):
    cluster.apply(eip_workload("StatefulSet", "web", WITH_EIP), namespace=namespace)
    ip, eip = fixed.address("web-0"), claims.bound("web-0")
    node = node_of(cluster, namespace, "web-0")
    for other in cluster.nodes:
        if other.name != node:
            cordoned(other.name)
    before = writes(cluster, ip, eip[0])

    cluster.delete("pod", "web-0", namespace=namespace)

    assert fixed.address("web-0") == ip
    assert claims.bound("web-0") == eip
    assert writes(cluster, ip, eip[0]) == before
    claims.outside_sees("web-0", eip[1])


def test_while_no_pod_runs_the_vpc_keeps_the_address_and_the_claim_says_whose_it_is(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps
):
    cluster.apply(eip_workload("StatefulSet", "web", WITH_EIP), namespace=namespace)
    ip = fixed.address("web-0")

    cluster.kubectl("scale", "statefulset/web", "--replicas=0", f"--namespace={namespace}")
    fixed.missed("web-0")

    assert fixed.reservation(ip) is not None
    book = fixed.book(ip)
    assert book is not None
    assert book["spec"]["claimRef"]["name"] == "web-0"
    shown = cluster.kubectl("get", "vipc", "web-0", f"--namespace={namespace}")
    assert ip in shown
    cluster.kubectl("scale", "statefulset/web", "--replicas=1", f"--namespace={namespace}")
    assert fixed.address("web-0") == ip


def test_a_deleted_claim_takes_no_address_from_a_pod_that_runs(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps
):
    cluster.apply(eip_workload("StatefulSet", "web", WITH_EIP), namespace=namespace)
    ip = fixed.address("web-0")
    cluster.apply(plain_pod("peer"), namespace=namespace)
    cluster.wait_for_pod(namespace, "peer")

    cluster.kubectl("delete", "vipc", "web-0", "--wait=false", f"--namespace={namespace}")

    assert reached(cluster, namespace, ip, by="peer") == "web-0\n"
    cluster.kubectl("scale", "statefulset/web", "--replicas=0", f"--namespace={namespace}")
    fixed.given_back("web-0", ip)


def test_the_address_is_given_back_so_long_after_its_pod_was_destroyed(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps
):
    cluster.apply(eip_workload("StatefulSet", "web", WITH_EIP), namespace=namespace)
    ip = fixed.address("web-0")
    cluster.kubectl("scale", "statefulset/web", "--replicas=0", f"--namespace={namespace}")
    fixed.missed("web-0")
    fixed.set_back("web-0", timedelta(minutes=61))

    with controller_flags(cluster, "--claim-expired-duration=1h", SOON):
        fixed.given_back("web-0", ip)


def test_with_the_flag_the_address_goes_with_its_workload(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps
):
    with controller_flags(cluster, "--enable-ownerref"):
        cluster.apply(eip_workload("StatefulSet", "web", WITH_EIP), namespace=namespace)
        ip = fixed.address("web-0")

        cluster.delete("statefulset", "web", namespace=namespace)

        fixed.given_back("web-0", ip)


def test_a_pod_has_the_address_that_it_names(cluster: ClusterUnderTest, namespace: str, fixed: FixedIps):
    cluster.apply(eip_workload("StatefulSet", "web", WITH_EIP), namespace=namespace)
    ip = fixed.address("web-0")
    cluster.kubectl("delete", "statefulset/web", f"--namespace={namespace}")
    cluster.kubectl("delete", "vipc", "web-0", f"--namespace={namespace}", seconds=120.0)
    fixed.given_back("web-0", ip)

    pod = plain_pod("named")
    pod["metadata"]["annotations"] = {
        f"{ANNOTATION}networks": "tke-route-eni",
        f"{ANNOTATION}nominated-vpc-ip": ip,
    }
    cluster.apply(pod, namespace=namespace)

    assert fixed.address("named") == ip
    cluster.delete("pod", "named", namespace=namespace)
    fixed.given_back("named", ip)


def test_a_node_that_died_without_a_word_does_not_keep_the_address(
    cluster: ClusterUnderTest, namespace: str, fixed: FixedIps
):
    """Power off, then the taint by which an operator says that the node is out of service."""
    cluster.apply(eip_workload("StatefulSet", "web", WITH_EIP), namespace=namespace)
    ip = fixed.address("web-0")
    node = cluster.node(node_of(cluster, namespace, "web-0"))

    with out_of_service(cluster, node):
        wait_elsewhere(cluster, namespace, "web-0", node)
        assert fixed.address("web-0") == ip
    cluster.apply(plain_pod("peer"), namespace=namespace)
    cluster.wait_for_pod(namespace, "peer")
    assert reached(cluster, namespace, ip, by="peer") == "web-0\n"
