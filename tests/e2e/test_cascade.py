"""TKE's page, "cascading reclaim" (级联回收): each test is named after the sentence that it proves."""

from collections.abc import Iterator

import pytest

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims, eip, wait_released
from tests.e2e.flags import controller_flags
from tests.e2e.workloads import eip_workload

KEPT = {"eip-attributes": "", "eip-claim-delete-policy": "Never"}


@pytest.fixture(scope="module", autouse=True)
def _switched_on(cluster: ClusterUnderTest) -> Iterator[None]:
    with controller_flags(cluster, "--enable-ownerref"):
        yield


def owners(cluster: ClusterUnderTest, namespace: str, name: str) -> list[tuple[str, str]]:
    claim = cluster.claim(namespace, name)
    references = claim["metadata"].get("ownerReferences", []) if claim else []
    return [(reference["kind"], reference["name"]) for reference in references]


def only_pod(cluster: ClusterUnderTest, namespace: str, *, but: str = "") -> str:
    """Wait for the one Pod of the namespace that is not on its way out, apart from one."""

    def look() -> str:
        pods = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        names = [p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"]]
        found = [name for name in names if name != but]
        return found[0] if len(found) == 1 else ""

    return cluster.wait("one Pod", look)


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_when_the_workload_of_the_pod_is_deleted_the_fixed_eip_is_deleted_at_once(
    cluster: ClusterUnderTest, namespace: str, claims: Claims, cascade: str
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    first = claims.bound("web-0")
    cluster.wait_for_pod(namespace, "web-0")
    claims.outside_sees("web-0", first[1])
    assert owners(cluster, namespace, "web-0") == [("StatefulSet", "web")]
    ordered = orders(cluster)

    cluster.kubectl("delete", "statefulset/web", f"--namespace={namespace}", f"--cascade={cascade}")

    claims.wait_gone("web-0")
    wait_released(cluster, first[0])
    cluster.wait_until_gone(f"/api/v1/namespaces/{namespace}/pods/web-0")
    assert not claims.uid("web-0")
    assert orders(cluster) == ordered
    assert not cluster.internet.reaches(first[1], 80)


def orders(cluster: ClusterUnderTest) -> int:
    """How many EIPs were ever ordered in the region."""
    return sum(w["action"] == "AllocateAddresses" for w in cluster.region.admin.get("/audit")["writes"])


def test_a_claim_outlives_its_pod_and_the_roll_over_of_its_deployment_s_replica_sets(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    cluster.apply(
        eip_workload("Deployment", "api", KEPT, strategy={"type": "Recreate"}, revisionHistoryLimit=0),
        namespace=namespace,
    )
    pod = only_pod(cluster, namespace)
    first = claims.bound(pod)
    assert owners(cluster, namespace, pod) == [("Deployment", "api")]

    cluster.kubectl("rollout", "restart", "deployment/api", f"--namespace={namespace}")
    after = only_pod(cluster, namespace, but=pod)
    second = claims.bound(after)
    cluster.wait_for_pod(namespace, after)
    claims.outside_sees(after, second[1])
    claims.missed(pod)
    assert claims.uid(pod)
    assert eip(cluster, first[0])

    cluster.delete("deployment", "api", namespace=namespace)
    for name in (pod, after):
        claims.wait_gone(name)
    for eip_id in (first[0], second[0]):
        wait_released(cluster, eip_id)


def test_a_workload_that_is_deleted_without_its_pods_leaves_them_their_eips(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    first, uid = claims.bound("web-0"), claims.uid("web-0")
    cluster.wait_for_pod(namespace, "web-0")

    cluster.kubectl("delete", "statefulset/web", f"--namespace={namespace}", "--cascade=orphan")
    cluster.wait("the claim is orphaned", lambda: owners(cluster, namespace, "web-0") == [])

    assert claims.uid("web-0") == uid
    claims.outside_sees("web-0", first[1])
