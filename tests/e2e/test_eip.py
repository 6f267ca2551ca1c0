"""What a Pod with an EIP is to the internet, on a real cluster."""

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.workloads import eip_pod


def test_a_pod_with_an_eip_leaves_with_it_and_is_reached_by_it(cluster: ClusterUnderTest, namespace: str):
    cluster.apply(eip_pod("web"), namespace=namespace)
    cluster.wait_for_pod(namespace, "web")

    eip = cluster.must_get_claim(namespace, "web")["status"]["address"]["ip"]
    assert cluster.internet.source_seen_from(namespace, "web") == eip
    assert cluster.internet.get(eip, 80) == "web\n"


def test_the_eip_of_a_pod_that_is_not_retained_is_released_with_it(cluster: ClusterUnderTest, namespace: str):
    cluster.apply(eip_pod("web"), namespace=namespace)
    cluster.wait_for_pod(namespace, "web")
    address = cluster.must_get_claim(namespace, "web")["status"]["address"]
    assert address["id"] in [eip["AddressId"] for eip in cluster.region.eips()]

    cluster.kubectl("delete", "pod", "web", "--namespace", namespace, "--grace-period=1")

    cluster.wait("the claim is gone", lambda: cluster.claim(namespace, "web") is None)
    assert address["id"] not in [eip["AddressId"] for eip in cluster.region.eips()]
    assert not cluster.internet.reaches(address["ip"], 80, seconds=1.0)
