"""TKE's page, "keeping EIPs": each test is named after the sentence that it proves."""

from typing import Any

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e import page
from tests.e2e.claims import Claims, wait_released
from tests.e2e.placement import node_of, out_of_service
from tests.e2e.workloads import eip_workload

KEPT = {"eip-attributes": '{"Bandwidth":"100","ISP":"BGP"}', "eip-claim-delete-policy": "Never"}


def test_the_pod_s_eip_is_fixed_and_does_not_change_when_the_pod_is_destroyed(cluster: ClusterUnderTest):
    claims = Claims(cluster, "default")
    cluster.apply(page.CREATED)
    try:
        first = claims.bound("busybox-0")
        found = cluster.region.admin.get("/state")["cloud"]["addresses"][first[0]]
        assert (found["isp"], found["bandwidth"]) == ("BGP", 100)
        uid, pod = claims.uid("busybox-0"), cluster.wait_for_pod("default", "busybox-0")

        cluster.kubectl("delete", "pod", "busybox-0", "--grace-period=1")
        cluster.wait(
            "another Pod",
            lambda: (
                (p := cluster.pod("default", "busybox-0")) is not None
                and p["metadata"]["uid"] != pod["metadata"]["uid"]
            ),
        )
        cluster.wait_for_pod("default", "busybox-0")

        assert claims.bound("busybox-0") == first
        assert claims.uid("busybox-0") == uid
        page.serve(cluster, "busybox-0")
        claims.outside_sees("busybox-0", first[1])
    finally:
        cluster.kubectl("delete", "statefulset/busybox", "--cascade=orphan")
        cluster.kubectl("delete", "pod", "busybox-0", "--grace-period=1")
        cluster.kubectl("delete", "eipc", "busybox-0")
    wait_released(cluster, first[0])


def test_on_the_same_node_private_ip_and_eip_stay_together_and_the_eip_is_never_unbound(
    cluster: ClusterUnderTest, namespace: str, claims: Claims, cordoned: Any
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    before = cluster.wait_for_pod(namespace, "web-0")
    first = claims.bound("web-0")
    for node in cluster.nodes:
        if node.name != before["spec"]["nodeName"]:
            cordoned(node.name)
    unbinds = calls(cluster, "DisassociateAddress", first[0])

    cluster.delete("pod", "web-0", namespace=namespace)
    after = cluster.wait_for_pod(namespace, "web-0")

    assert claims.bound("web-0") == first
    assert after["status"]["podIP"] == before["status"]["podIP"]
    assert calls(cluster, "DisassociateAddress", first[0]) == unbinds
    claims.outside_sees("web-0", first[1])


def calls(cluster: ClusterUnderTest, action: str, eip_id: str) -> int:
    """How often this was asked for the EIP."""
    writes = cluster.region.admin.get("/audit")["writes"]
    return sum(w["action"] == action and w["params"].get("AddressId") == eip_id for w in writes)


def test_a_pod_of_the_same_name_uses_the_eip_of_the_claim_of_that_name_on_another_node_too(
    cluster: ClusterUnderTest, namespace: str, claims: Claims, cordoned: Any
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    first = claims.bound("web-0")
    before = node_of(cluster, namespace, "web-0")

    cordoned(before)
    cluster.delete("pod", "web-0", namespace=namespace)

    assert claims.bound("web-0") == first
    assert node_of(cluster, namespace, "web-0") != before
    claims.outside_sees("web-0", first[1])


def test_the_claim_and_the_eip_of_a_pod_that_is_not_fixed_are_destroyed_with_the_pod(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    cluster.apply(eip_workload("StatefulSet", "web", {"eip-attributes": ""}), namespace=namespace)
    first = claims.bound("web-0")
    cluster.wait_for_pod(namespace, "web-0")
    claims.outside_sees("web-0", first[1])

    cluster.kubectl("scale", "statefulset/web", "--replicas=0", f"--namespace={namespace}")

    claims.wait_gone("web-0")
    wait_released(cluster, first[0])
    assert not cluster.internet.reaches(first[1], 80)


def test_the_eip_is_kept_although_the_node_died_without_a_word(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    """Power off, then the taint by which an operator says that the node is out of service."""
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    first = claims.bound("web-0")
    node = cluster.node(node_of(cluster, namespace, "web-0"))

    with out_of_service(cluster, node):
        assert claims.bound("web-0", seconds=180.0) == first
        assert node_of(cluster, namespace, "web-0") != node.name
        claims.outside_sees("web-0", first[1])
    claims.outside_sees("web-0", first[1])
