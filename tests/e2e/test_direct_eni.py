"""Pods with an ENI of their own (docs/direct-eni.md) on real Kubernetes.

These tests have a cluster of their own, unless the one that KUBECONFIG names has CoreDNS.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import deployment
from testbed.cluster.nodes import Node
from testbed.cluster.observation import is_ready
from testbed.cluster.running import running_cluster
from testbed.cluster.under_test import ClusterUnderTest, given_access
from tests.e2e import admission, page
from tests.e2e.claims import Claims, wait_released
from tests.e2e.conftest import tke_eni_options
from tests.e2e.flags import agent_flags, without_agent_flag
from tests.e2e.own_enis import answer, is_put_away, link, own_enis
from tests.e2e.placement import node_of
from tests.e2e.test_keeping import calls
from tests.e2e.test_rollout import AGENTS, agents, public_ip, watched
from tests.e2e.workloads import (
    DIRECT,
    DIRECT_ENI,
    EIP,
    Json,
    direct_pod,
    eip_pod,
    eip_workload,
    forgetful_pod,
    plain_pod,
)

KEPT = {**DIRECT, "eip-attributes": "", "eip-claim-delete-policy": "Never"}
FLAGS = "--direct-eni", "--eni-release-interval=3s"
ROOM = "39"
"""Extended ENIs of a CVM of the family S5 with 8 vCPUs."""
NO_AGENT = "example.com/no-agent"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterUnderTest]:
    """One with CoreDNS and the admission webhook, whose agents have the mode."""
    with contextlib.ExitStack() as stack:
        access = given_access()
        if access is None:
            options = ["--dns", *tke_eni_options()]
            access = stack.enter_context(running_cluster(Path("build/e2e-direct-eni"), *options))
        cluster = stack.enter_context(ClusterUnderTest(access))
        stack.enter_context(admission.webhook(cluster, tmp_path_factory.mktemp("overlay")))
        stack.enter_context(agent_flags(cluster, *FLAGS))
        for node in cluster.nodes:
            cluster.wait("the resource", partial(_has_the_mode, cluster, node))
        yield cluster


@pytest.fixture
def only(cluster: ClusterUnderTest) -> Iterator[Any]:
    """Returns what lets the scheduler choose one node only, until the end of the test."""

    def allow(name: str) -> None:
        for node in cluster.nodes:
            cluster.kubectl("uncordon" if node.name == name else "cordon", node.name)

    yield allow
    for node in cluster.nodes:
        cluster.kubectl("uncordon", node.name)


def _has_the_mode(cluster: ClusterUnderTest, node: Node) -> bool:
    return offered(cluster, node) == ROOM


def offered(cluster: ClusterUnderTest, node: Node) -> str:
    found = cluster.must_get(f"/api/v1/nodes/{node.name}")
    return str(found["status"]["allocatable"].get(DIRECT_ENI, ""))


def start(cluster: ClusterUnderTest, namespace: str, *pods: Json) -> list[str]:
    """Create Pods and wait until they run; give their addresses."""
    cluster.apply(list(pods), namespace=namespace)
    return [str(cluster.wait_for_pod(namespace, p["metadata"]["name"])["status"]["podIP"]) for p in pods]


def get(cluster: ClusterUnderTest, namespace: str, pod: str, url: str) -> str:
    """What the Pod gets from a URL; empty when nobody answers."""
    return cluster.exec(namespace, pod, "sh", "-c", f"timeout 3 wget -q -O - {url} || true")


def wait_until_put_away(cluster: ClusterUnderTest, node: Node, mac: str) -> None:
    def look() -> bool:
        gone = all(eni.mac != mac for eni in own_enis(cluster, node).values())
        return gone or is_put_away(node, mac)

    cluster.wait(f"the ENI {mac} is free", look)


def test_the_page_s_stateful_set_has_an_eni_and_an_eip_that_stay(cluster: ClusterUnderTest):
    claims = Claims(cluster, "default")
    cluster.apply(page.WITH_OWN_ENI)
    try:
        first = claims.bound("busybox-0")
        pod = cluster.wait_for_pod("default", "busybox-0")
        node = cluster.node(pod["spec"]["nodeName"])
        eni = own_enis(cluster, node)[pod["status"]["podIP"]]
        inside = json.loads(cluster.exec("default", "busybox-0", "sh", "-c", LINK_OF_POD))
        assert inside == [eni.mac, mtu(node, "eth0")]
        page.serve(cluster, "busybox-0")
        claims.outside_sees("busybox-0", first[1])

        cluster.kubectl("delete", "pod", "busybox-0", "--grace-period=1")
        assert claims.bound("busybox-0") == first
        cluster.wait_for_pod("default", "busybox-0")
        page.serve(cluster, "busybox-0")
        claims.outside_sees("busybox-0", first[1])
    finally:
        cluster.kubectl("delete", "statefulset/busybox", "--cascade=orphan")
        cluster.kubectl("delete", "pod", "busybox-0", "--grace-period=1")
        cluster.kubectl("delete", "eipc", "busybox-0")
    wait_released(cluster, first[0])


def mtu(node: Node, name: str) -> int:
    (found,) = json.loads(node.run("ip", "-json", "link", "show", name))
    return int(found["mtu"])


LINK_OF_POD = 'cd /sys/class/net/eth0 && echo "[\\"$(cat address)\\", $(cat mtu)]"'


def test_pods_of_both_modes_on_one_node_are_each_seen_by_their_eip(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    node = cluster.nodes[0]
    own = eip_pod("own", annotations=DIRECT, node=node.name)
    ips = start(cluster, namespace, own, eip_pod("shared", node=node.name))

    assert [ip in own_enis(cluster, node) for ip in ips] == [True, False]
    for pod in ("own", "shared"):
        claims.outside_sees(pod, claims.bound(pod)[1])


def test_the_webhook_names_the_resource_and_the_scheduler_counts_it(
    cluster: ClusterUnderTest, namespace: str
):
    cluster.apply(forgetful_pod("forgot", annotations=DIRECT), namespace=namespace)
    greedy = direct_pod("greedy")
    for asked in greedy["spec"]["containers"][0]["resources"].values():
        asked[DIRECT_ENI] = str(int(ROOM) + 1)
    cluster.apply(greedy, namespace=namespace)

    wanted = {DIRECT_ENI: "1", EIP: "1"}
    got = admission.resources(cluster.pod(namespace, "forgot"))
    assert got == {"requests": wanted, "limits": wanted}
    cluster.wait_for_pod(namespace, "forgot")

    def refusal() -> str:
        conditions = cluster.must_get_pod(namespace, "greedy")["status"].get("conditions", [])
        return " ".join(c.get("message", "") for c in conditions)

    cluster.wait("the scheduler says why", lambda: f"Insufficient {DIRECT_ENI}" in refusal())


def service(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": "NodePort", "selector": {"app": name}, "ports": [{"port": 80}]},
    }


def test_services_lead_both_ways_between_pods_of_both_modes_and_from_outside(
    cluster: ClusterUnderTest, namespace: str
):
    pods = []
    for node, place in zip(cluster.nodes, ("here", "there"), strict=True):
        pods += [
            direct_pod(f"own-{place}", node=node.name),
            plain_pod(f"shared-{place}", node=node.name),
        ]
    for pod in pods:
        pod["metadata"]["labels"] = {"app": pod["metadata"]["name"]}
    names = [str(pod["metadata"]["name"]) for pod in pods]
    cluster.apply([service(name) for name in names], namespace=namespace)
    ips = dict(zip(names, start(cluster, namespace, *pods), strict=True))
    specs = {
        name: cluster.must_get(f"/api/v1/namespaces/{namespace}/services/{name}")["spec"] for name in names
    }
    ports = {name: spec["ports"][0]["nodePort"] for name, spec in specs.items()}
    ways = {
        **{f"{ips[name]} of {name}": (f"http://{ips[name]}/", name) for name in names},
        **{f"ClusterIP of {name}": (f"http://{specs[name]['clusterIP']}/", name) for name in names},
        **{
            f"NodePort of {name} at {node.name}": (f"http://{node.name}:{port}/", name)
            for name, port in ports.items()
            for node in cluster.nodes
        },
    }

    def failures() -> list[str]:
        """The ways that lead nowhere, or not to whom they should."""
        found = []
        for client in names:
            ask = "; ".join(f"echo $(timeout 2 wget -q -O - {url})" for url, _ in ways.values())
            got = cluster.exec(namespace, client, "sh", "-c", ask, seconds=120.0).splitlines()
            wrong = [
                f"{client} by {way} gets {answer!r}"
                for (way, (_, name)), answer in zip(ways.items(), got, strict=True)
                if answer != name
            ]
            found += wrong
        return found

    cluster.wait("kube-proxy knows all", lambda: get(cluster, namespace, names[0], f"http://{names[-1]}/"))
    cluster.wait("no way is closed", lambda: not failures() or pytest.fail(str(failures())))
    for name, port in ports.items():
        for node in cluster.nodes:
            assert cluster.internet.get(public_ip(cluster, node), port) == f"{name}\n", (name, node.name)
            assert answer(node.netns, ips[name]) == f"{name}\n", (name, node.name)


def test_the_kubelet_s_probes_and_the_cluster_s_dns_work(cluster: ClusterUnderTest, namespace: str):
    pod = direct_pod("probed")
    probe = {"httpGet": {"port": 80, "path": "/"}, "periodSeconds": 1, "failureThreshold": 2}
    pod["spec"]["containers"][0] |= {"readinessProbe": probe, "livenessProbe": probe}
    start(cluster, namespace, pod)

    lookup = cluster.exec(namespace, "probed", "nslookup", "kubernetes.default.svc.cluster.local")
    assert "10.96.0.1" in lookup
    # A probe that fails is noticed, so those that passed were asked of the Pod.
    cluster.exec(namespace, "probed", "sh", "-c", "mv /www/index.html /www/away")
    cluster.wait("it is not ready", lambda: not is_ready(cluster.must_get_pod(namespace, "probed")))


def test_the_metadata_service_is_closed(cluster: ClusterUnderTest, namespace: str):
    node = cluster.nodes[0]
    start(cluster, namespace, direct_pod("own", node=node.name))
    metadata = cluster.region.document["fabric"]["metadata"].removeprefix("http://")
    assert answer(node.netns, metadata, path="/latest/meta-data/instance-id").startswith("ins-")

    assert get(cluster, namespace, "own", f"http://{metadata}/latest/meta-data/instance-id") == ""


def test_back_on_its_node_the_pod_has_eni_and_eip_without_a_call(
    cluster: ClusterUnderTest, namespace: str, claims: Claims, only: Any
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    before = cluster.wait_for_pod(namespace, "web-0")
    first = claims.bound("web-0")
    only(before["spec"]["nodeName"])
    asked = [calls(cluster, action, first[0]) for action in ("AssociateAddress", "DisassociateAddress")]

    cluster.delete("pod", "web-0", namespace=namespace)
    after = cluster.wait_for_pod(namespace, "web-0")

    assert claims.bound("web-0") == first
    assert after["status"]["podIP"] == before["status"]["podIP"]
    claims.outside_sees("web-0", first[1])
    assert [calls(cluster, a, first[0]) for a in ("AssociateAddress", "DisassociateAddress")] == asked


def test_on_another_node_the_pod_has_its_eip_and_the_eni_it_left_is_free(
    cluster: ClusterUnderTest, namespace: str, claims: Claims, only: Any
):
    cluster.apply(eip_workload("StatefulSet", "web", KEPT), namespace=namespace)
    first = claims.bound("web-0")
    before = cluster.wait_for_pod(namespace, "web-0")
    left = cluster.node(before["spec"]["nodeName"])
    eni = own_enis(cluster, left)[before["status"]["podIP"]]
    (other,) = (node for node in cluster.nodes if node is not left)

    only(other.name)
    cluster.delete("pod", "web-0", namespace=namespace)

    assert claims.bound("web-0") == first
    assert node_of(cluster, namespace, "web-0") == other.name
    claims.outside_sees("web-0", first[1])
    wait_until_put_away(cluster, left, eni.mac)


def test_pods_notice_nothing_of_an_agent_that_is_replaced_or_killed(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    node = cluster.nodes[0]
    start(cluster, namespace, eip_pod("steady", annotations=DIRECT, node=node.name))
    eip = claims.bound("steady")[1]
    with watched(cluster, eip) as misses:
        old = agents(cluster)
        cluster.kubectl("rollout", "restart", deployment.AGENT, f"--namespace={deployment.NAMESPACE}")
        status = ("rollout", "status", deployment.AGENT, "--timeout=150s")
        cluster.kubectl(*status, f"--namespace={deployment.NAMESPACE}", seconds=160.0)
        assert not old & agents(cluster)

        agent = agent_of(cluster, node)
        restarts = restarts_of(agent)
        for pid in cluster.processes_of(agent):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        start(cluster, namespace, direct_pod("later", node=node.name))
        cluster.wait("it was killed", lambda: restarts_of(agent_of(cluster, node)) > restarts)
        cluster.delete("pod", "later", namespace=namespace)

    assert misses == []
    claims.outside_sees("steady", eip)


def agent_of(cluster: ClusterUnderTest, node: Node) -> Json:
    pods = cluster.client.get(AGENTS)["items"]
    # One that the scheduler has not seen yet has no node.
    here = [dict(pod) for pod in pods if pod["spec"].get("nodeName") == node.name]
    return here[0] if here else {"status": {}}


def restarts_of(pod: Json) -> int:
    return sum(status["restartCount"] for status in pod["status"].get("containerStatuses", []))


def test_an_eni_that_the_kernel_brings_back_while_no_agent_is_there_is_used_again(
    cluster: ClusterUnderTest, namespace: str
):
    """The runtime destroys the namespace with the ENI in it; the agent finds a link of another name."""
    node = cluster.nodes[0]
    (ip,) = start(cluster, namespace, direct_pod("own", node=node.name))
    mac = own_enis(cluster, node)[ip].mac
    assert link(node, mac) == {}, "the Pod has it"
    cluster.kubectl("label", "node", node.name, f"{NO_AGENT}=true")
    try:
        _agents_only_where(cluster, {"matchExpressions": [{"key": NO_AGENT, "operator": "DoesNotExist"}]})
        cluster.wait("no agent", lambda: node.name not in _nodes_with_agent(cluster))

        cluster.delete("pod", "own", namespace=namespace)

        back = cluster.wait("the kernel brings it", lambda: link(node, mac))
        assert (back["ifname"][:3], "UP" in back["flags"]) == ("dev", False)
    finally:
        cluster.kubectl("label", "node", node.name, f"{NO_AGENT}-")
        cluster.wait("the agent is back", lambda: is_ready(agent_of(cluster, node)))
    wait_until_put_away(cluster, node, mac)


def _agents_only_where(cluster: ClusterUnderTest, term: Json) -> None:
    """Keep agents to nodes that a term matches; `kubectl apply` undoes it."""
    path = "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"
    patch = [{"op": "replace", "path": path, "value": {"nodeSelectorTerms": [term]}}]
    where = f"--namespace={deployment.NAMESPACE}"
    cluster.kubectl("patch", deployment.AGENT, where, "--type=json", f"--patch={json.dumps(patch)}")


def _nodes_with_agent(cluster: ClusterUnderTest) -> set[str]:
    return {pod["spec"].get("nodeName", "") for pod in cluster.client.get(AGENTS)["items"]}


def test_after_a_power_cut_the_pod_has_its_eni_and_its_eip_again(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    node = cluster.nodes[1]
    (ip,) = start(cluster, namespace, eip_pod("own", annotations=DIRECT, node=node.name))
    first = claims.bound("own")
    claims.outside_sees("own", first[1])

    node.power_off()
    node.boot()

    def restarted() -> bool:
        return restarts_of(cluster.must_get_pod(namespace, "own")) > 0

    cluster.wait("the Pod runs again", restarted, seconds=120.0)
    assert cluster.wait_for_pod(namespace, "own")["status"]["podIP"] == ip
    assert claims.bound("own") == first
    cluster.wait("it is seen", lambda: cluster.internet.get(first[1], 80) == "own\n")
    claims.outside_sees("own", first[1])


def test_surplus_goes_back_and_a_switched_off_mode_gives_back_all_but_those_of_pods(
    cluster: ClusterUnderTest, namespace: str, claims: Claims
):
    node = cluster.nodes[0]
    steady = eip_pod("steady", annotations=DIRECT, node=node.name)
    others = [direct_pod(f"own-{number}", node=node.name) for number in range(3)]
    (ip, *_) = start(cluster, namespace, steady, *others)
    eip = claims.bound("steady")[1]
    for pod in others:
        cluster.delete("pod", pod["metadata"]["name"], namespace=namespace)
    cluster.wait("one is warm", lambda: len(own_enis(cluster, node)) == 1 + 1, seconds=90.0)

    with without_agent_flag(cluster, FLAGS[0]):
        cluster.wait("the mode is off", lambda: offered(cluster, node) == "0")
        cluster.wait("the Pod's is left", lambda: list(own_enis(cluster, node)) == [ip], seconds=90.0)
        claims.outside_sees("steady", eip)
        cluster.kubectl("cordon", node.name)
        try:
            cluster.delete("pod", "steady", namespace=namespace)
            cluster.wait("none is left", lambda: not own_enis(cluster, node), seconds=90.0)
        finally:
            cluster.kubectl("uncordon", node.name)
    cluster.wait("it is on again", lambda: offered(cluster, node) == ROOM)
