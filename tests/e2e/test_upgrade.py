"""From one version to the next and back, each built from its commit: Pods with EIP notice nothing of it.

These tests have a cluster of their own.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster import deployment
from testbed.cluster.running import running_cluster
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.conftest import IMAGE
from tests.e2e.test_rollout import agents, watched
from tests.e2e.workloads import eip_pod

BEFORE = "b2154ed752cf"
"""The version before: its tag, or, as long as there is none, a commit. It marked packets with other bits."""
DIRECTORY = Path("build/e2e-upgrade")
pytestmark = pytest.mark.release


def _git(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["git", *arguments], capture_output=True, check=False)


@pytest.fixture(scope="module")
def before() -> Path:
    """The tree of the version before, with its image."""
    tree = DIRECTORY / "before"
    packed = _git("archive", BEFORE)
    if packed.returncode != 0:
        pytest.fail(f"{BEFORE} is not here; fetch the whole history: {packed.stderr.decode().strip()}")
    tree.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "--extract", "--directory", tree], input=packed.stdout, check=True)
    name = f"{deployment.IMAGE}:before"
    subprocess.run([tree / "deploy/image/build.sh", name, (DIRECTORY / "before.tar").absolute()], check=True)
    return tree


@pytest.fixture(scope="module")
def cluster(before: Path) -> Iterator[ClusterUnderTest]:
    """One that can pull both versions."""
    images = {"before": DIRECTORY / "before.tar", deployment.version(): IMAGE}
    options = [f"--image={deployment.IMAGE}:{tag}={archive}" for tag, archive in images.items()]
    with running_cluster(DIRECTORY, *options) as access, ClusterUnderTest(access) as cluster:
        yield cluster


def test_up_and_back_while_an_eip_is_asked_all_the_time(
    cluster: ClusterUnderTest, before: Path, namespace: str, tmp_path: Path
):
    values = deployment.settings(cluster.region.document)
    node = cluster.nodes[0].name

    def install(name: str, source: Path, tag: str) -> None:
        deployment.deploy(cluster.kubectl, tmp_path / name, values, source=source, tag=tag)

    def starts(name: str) -> str:
        cluster.apply(eip_pod(name, node=node), namespace=namespace)
        cluster.wait_for_pod(namespace, name, seconds=120.0)
        eip = str(cluster.must_get_claim(namespace, name)["status"]["address"]["ip"])
        assert cluster.internet.source_seen_from(namespace, name) == eip
        return eip

    install("before", before / "deploy", "before")
    eip = starts("steady")
    with watched(cluster, eip) as misses:
        of_before = agents(cluster)
        install("after", Path("deploy"), deployment.version())
        of_after = agents(cluster)
        upgraded = cluster.internet.source_seen_from(namespace, "steady")
        later = starts("later")
        cluster.delete("pod", "later", namespace=namespace)
        install("back", before / "deploy", "before")
        of_back = agents(cluster)
        back = cluster.internet.source_seen_from(namespace, "steady")
        last = starts("last")

    assert misses == []
    assert upgraded == back == eip
    assert len({eip, later, last}) >= 2
    assert not of_before & of_after
    assert not of_after & of_back
