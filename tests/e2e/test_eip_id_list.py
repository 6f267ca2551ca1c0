"""TKE's page, "name EIPs" (指定 EIP): each test is named after the sentence that it proves."""

from collections.abc import Iterator

import pytest

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e import page
from tests.e2e.claims import Claims, eip, users_eips
from tests.e2e.workloads import eip_workload


@pytest.fixture
def own(cluster: ClusterUnderTest) -> Iterator[list[str]]:
    """Two EIPs; asked for before `namespace`, so that they are given back after its Pods are gone."""
    with users_eips(cluster, 2) as ids:
        yield ids


def address(cluster: ClusterUnderTest, eip_id: str) -> str:
    return str(eip(cluster, eip_id)["AddressIp"])


def test_the_first_replica_uses_eip_xxx1_and_the_second_replica_eip_xxx2(
    cluster: ClusterUnderTest, own: list[str]
):
    first, second = own
    claims = Claims(cluster, "default")
    cluster.apply(page.GIVEN.replace("eip-xxx1", first).replace("eip-xxx2", second))
    try:
        cluster.kubectl("scale", "statefulset/busybox", "--replicas=2")

        assert claims.bound("busybox-0") == (first, address(cluster, first))
        assert claims.bound("busybox-1") == (second, address(cluster, second))
        for pod, eip_id in (("busybox-0", first), ("busybox-1", second)):
            cluster.wait_for_pod("default", pod)
            page.serve(cluster, pod)
            claims.outside_sees(pod, address(cluster, eip_id))
    finally:
        cluster.kubectl("delete", "statefulset/busybox", "--cascade=orphan")
        cluster.kubectl("delete", "pod", "--selector=k8s-app=busybox", "--grace-period=1")
    claims.wait_gone("busybox-0")
    claims.wait_gone("busybox-1")
    assert {eip(cluster, eip_id)["AddressStatus"] for eip_id in own} == {"UNBIND"}


def test_a_pod_takes_the_entry_of_the_number_at_the_end_of_its_name(
    cluster: ClusterUnderTest, own: list[str], namespace: str, claims: Claims
):
    """Also from its second start on, and a number past the list is told."""
    listed = {"eip-id-list": ",".join(own)}
    cluster.apply(
        eip_workload("StatefulSet", "web", listed, replicas=3, podManagementPolicy="Parallel"),
        namespace=namespace,
    )

    assert claims.bound("web-0")[0] == own[0]
    assert claims.bound("web-1")[0] == own[1]
    assert "takes entry 3" in claims.says("web-2", "NoSuchEntry")

    cluster.delete("pod", "web-1", namespace=namespace)
    assert claims.bound("web-1")[0] == own[1]
    cluster.wait_for_pod(namespace, "web-1")
    claims.outside_sees("web-1", address(cluster, own[1]))


def test_without_a_number_it_is_chosen_at_random_and_on_conflict_only_one_pod_is_associated(
    cluster: ClusterUnderTest, own: list[str], namespace: str, claims: Claims
):
    contested = own[0]
    cluster.apply(
        eip_workload("Deployment", "api", {"eip-id-list": contested}, replicas=2), namespace=namespace
    )

    def pods() -> list[str]:
        listed = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        return [p["metadata"]["name"] for p in listed if "deletionTimestamp" not in p["metadata"]]

    def winners() -> list[str]:
        found = {name: cluster.claim(namespace, name) for name in pods()}
        return [name for name, claim in found.items() if claim and claim.get("status", {}).get("binding")]

    winner = cluster.wait("one Pod has the EIP", winners)[0]
    claims.bound(winner)
    cluster.wait_for_pod(namespace, winner)
    loser = next(name for name in pods() if name != winner)
    told = claims.says(loser, "EIPInUse")
    assert f"{contested}" in told
    assert f"held by EIPClaim {namespace}/{winner}" in told
    assert winners() == [winner]
    claims.outside_sees(winner, address(cluster, contested))

    cluster.kubectl("scale", "deployment/api", "--replicas=1", f"--namespace={namespace}")
    cluster.delete("pod", winner, namespace=namespace)
    heir = cluster.wait("another has it", lambda: [name for name in winners() if name != winner])[0]
    cluster.wait_for_pod(namespace, heir)
    claims.outside_sees(heir, address(cluster, contested))


def test_an_unknown_a_blocked_an_unpaid_and_a_used_eip_have_each_their_own_message(
    cluster: ClusterUnderTest, own: list[str], namespace: str, claims: Claims
):
    first, second = own
    admin = cluster.region.admin
    admin.post(f"/eips/{first}", {"blocked": True})
    admin.post(f"/eips/{second}", {"arrears": True})
    try:
        for name, eip_id in (("unknown", "eip-00000000"), ("blocked", first), ("unpaid", second)):
            cluster.apply(eip_workload("StatefulSet", name, {"eip-id-list": eip_id}), namespace=namespace)

        assert "does not exist" in claims.says("unknown-0", "EIPNotFound")
        assert "is blocked" in claims.says("blocked-0", "EIPBlocked")
        assert "top up the account" in claims.says("unpaid-0", "EIPInArrears")
    finally:
        admin.post(f"/eips/{first}", {"blocked": False})
        admin.post(f"/eips/{second}", {"arrears": False})

    # What is in order again is taken without anybody's help, and then it is used.
    assert claims.bound("blocked-0")[0] == first
    cluster.apply(eip_workload("StatefulSet", "late", {"eip-id-list": first}), namespace=namespace)
    assert f"held by EIPClaim {namespace}/blocked-0" in claims.says("late-0", "EIPInUse")
