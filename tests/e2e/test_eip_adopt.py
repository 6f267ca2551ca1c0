"""EIPs that TKE's component has kept, taken over by `ipamctl eip adopt` as docs/moving-from-tke.md tells."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ipamd.core import tags
from testbed.cluster.deployment import CLUSTER_ID
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims, eip, users_eips
from tests.e2e.workloads import eip_pod

KEPT = tags.of_cluster(CLUSTER_ID)
"""The tags with which TKE's component leaves an EIP."""


@pytest.fixture
def kept(cluster: ClusterUnderTest) -> Iterator[list[str]]:
    """Two of them; asked for before `namespace`, so that they are given back after its Pods are gone."""
    with users_eips(cluster, 2, **KEPT) as ids:
        yield ids


def adopt(cluster: ClusterUnderTest, *arguments: str) -> dict[str, dict[str, Any]]:
    """What the command says of each EIP."""
    region = cluster.region.document
    key = region["credentials"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ipamd.ctl", "eip", "adopt", "-o", "json", "--yes"),
            *(f"--cluster-id={CLUSTER_ID}", f"--region={region['region']}"),
            *(f"--cloud-endpoint={region['cloud']}", f"--kubeconfig={cluster.kubeconfig}", *arguments),
        ],
        env={
            **os.environ,
            "TENCENTCLOUD_SECRET_ID": key["secret_id"],
            "TENCENTCLOUD_SECRET_KEY": key["secret_key"],
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {row["eipId"]: row for row in json.loads(done.stdout)["eips"]}


def test_pods_have_them_through_a_pool_and_they_are_never_released(
    cluster: ClusterUnderTest, kept: list[str], namespace: str, claims: Claims
):
    said = adopt(cluster, f"--pool={namespace}", f"--eip={','.join(kept)}")
    assert {eip_id: row["action"] for eip_id, row in said.items()} == dict.fromkeys(kept, "adopt")
    try:
        cluster.apply(eip_pod("web", annotations={"eip-pool": namespace}), namespace=namespace)
        eip_id, address = claims.bound("web")
        cluster.wait_for_pod(namespace, "web")

        claims.outside_sees("web", address)
        assert eip_id in kept

        cluster.delete("pod", "web", namespace=namespace)
        claims.wait_gone("web")
        assert all(eip(cluster, one) for one in kept)
    finally:
        cluster.kubectl("delete", "eippool", namespace)


def test_a_pod_of_the_name_has_the_one_that_was_named_for_it(
    cluster: ClusterUnderTest, kept: list[str], namespace: str, claims: Claims
):
    adopt(cluster, f"--claim={namespace}/web-0={kept[1]}")

    cluster.apply(eip_pod("web-0"), namespace=namespace)
    eip_id, address = claims.bound("web-0")
    cluster.wait_for_pod(namespace, "web-0")

    claims.outside_sees("web-0", address)
    assert eip_id == kept[1]
    cluster.delete("pod", "web-0", namespace=namespace)
    cluster.kubectl("delete", "eipc", "web-0", f"--namespace={namespace}")
    assert eip(cluster, kept[1])
