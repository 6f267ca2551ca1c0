"""NetworkPolicies by kube-router beside our plugin: they hold for what comes and goes through an EIP too.

These tests have a cluster of their own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster import deployment
from testbed.cluster.running import running_cluster
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims
from tests.e2e.conftest import tke_eni_options
from tests.e2e.workloads import Json, eip_pod, plain_pod

LABELS = {"app": "web"}
_MORE_THAN_AN_ENI_HAS = 21


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterUnderTest]:
    directory = Path("build/e2e-network-policies")
    options = ["--policies", "kube-router", *tke_eni_options()]
    with running_cluster(directory, *options) as access, ClusterUnderTest(access) as cluster:
        yield cluster


def policy(**spec: object) -> Json:
    """A policy for the Pods with LABELS."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web"},
        "spec": {"podSelector": {"matchLabels": LABELS}, **spec},
    }


class Web:
    """A Pod with an EIP on one node, and a Pod that asks it from the other one."""

    def __init__(self, cluster: ClusterUnderTest, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        server = eip_pod("web", node=cluster.nodes[0].name)
        server["metadata"]["labels"] = LABELS
        cluster.apply([server, plain_pod("client", node=cluster.nodes[1].name)], namespace=namespace)
        self.eip = Claims(cluster, namespace).bound("web")[1]
        for name in ("web", "client"):
            cluster.wait_for_pod(namespace, name)
        self.ip = str(cluster.must_get_pod(namespace, "web")["status"]["podIP"])

    def restrict(self, **spec: object) -> None:
        """Give the Pod with EIP this NetworkPolicy."""
        self.cluster.apply(policy(**spec), namespace=self.namespace)

    def free(self) -> None:
        """Take the policy away."""
        self.cluster.delete("networkpolicy", "web", namespace=self.namespace)

    def outside_gets_in(self) -> bool:
        """Whether a host of the internet gets an answer at the EIP."""
        return self.cluster.internet.get(self.eip, 80) == "web\n"

    def gets_out(self) -> bool:
        """Whether the Pod reaches the internet, where it has to be seen with its EIP."""
        seen = self.cluster.internet.source_seen_from(self.namespace, "web")
        assert seen in ("", self.eip)
        return bool(seen)

    def client_gets_in(self) -> bool:
        """Whether a Pod of another node gets an answer."""
        command = f"timeout 3 wget -q -O - http://{self.ip}/ || true"
        return self.cluster.exec(self.namespace, "client", "sh", "-c", command) == "web\n"

    def settles(self, *, outside: bool, client: bool, out: bool) -> None:
        """Wait until the three ways are open or closed as said; kube-router takes a moment."""

        def look() -> bool:
            return (self.outside_gets_in(), self.client_gets_in(), self.gets_out()) == (outside, client, out)

        self.cluster.wait(f"outside {outside}, client {client}, out {out}", look, seconds=60.0)


@pytest.fixture
def web(cluster: ClusterUnderTest, namespace: str) -> Web:
    return Web(cluster, namespace)


def test_a_policy_holds_for_what_comes_and_goes_through_the_eip(cluster: ClusterUnderTest, web: Web):
    web.settles(outside=True, client=True, out=True)

    web.restrict(policyTypes=["Ingress"])
    web.settles(outside=False, client=False, out=True)

    [host] = [*cluster.internet.hosts][:1]
    web.restrict(policyTypes=["Ingress"], ingress=[{"from": [{"ipBlock": {"cidr": f"{host}/32"}}]}])
    web.settles(outside=True, client=False, out=True)

    client = {"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}
    web.restrict(policyTypes=["Ingress", "Egress"], ingress=[{"from": [client]}])
    web.settles(outside=False, client=True, out=False)

    web.free()
    web.settles(outside=True, client=True, out=True)


def test_a_policy_holds_for_the_pods_of_every_eni(cluster: ClusterUnderTest, namespace: str):
    """kube-router and we both mark packets: what a policy allows, and the ENI by which it goes."""
    node = cluster.nodes[0]
    for number in range(_MORE_THAN_AN_ENI_HAS):
        pod = plain_pod(f"web-{number}", node=node.name)
        pod["metadata"]["labels"] = LABELS
        cluster.apply(pod, namespace=namespace)
    cluster.apply(plain_pod("client", node=cluster.nodes[1].name), namespace=namespace)
    names = [f"web-{number}" for number in range(_MORE_THAN_AN_ENI_HAS)]
    addresses = [cluster.wait_for_pod(namespace, name)["status"]["podIP"] for name in names]
    cluster.wait_for_pod(namespace, "client")
    rules = node.run("ip", "rule", "show", "priority", "1536")
    assert len(rules.splitlines()) >= 2, "the Pods are to be on two ENIs at least"

    def reached() -> set[str]:
        ask = "; ".join(f"timeout 2 wget -q -O /dev/null http://{ip}/ && echo {ip}" for ip in addresses)
        return set(cluster.exec(namespace, "client", "sh", "-c", f"{ask}; true", seconds=60.0).split())

    cluster.wait("all are reached", lambda: reached() == set(addresses))
    cluster.apply(policy(policyTypes=["Ingress"]), namespace=namespace)
    cluster.wait("none is reached", lambda: not reached())
    cluster.delete("networkpolicy", "web", namespace=namespace)
    cluster.wait("all are reached again", lambda: reached() == set(addresses))


def test_what_kube_router_writes_is_no_drift_of_ours_and_ours_none_of_its(
    cluster: ClusterUnderTest, web: Web
):
    web.restrict(policyTypes=["Ingress"])
    web.settles(outside=False, client=False, out=True)

    for pod in cluster.kubectl("get", "pods", *_AGENTS, "--output=name").split():
        said = cluster.kubectl("exec", pod, _KUBE_SYSTEM, "--", "ipamctl", "check")
        assert "nothing is wrong with the node" in said

    cluster.kubectl("rollout", "restart", deployment.AGENT, _KUBE_SYSTEM)
    cluster.kubectl("rollout", "status", deployment.AGENT, _KUBE_SYSTEM, "--timeout=120s", seconds=130.0)
    web.settles(outside=False, client=False, out=True)


_KUBE_SYSTEM = f"--namespace={deployment.NAMESPACE}"
_AGENTS = (_KUBE_SYSTEM, "--selector=app.kubernetes.io/name=tke-eni-agent")
