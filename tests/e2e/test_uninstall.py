"""`kubectl eni uninstall` on a real cluster: nothing of ours is left, others' stays, and it can come back."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ipamd.core import tags
from testbed.cluster import deployment
from testbed.cluster.nodes import Node
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims, eip, users_eips
from tests.e2e.test_kubectl_eni import KubectlEni
from tests.e2e.workloads import eip_pod, eip_workload, plain_pod

_OUR_FILES = ("/etc/cni/net.d", "/opt/cni/bin", "/opt/tke-eni", "/var/lib/tke-eni", "/run/tke-eni")


@pytest.fixture
def own(cluster: ClusterUnderTest) -> Iterator[list[str]]:
    """An EIP of the user's; asked for before `namespace`, so that it is given back after its Pod is gone."""
    with users_eips(cluster, 1) as ids:
        yield ids


@pytest.fixture
def restored(cluster: ClusterUnderTest, tmp_path: Path) -> Iterator[None]:
    """What other tests expect is there again at the end."""
    yield
    deployment.deploy(cluster.kubectl, tmp_path / "again", deployment.settings(cluster.region.document))
    for node in cluster.nodes:
        cluster.wait(f"{node.name} is ready", partial(_is_ready, cluster, node))


def _is_ready(cluster: ClusterUnderTest, node: Node) -> bool:
    found = cluster.must_get(f"/api/v1/nodes/{node.name}")
    conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
    return conditions["Ready"] == "True" and not found["spec"].get("taints")


def kernel_of(node: Node) -> dict[str, Any]:
    """What the kernel of a node has, without what changes by itself."""
    rules = json.loads(node.run("ip", "-j", "rule"))
    routes = json.loads(node.run("ip", "-j", "route", "show", "table", "all"))
    links = json.loads(node.run("ip", "-j", "link"))
    tables = json.loads(node.run("nft", "-j", "list", "tables"))["nftables"]
    return {
        "rules": sorted(f"{rule['priority']} {rule.get('table')}" for rule in rules),
        "routes": sorted(f"{route['dst']} {route.get('dev')} {route.get('table')}" for route in routes),
        "links": sorted(link["ifname"] for link in links),
        "tables": sorted(f"{t['table']['family']} {t['table']['name']}" for t in tables if "table" in t),
    }


def files_of(node: Node) -> list[str]:
    """Our files on a node: those below our own directories, and those of our names beside others'."""
    found = [path for top in _OUR_FILES for path in node.path(top).rglob("*")]
    return [
        str(path)
        for path in found
        if not path.is_dir() and ("tke" in path.name or "tke-eni" in str(path.parent))
    ]


def enis_of_ours(cluster: ClusterUnderTest) -> list[str]:
    """ENIs of the account that have our tag."""
    enis = cluster.region.admin.get("/state")["cloud"]["enis"]
    return [eni_id for eni_id, eni in enis.items() if tags.NODE in eni["tags"]]


def eips_of_ours(cluster: ClusterUnderTest) -> list[str]:
    """EIPs that were created for a claim or a pool; other tests leave EIPs of users."""
    eips = cluster.region.admin.get("/state")["cloud"]["addresses"]
    return [eip_id for eip_id, eip in eips.items() if {tags.CLAIM_UID, tags.POOL_UID} & {*eip["tags"]}]


def objects_of_ours(cluster: ClusterUnderTest) -> list[str]:
    """Every object of every kind with our label or name."""
    kinds = cluster.kubectl("api-resources", "--verbs=list,delete", "--output=name").split()
    kinds = [kind for kind in kinds if not kind.startswith("events") and "metrics.k8s.io" not in kind]
    listed = cluster.kubectl(
        "get", ",".join(kinds), "-A", "--output=json", "--ignore-not-found", seconds=120.0
    )
    items = json.loads(listed)["items"] if listed.strip() else []
    return [
        f"{obj['kind']}/{obj['metadata']['name']}"
        for obj in items
        if obj["metadata"]["name"].startswith("tke-eni")
        or (obj["metadata"].get("labels") or {}).get("app.kubernetes.io/part-of") == "tke-eni"
        or "tke.cloud.tencent.com" in obj["metadata"]["name"]
    ]


def test_uninstall_gives_back_all_of_ours_and_nothing_else_also_when_it_was_interrupted(
    cluster: ClusterUnderTest, own: list[str], namespace: str, restored: None, tmp_path: Path
):
    eni, claims = KubectlEni(cluster), Claims(cluster, namespace)
    kept = eip_pod("kept-0", annotations={"eip-claim-delete-policy": "Never"})
    cluster.apply([kept, plain_pod("plain")], namespace=namespace)
    cluster.apply(eip_workload("Deployment", "api", {"eip-attributes": ""}, replicas=1), namespace=namespace)
    cluster.apply(eip_workload("StatefulSet", "named", {"eip-id-list": own[0]}), namespace=namespace)
    claims.bound("named-0")
    claims.bound("kept-0")
    cluster.wait_for_pod(namespace, "kept-0")
    cluster.delete("pod", "kept-0", namespace=namespace)
    assert enis_of_ours(cluster)
    assert eips_of_ours(cluster)
    eips = {found["AddressId"] for found in cluster.region.eips()}

    # Nothing happens without --yes, and nothing to Pods that run without --drain.
    said = eni.json("uninstall", "--dry-run")
    assert any(f"EIPClaim {namespace}/kept-0" == text for step in said["steps"] for text in step["todo"])
    refused = eni.json("uninstall", "--yes", code=1)
    assert [step["step"] for step in refused["steps"]] == ["Pods"]
    assert any("named-0" in text for text in refused["steps"][0]["left"])
    assert {found["AddressId"] for found in cluster.region.eips()} == eips
    assert claims.bound("named-0")[0] == own[0]

    # Cut off when the daemons have ended and the nodes' turn has come.
    with eni.started("uninstall", "--yes", "--drain") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if ": nodes" in line:
                break
        process.terminate()
    done = eni.json("uninstall", "--yes", "--drain")

    assert [text for step in done["steps"] for text in step["left"]] == []
    assert enis_of_ours(cluster) == []
    assert eips_of_ours(cluster) == []
    assert eip(cluster, own[0])["AddressStatus"] == "UNBIND"
    assert objects_of_ours(cluster) == []
    for node in cluster.nodes:
        kernel = kernel_of(node)
        assert kernel["links"] == ["eth0", "lo"]
        assert [name for name in kernel["tables"] if "tke" in name] == []
        assert kernel["rules"] == ["0 local", "32766 main", "32767 default"]
        assert [route for route in kernel["routes"] if "eni" in route or "eth1" in route] == []
        assert files_of(node) == []
        found = cluster.must_get(f"/api/v1/nodes/{node.name}")
        assert [key for key in found["metadata"]["annotations"] if "tke" in key] == []
        assert [key for key in found["status"]["capacity"] if "tke" in key] == []
        assert [c["type"] for c in found["status"]["conditions"] if "Tke" in c["type"]] == []
        assert not found["spec"].get("unschedulable")
    # Nothing is left to be done, and that is no error.
    assert sum(len(step["todo"]) for step in eni.json("uninstall", "--yes")["steps"]) == 0

    deployment.deploy(cluster.kubectl, tmp_path / "anew", deployment.settings(cluster.region.document))
    cluster.wait_for_pod(namespace, "named-0", seconds=120.0)
    claims.outside_sees("named-0", eip(cluster, own[0])["AddressIp"])
