"""Helm takes over what kustomize has set up, upgrades it, and goes: Pods with EIP notice nothing."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from testbed.cluster import deployment
from testbed.cluster.under_test import ClusterUnderTest
from tests.apiserver.charts import CHART, helm
from tests.e2e.test_rollout import agents, watched
from tests.e2e.workloads import eip_pod

KUBE_SYSTEM = f"--namespace={deployment.NAMESPACE}"


@pytest.fixture
def settings(cluster: ClusterUnderTest, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Those of the cluster, which is kustomize's again at the end, as other tests expect it."""
    values = deployment.settings(cluster.region.document)
    yield values
    deployment.deploy(cluster.kubectl, tmp_path / "again", values)


def installed(cluster: ClusterUnderTest, settings: Mapping[str, str], verb: str, *options: str) -> None:
    """Run Helm and wait until agents and controllers are what the chart says."""
    keys = [f"--set=settings.{key}={value}" for key, value in settings.items()]
    arguments = ("tke-eni", str(CHART), KUBE_SYSTEM, "--set=components.ownNodeOnly=true", *keys, *options)
    helm(verb, *arguments, kubeconfig=Path(cluster.kubeconfig))
    for workload in (deployment.AGENT, deployment.CONTROLLER):
        cluster.kubectl("rollout", "status", workload, KUBE_SYSTEM, "--timeout=150s", seconds=160.0)


def test_pods_with_eip_keep_traffic_over_helm_s_install_upgrade_and_uninstall(
    cluster: ClusterUnderTest, namespace: str, settings: Mapping[str, str]
):
    node = cluster.nodes[0].name
    cluster.apply(eip_pod("steady", node=node), namespace=namespace)
    cluster.wait_for_pod(namespace, "steady")
    eip = cluster.must_get_claim(namespace, "steady")["status"]["address"]["ip"]

    with watched(cluster, eip) as misses:
        of_kustomize = agents(cluster)
        installed(cluster, settings, "install", "--take-ownership", "--server-side=false")
        of_helm = agents(cluster)
        installed(cluster, settings, "upgrade", "--set=agent.flags={--log-level=debug}")
        upgraded = agents(cluster)
        cluster.apply(eip_pod("later", node=node), namespace=namespace)
        cluster.wait_for_pod(namespace, "later")
        helm("uninstall", "tke-eni", KUBE_SYSTEM, kubeconfig=Path(cluster.kubeconfig))
        cluster.wait("the agents are gone", lambda: not agents(cluster))
        left = cluster.must_get_claim(namespace, "steady")["status"]["address"]["ip"]
        seen = cluster.internet.source_seen_from(namespace, "steady")

    assert misses == []
    assert not of_kustomize & of_helm
    assert not of_helm & upgraded
    assert left == seen == eip
