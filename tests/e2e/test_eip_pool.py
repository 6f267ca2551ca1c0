"""EIPPools on a real cluster: the Pods of a Deployment hand their EIPs over when it is rolled out."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims, eip, users_eips
from tests.e2e.workloads import eip_workload

POOLS = "/apis/networking.tke.cloud.tencent.com/v1/eippools"
ATTRIBUTES = {"bandwidthMbps": 1}


@pytest.fixture
def own(cluster: ClusterUnderTest) -> Iterator[list[str]]:
    """Three EIPs; asked for before `namespace`, so that they are given back after its Pods are gone."""
    with users_eips(cluster, 3) as ids:
        yield ids


@contextmanager
def pool(cluster: ClusterUnderTest, **spec: Any) -> Iterator[str]:
    name = f"pool-{uuid.uuid4().hex[:6]}"
    kind = {"apiVersion": "networking.tke.cloud.tencent.com/v1", "kind": "EIPPool"}
    cluster.apply({**kind, "metadata": {"name": name}, "spec": spec})
    try:
        yield name
    finally:
        cluster.kubectl("delete", "eippool", name, "--wait=false")


def deployment(wish: dict[str, str], *, surge: int, unavailable: int) -> dict[str, Any]:
    limits = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": limits}
    return eip_workload("Deployment", "web", wish, replicas=2, strategy=strategy)


def roll_out(cluster: ClusterUnderTest, namespace: str) -> None:
    """Replace all Pods, and wait until the new ones are ready and the old ones gone."""
    old = set(pods(cluster, namespace))
    cluster.kubectl("rollout", "restart", "deployment/web", f"--namespace={namespace}")
    status = ("rollout", "status", "deployment/web", "--timeout=180s", f"--namespace={namespace}")
    cluster.kubectl(*status, seconds=190.0)
    cluster.wait("the old Pods are gone", lambda: not old & set(pods(cluster, namespace)))


def pods(cluster: ClusterUnderTest, namespace: str) -> list[str]:
    listed = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return [p["metadata"]["name"] for p in listed if "deletionTimestamp" not in p["metadata"]]


def held(cluster: ClusterUnderTest, claims: Claims, namespace: str) -> set[str]:
    """The EIPs of the Deployment's Pods, each of which answers from outside as its Pod."""
    found = set()
    cluster.wait("both Pods", lambda: len(pods(cluster, namespace)) == 2)
    for name in pods(cluster, namespace):
        eip_id, address = claims.bound(name)
        cluster.wait_for_pod(namespace, name)
        claims.outside_sees(name, address)
        found.add(eip_id)
    return found


def test_a_roll_out_without_surge_needs_no_more_eips_than_replicas(
    cluster: ClusterUnderTest, own: list[str], namespace: str, claims: Claims
):
    ids = own[:2]
    with pool(cluster, addressIDs=ids) as name:
        cluster.apply(deployment({"eip-pool": name}, surge=0, unavailable=1), namespace=namespace)
        assert held(cluster, claims, namespace) == set(ids)

        roll_out(cluster, namespace)

        assert held(cluster, claims, namespace) == set(ids)
        cluster.wait(
            "the pool counts them",
            lambda: cluster.must_get(f"{POOLS}/{name}")["status"]["bound"] == 2,
        )


def test_a_roll_out_with_surge_needs_as_many_more(
    cluster: ClusterUnderTest, own: list[str], namespace: str, claims: Claims
):
    with pool(cluster, addressIDs=own) as name:
        cluster.apply(deployment({"eip-pool": name}, surge=1, unavailable=0), namespace=namespace)
        assert held(cluster, claims, namespace) < set(own)

        roll_out(cluster, namespace)

        assert held(cluster, claims, namespace) < set(own)


def test_pods_of_an_eip_id_list_hand_over_likewise(
    cluster: ClusterUnderTest, own: list[str], namespace: str, claims: Claims
):
    ids = own[:2]
    wish = {"eip-id-list": ",".join(ids)}
    cluster.apply(deployment(wish, surge=0, unavailable=1), namespace=namespace)
    assert held(cluster, claims, namespace) == set(ids)

    roll_out(cluster, namespace)

    assert held(cluster, claims, namespace) == set(ids)


def test_a_pool_orders_up_to_max_and_a_deleted_one_gives_all_back(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    with pool(cluster, attributes=ATTRIBUTES, min=1, max=2) as name:
        cluster.apply(deployment({"eip-pool": name}, surge=0, unavailable=1), namespace=namespace)
        ids = held(cluster, claims, namespace)
        columns = cluster.kubectl("get", "eipp", name).splitlines()[1].split()
        assert columns[:7] == [name, "2", "0", "2", "0", "2", "True"]
        cluster.kubectl("scale", "deployment/web", "--replicas=0", f"--namespace={namespace}")

    cluster.wait_until_gone(f"{POOLS}/{name}")
    assert [eip(cluster, eip_id) for eip_id in ids] == [{}, {}]


def test_a_wrong_pool_is_refused_by_the_api_server(cluster: ClusterUnderTest):
    with (
        pytest.raises(Exception, match="min may not be above max"),
        pool(cluster, attributes=ATTRIBUTES, min=3, max=2),
    ):
        pass
