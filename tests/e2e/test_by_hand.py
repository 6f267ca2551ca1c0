"""TKE's page, "reclaiming by hand" (手动回收): each test is named after the sentence that it proves."""

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims, eip, users_eips, wait_released
from tests.e2e.workloads import eip_workload

KEPT = {"eip-attributes": "", "eip-claim-delete-policy": "Never"}


def test_kubectl_delete_eipc_reclaims_the_eip_of_a_pod_that_is_destroyed(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    first = claims.bound("web-0")
    cluster.wait_for_pod(namespace, "web-0")
    claims.outside_sees("web-0", first[1])
    cluster.kubectl("scale", "statefulset/web", "--replicas=0", f"--namespace={namespace}")
    claims.missed("web-0")
    assert eip(cluster, first[0])

    cluster.kubectl("delete", "eipc", "web-0", "-n", namespace, seconds=90.0)

    assert not cluster.claim(namespace, "web-0")
    wait_released(cluster, first[0])
    assert not cluster.internet.reaches(first[1], 80)


def test_while_the_pod_is_not_destroyed_another_eip_is_bound_again(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    first, uid = claims.bound("web-0"), claims.uid("web-0")
    pod = cluster.wait_for_pod(namespace, "web-0")

    cluster.kubectl("delete", "eipc", "web-0", "-n", namespace, seconds=90.0)

    again = claims.bound("web-0")
    assert claims.uid("web-0") != uid
    assert again[0] != first[0]
    wait_released(cluster, first[0])
    claims.outside_sees("web-0", again[1])
    prefix = "tke.cloud.tencent.com/"
    told = cluster.wait(
        "the annotations follow",
        lambda: (
            (p := cluster.pod(namespace, "web-0"))
            and p["metadata"]["annotations"].get(f"{prefix}eip-public-ip") == again[1]
            and p
        ),
    )
    assert told["metadata"]["annotations"][f"{prefix}eip-id"] == again[0]
    assert told["metadata"]["uid"] == pod["metadata"]["uid"]


def test_an_eip_of_the_user_is_unbound_bound_again_and_never_released(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    with users_eips(cluster, 1) as (own,):
        cluster.apply(eip_workload("StatefulSet", "web", {"eip-id-list": own}), namespace=namespace)
        first, uid = claims.bound("web-0"), claims.uid("web-0")
        cluster.wait_for_pod(namespace, "web-0")

        cluster.kubectl("delete", "eipc", "web-0", "-n", namespace, seconds=90.0)

        assert claims.bound("web-0") == first
        assert claims.uid("web-0") != uid
        claims.outside_sees("web-0", first[1])
        cluster.kubectl("scale", "statefulset/web", "--replicas=0", f"--namespace={namespace}")
        claims.wait_gone("web-0")
        assert eip(cluster, own)["AddressStatus"] == "UNBIND"
