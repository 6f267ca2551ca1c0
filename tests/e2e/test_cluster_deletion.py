"""A cluster is deleted, and its EIPs are given back by `ipamctl eip cleanup`: TKE's page says that it cannot.

    当前集群删除时暂不支持回收该集群自动创建的 EIP。

The account outlives the cluster. What the account has, and what hosts of the internet still reach, is looked
at in the region; the cluster's nodes are switched off and its controller is gone.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator

import pytest

from ipamd.cloud import endpoints
from ipamd.cloud.credentials import Credential, StaticCredentials
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from testbed.cluster import deployment
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.workloads import eip_pod


class Account:
    """The account as an operator works with it: ipamctl, the key, and what is billed."""

    def __init__(self, cluster: ClusterUnderTest) -> None:
        self._cluster = cluster
        self._region = cluster.region.document

    def cleanup(self, *arguments: str) -> tuple[int, dict[str, dict[str, object]], str]:
        """Exit code, what was said of each EIP, and what was said besides."""
        key = self._region["credentials"]
        command = [sys.executable, "-m", "ipamd.ctl", "eip", "cleanup", "-o", "json"]
        command += [f"--cluster-id={deployment.CLUSTER_ID}", f"--region={self._region['region']}"]
        command += [f"--cloud-endpoint={self._region['cloud']}", *arguments]
        environment = {
            **os.environ,
            "TENCENTCLOUD_SECRET_ID": key["secret_id"],
            "TENCENTCLOUD_SECRET_KEY": key["secret_key"],
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        said = {eip["eipId"]: eip for eip in json.loads(done.stdout)["eips"]} if done.stdout else {}
        return done.returncode, said, done.stderr

    def allocate(self) -> str:
        """Order an EIP as a person does in the console, with a tag of their own."""
        key = self._region["credentials"]
        credential = Credential(secret_id=key["secret_id"], secret_key=key["secret_key"])
        with TencentCloud(
            region=self._region["region"],
            credentials=StaticCredentials(credential),
            endpoints=endpoints.parse(self._region["cloud"]),
        ) as cloud:
            eip_id = cloud.allocate_eip(model.EipOrder(), {"team": "a"}, f"console-{uuid.uuid4()}").eip_id
            self._cluster.wait(f"{eip_id} is there", lambda: eip_id in self.eips())
            return eip_id

    def eips(self) -> set[str]:
        """Ids of all that is billed."""
        return {str(eip["AddressId"]) for eip in self._cluster.region.eips()}


@pytest.fixture
def account(cluster: ClusterUnderTest) -> Account:
    return Account(cluster)


@pytest.fixture
def deleted(cluster: ClusterUnderTest, namespace: str) -> Iterator[Callable[[], None]]:
    """Switches the cluster off as a deletion does; at the end it is there again, without Pods and claims.

    A cluster that comes back finds all of its EIPs gone at once. Its controller would take that for a sight
    that is lost and keep the claims; so they are let go by hand, as its Event EIPsNotShown says.
    """

    def delete() -> None:
        cluster.kubectl("scale", deployment.CONTROLLER, "--namespace=kube-system", "--replicas=0")
        cluster.wait("the controller is gone", lambda: not _controllers(cluster))
        for node in cluster.nodes:
            node.power_off()

    yield delete
    cluster.kubectl("delete", "pods,eipclaims", "--all", f"--namespace={namespace}", "--wait=false")
    letting_go = ["--type=merge", '--patch={"metadata":{"finalizers":null}}']
    for claim in cluster.kubectl("get", "eipclaims", f"--namespace={namespace}", "--output=name").split():
        cluster.kubectl("patch", claim, f"--namespace={namespace}", *letting_go)
    for node in cluster.nodes:
        node.boot()
    cluster.kubectl("scale", deployment.CONTROLLER, "--namespace=kube-system", "--replicas=2")
    for workload in (deployment.AGENT, deployment.CONTROLLER):
        arguments = ["rollout", "status", workload, "--namespace=kube-system", "--timeout=180s"]
        cluster.kubectl(*arguments, seconds=190.0)


def _controllers(cluster: ClusterUnderTest) -> str:
    selector = "--selector=app.kubernetes.io/name=tke-eni-ipamd"
    return cluster.kubectl("get", "pods", "--namespace=kube-system", selector, "--output=name").strip()


def test_the_eips_of_a_deleted_cluster_are_given_back_and_nobody_elses(
    cluster: ClusterUnderTest, namespace: str, account: Account, deleted: Callable[[], None]
):
    users = account.allocate()
    before = account.eips()
    assert users in before
    kept_pod = eip_pod("kept-0", annotations={"eip-claim-delete-policy": "Never"})
    cluster.apply([eip_pod("web-0"), eip_pod("web-1"), kept_pod], namespace=namespace)
    public = {}
    for name in ("web-0", "web-1", "kept-0"):
        cluster.wait_for_pod(namespace, name)
        public[name] = cluster.must_get_claim(namespace, name)["status"]["address"]["ip"]
    cluster.delete("pod", "kept-0", namespace=namespace)
    ours = account.eips() - before
    assert len(ours) == 3

    # The cluster lives: nothing is touched, whatever is bound or not, and traffic goes on.
    code, listed, said = account.cleanup("--yes")
    assert (code, set(listed)) == (1, ours)
    assert "may be alive" in said
    code, listed, _ = account.cleanup("--yes", "--unbind", f"--kubeconfig={cluster.kubeconfig}")
    assert code == 0
    assert {eip["action"] for eip in listed.values()} == {"keep: claimed"}
    assert {eip["claim"] for eip in listed.values()} == {f"{namespace}/{name}" for name in public}
    assert account.eips() - before == ours
    for name in ("web-0", "web-1"):
        assert cluster.internet.get(public[name], 80) == f"{name}\n"
        assert cluster.internet.source_seen_from(namespace, name) == public[name]

    # The cluster is deleted: its EIPs are still billed, and then they are not.
    deleted()
    assert account.eips() - before == ours
    code, listed, said = account.cleanup("--yes", "--unbind")
    assert code == 0, said
    assert {eip["result"] for eip in listed.values()} == {"released"}
    assert account.eips() == before
    assert account.cleanup()[1] == {}
