"""One cluster for all end-to-end tests, and a namespace of its own for each.

The cluster is started here, with tke-eni deployed, unless KUBECONFIG names one that runs (docs/e2e.md). What
a failed test saw of the cluster is written to build/e2e-logs/<test>.
"""

import re
import shutil
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from testbed.cluster import deployment
from testbed.cluster.running import running_cluster
from testbed.cluster.under_test import ClusterUnderTest, given_access
from tests.e2e.claims import Claims

LOGS = Path("build/e2e-logs")
IMAGE = Path("build/image/ipamd.tar")
_failed = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def cluster() -> Iterator[ClusterUnderTest]:
    """The cluster under test, with tke-eni on it."""
    shutil.rmtree(LOGS, ignore_errors=True)
    access = given_access()
    if access is not None:
        with ClusterUnderTest(access) as cluster:
            yield cluster
        return
    options = tke_eni_options()
    with running_cluster(Path("build/e2e"), *options) as access, ClusterUnderTest(access) as cluster:
        yield cluster


def tke_eni_options() -> list[str]:
    """Give the options that start a cluster with tke-eni deployed."""
    if not IMAGE.exists():
        pytest.fail(f"{IMAGE} is missing: run `make image`, or all of it by `make e2e`")
    return ["--deploy", "--image", f"{deployment.IMAGE}:{deployment.version()}={IMAGE}"]


@pytest.fixture
def namespace(cluster: ClusterUnderTest, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace, named after the test. At its end everything in it is deleted, with its claims."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))
    name = f"{words[:50].strip('-')}-{uuid.uuid4().hex[:4]}"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    # Admission refuses Pods before it is there.
    cluster.wait(
        f"service account of {name}",
        lambda: cluster.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"),
    )
    yield name
    if request.node.stash.get(_failed, False):
        cluster.dump(LOGS / request.node.name)
    cluster.empty_namespace(name)


@pytest.fixture
def claims(cluster: ClusterUnderTest, namespace: str) -> Claims:
    """The EIPClaims of the test's namespace."""
    return Claims(cluster, namespace)


@pytest.fixture
def cordoned(cluster: ClusterUnderTest) -> Iterator[Callable[[str], None]]:
    """Returns what keeps new Pods off a node until the end of the test."""
    names: list[str] = []

    def cordon(name: str) -> None:
        names.append(name)
        cluster.kubectl("cordon", name)

    yield cordon
    for name in names:
        cluster.kubectl("uncordon", name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report
