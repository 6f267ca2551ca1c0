"""TKE's page, "reclaiming by expiry" (过期回收): each test is named after the sentence that it proves.

The shortest time that may be set is 5 minutes. The tests do not wait for it: they set the claim's note of
when its Pod was last seen back, by a patch of its status, and let leaders believe it after seconds.
"""

import json
from datetime import UTC, datetime, timedelta

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims, eip, wait_released
from tests.e2e.flags import controller_flags
from tests.e2e.workloads import eip_workload

SOON = "--claim-absence=5s"
KEPT = {"eip-attributes": "", "eip-claim-delete-policy": "Never"}


def leave(cluster: ClusterUnderTest, namespace: str, claims: Claims, name: str) -> tuple[str, str]:
    """Let the Pod of the StatefulSet have its EIP, and go; return the EIP."""
    found = claims.bound(f"{name}-0")
    cluster.wait_for_pod(namespace, f"{name}-0")
    claims.outside_sees(f"{name}-0", found[1])
    cluster.kubectl("scale", f"statefulset/{name}", "--replicas=0", f"--namespace={namespace}")
    claims.missed(f"{name}-0")
    return found


def set_back(cluster: ClusterUnderTest, namespace: str, name: str, passed: timedelta) -> None:
    """Let the Pod of the claim be gone for so long."""
    seen = (datetime.now(UTC) - passed).strftime("%Y-%m-%dT%H:%M:%SZ")
    patch = json.dumps({"status": {"pod": {"lastSeen": seen}}})
    arguments = ("--subresource=status", "--type=merge", f"--patch={patch}")
    cluster.kubectl("patch", "eipc", name, f"--namespace={namespace}", *arguments)


def test_a_fixed_eip_is_reclaimed_so_long_after_its_pod_was_destroyed(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    """With `- --claim-expired-duration=1h` in args of tke-eni-ipamd, also for claims from before."""
    cluster.apply(eip_workload("StatefulSet", "old", KEPT), namespace=namespace)
    released = leave(cluster, namespace, claims, "old")
    cluster.apply(eip_workload("StatefulSet", "young", KEPT), namespace=namespace)
    kept = leave(cluster, namespace, claims, "young")
    set_back(cluster, namespace, "old-0", timedelta(minutes=61))

    with controller_flags(cluster, "--claim-expired-duration=1h", SOON):
        claims.wait_gone("old-0")
        wait_released(cluster, released[0])
        assert not cluster.internet.reaches(released[1], 80)
        assert "kept for 1h" in claims.says("old-0", "ExpiredClaim")
        assert claims.uid("young-0")
        assert eip(cluster, kept[0])

        cluster.kubectl("scale", "statefulset/young", "--replicas=1", f"--namespace={namespace}")
        assert claims.bound("young-0") == kept
        cluster.wait_for_pod(namespace, "young-0")
        claims.outside_sees("young-0", kept[1])


def test_the_annotation_of_the_pod_says_it_for_its_own_claim(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    cluster.apply(
        eip_workload("StatefulSet", "web", {**KEPT, "claim-expired-duration": "5m"}), namespace=namespace
    )
    released = leave(cluster, namespace, claims, "web")

    set_back(cluster, namespace, "web-0", timedelta(minutes=5, seconds=1))

    with controller_flags(cluster, SOON):
        claims.wait_gone("web-0")
        wait_released(cluster, released[0])


def test_without_a_time_it_is_kept(cluster: ClusterUnderTest, namespace: str, claims: Claims):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    kept = leave(cluster, namespace, claims, "web")

    set_back(cluster, namespace, "web-0", timedelta(days=365))
    cluster.kubectl("scale", "statefulset/web", "--replicas=1", f"--namespace={namespace}")

    assert claims.bound("web-0") == kept
    cluster.wait_for_pod(namespace, "web-0")
    claims.outside_sees("web-0", kept[1])


def test_less_than_five_minutes_are_refused(cluster: ClusterUnderTest, namespace: str, claims: Claims):
    wrong = {**KEPT, "claim-expired-duration": "4m59s"}
    cluster.apply(eip_workload("StatefulSet", "web", wrong), namespace=namespace)

    told = claims.says("web-0", "InvalidAttributes")

    assert "claim-expired-duration" in told
    assert "allowed are 5m" in told
    assert not claims.uid("web-0")
