"""`kubectl eni` as kubectl's plugin, and `ipamctl` in the agents' containers, on a real cluster."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipamd.ctl.exit_codes import ExitCode
from testbed.cluster.nodes import Node
from testbed.cluster.under_test import ClusterUnderTest
from testbed.kubernetes import locate
from tests.e2e.claims import Claims
from tests.e2e.workloads import eip_pod, plain_pod

Done = subprocess.CompletedProcess[str]
OK, PROBLEM = ExitCode.OK, ExitCode.PROBLEM


class KubectlEni:
    """What a person has: kubectl and the plugin in the path, and a kubeconfig."""

    def __init__(self, cluster: ClusterUnderTest) -> None:
        self._kubectl = locate("kubectl")
        programs = [self._kubectl.parent, Path(sys.executable).parent]
        path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        self._environ = {**os.environ, "PATH": path, "KUBECONFIG": cluster.kubeconfig}

    def __call__(self, *arguments: str, cwd: Path | None = None) -> Done:
        argv = [str(self._kubectl), "eni", *arguments]
        return subprocess.run(
            argv, capture_output=True, text=True, env=self._environ, timeout=400, check=False, cwd=cwd
        )

    def started(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start it, and read what it says meanwhile; `terminate` cuts it off."""
        argv = [str(self._kubectl), "eni", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=pipe, text=True, env=self._environ, start_new_session=True
        )

    def json(self, *arguments: str, code: int = OK) -> dict[str, Any]:
        """What it answers as JSON; it must end with `code`."""
        done = self(*arguments, "-o", "json")
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return dict(json.loads(done.stdout))


@pytest.fixture
def eni(cluster: ClusterUnderTest) -> KubectlEni:
    return KubectlEni(cluster)


@pytest.fixture
def forward_drop(cluster: ClusterUnderTest) -> Iterator[Node]:
    """A node on which somebody's filter drops what is forwarded; no repair of ours ends that."""
    node = cluster.nodes[0]
    node.run("nft", "add table ip somebody")
    chain = "add chain ip somebody forward { type filter hook forward priority 0; policy drop; }"
    try:
        node.run("nft", chain)
        yield node
    finally:
        node.run("nft", "delete table ip somebody")


def names(cluster: ClusterUnderTest) -> list[str]:
    return [node.name for node in cluster.nodes]


def internet(cluster: ClusterUnderTest) -> str:
    return f"{cluster.internet.hosts[0]}:80"


def agent_of(cluster: ClusterUnderTest, node: str) -> str:
    arguments = ["get", "pods", "--namespace=kube-system", "--output=name"]
    chosen = ["--selector=app.kubernetes.io/name=tke-eni-agent", f"--field-selector=spec.nodeName={node}"]
    (found,) = cluster.kubectl(*arguments, *chosen).split()
    return found.removeprefix("pod/")


def test_all_nodes_at_a_glance(cluster: ClusterUnderTest, eni: KubectlEni):
    def serving() -> dict[str, dict[str, Any]] | None:
        """The rows when each agent serves, has told its node's state, and is ready for the kubelet, too."""
        rows = {row["node"]: row for row in eni.json("nodes")["nodes"]}
        told = [(rows[name]["ready"], rows[name]["problem"]) for name in names(cluster)]
        return rows if all(one == ("True", "") for one in told) else None

    found = cluster.wait("every node is served", serving)

    for name in names(cluster):
        row = found[name]
        assert (row["agent"], bool(row["version"])) == (agent_of(cluster, name), True)
        assert row["addresses"] > 0


def test_a_claim_with_a_problem_is_told_and_one_without_is_only_listed(
    cluster: ClusterUnderTest, namespace: str, eni: KubectlEni
):
    cluster.apply(eip_pod("fine"), namespace=namespace)
    cluster.apply(eip_pod("lost", annotations={"eip-id-list": "eip-00000000"}), namespace=namespace)
    Claims(cluster, namespace).bound("fine")

    def told() -> dict[str, Any] | None:
        rows = eni.json("claims", "--problems", "-n", namespace)["claims"]
        return {row["name"]: row["problem"] for row in rows}

    problems = cluster.wait("a claim with a problem", told)

    assert set(problems) == {"lost"}
    assert "eip-00000000" in problems["lost"]
    assert eni("claims", "-n", namespace, "-o", "name").stdout.split() == [
        f"{namespace}/fine",
        f"{namespace}/lost",
    ]


def test_a_pod_is_explained_by_the_agent_of_its_node(
    cluster: ClusterUnderTest, namespace: str, eni: KubectlEni
):
    cluster.apply(eip_pod("web"), namespace=namespace)
    cluster.wait_for_pod(namespace, "web")
    eip_id, public_ip = Claims(cluster, namespace).bound("web")

    told = eni.json("explain", "pod", f"{namespace}/web")

    assert (told["publicIp"], told["wrong"]) == (public_ip, [])
    assert {"ADD", "bind"} <= {event["step"] for event in told["events"]}
    assert {"order", "bind"} <= {event["step"] for event in told["events"] if event["requestId"]}
    assert any(sight["side"] == "cloud" and eip_id in sight["what"] for sight in told["sights"])
    assert all(sight["ok"] for sight in told["sights"])


def test_every_agent_finds_its_node_well(cluster: ClusterUnderTest, eni: KubectlEni):
    answers = {entry["node"]: entry for entry in eni.json("check", "--all")["nodes"]}

    assert set(answers) == set(names(cluster))
    assert {entry["exitCode"] for entry in answers.values()} == {OK}


def test_a_check_that_fixes_has_the_agent_mend_what_is_ours(
    cluster: ClusterUnderTest, namespace: str, eni: KubectlEni
):
    node = cluster.nodes[0]
    cluster.apply(plain_pod("web", node=node.name), namespace=namespace)
    ip = cluster.wait_for_pod(namespace, "web")["status"]["podIP"]
    route = node.run("ip", "route", "show", ip)
    assert route
    node.run("ip", "route", "del", ip)

    told = eni.json("check", node.name, "--fix")

    assert told["problems"] == []
    assert node.run("ip", "route", "show", ip) == route


def test_a_pod_that_can_not_start_is_explained_too(
    cluster: ClusterUnderTest, namespace: str, eni: KubectlEni
):
    """Its sandbox fails for its annotation: nothing of it is in the agent's ledger."""
    cluster.apply(eip_pod("web", annotations={"eip-attributes": "{"}), namespace=namespace)
    cluster.wait(
        "the kubelet tells it",
        lambda: [e for e in cluster.events(namespace, "web") if e["reason"] == "FailedCreatePodSandBox"],
    )

    told = eni.json("explain", "pod", f"{namespace}/web", code=PROBLEM)

    (wrong,) = told["wrong"]
    assert "eip-attributes" in wrong
    assert any(event["step"] == "ADD" and event["failed"] for event in told["events"])


def test_a_node_that_drops_what_pods_send_is_named_with_the_next_step(
    cluster: ClusterUnderTest, namespace: str, eni: KubectlEni, forward_drop: Node
):
    cluster.apply(plain_pod("web", node=forward_drop.name), namespace=namespace)
    cluster.wait_for_pod(namespace, "web")

    told = eni.json("check", forward_drop.name, code=PROBLEM)
    every = {entry["node"]: entry for entry in eni.json("check", "--all", code=PROBLEM)["nodes"]}

    (finding,) = [found for found in told["findings"] if found["code"] == "ForwardDrop"]
    assert finding["pods"] == [f"{namespace}/web"]
    assert "FORWARD" in finding["nextStep"]
    wrong = {name for name, entry in every.items() if entry["exitCode"] == PROBLEM}
    assert wrong == {forward_drop.name}


def test_probes_reach_each_other_nodes_the_service_and_the_internet(
    cluster: ClusterUnderTest, namespace: str, eni: KubectlEni
):
    told = eni.json("connectivity", "-n", namespace, "--eip", "--internet", internet(cluster))

    rows = told["connections"]
    assert {row["kind"] for row in rows} >= {"pod", "node", "service", "internet"}
    assert [row["problem"] for row in rows if row["problem"]] == []
    nodes = len(names(cluster))
    assert len([row for row in rows if row["kind"] == "pod"]) == (nodes + 1) * nodes
    pods = ["get", "pods", f"--namespace={namespace}", "--output=name"]
    cluster.wait("the probes are removed", lambda: not cluster.kubectl(*pods))


def test_connectivity_is_tried_in_the_agents_own_container(cluster: ClusterUnderTest, namespace: str):
    node = cluster.nodes[0].name
    cluster.apply(eip_pod("with-eip", node=node), namespace=namespace)
    cluster.apply(plain_pod("plain", node=node), namespace=namespace)
    for name in ("with-eip", "plain"):
        cluster.wait_for_pod(namespace, name)
    public_ip = Claims(cluster, namespace).bound("with-eip")[1]

    host = cluster.internet.hosts[0]
    printed = cluster.exec(
        "kube-system", agent_of(cluster, node), "ipamctl", "connectivity", "-n", namespace,
        "--echo", f"http://{host}/", "-o", "json",
    )  # fmt: skip

    legs = json.loads(printed)["legs"]
    assert {leg["result"] for leg in legs if leg["kind"] != "internet-to-pod"} == {"ok"}
    seen = {leg["source"]: leg["seenSource"] for leg in legs if host in leg["target"]}
    assert seen[f"{namespace}/with-eip"] == public_ip


def test_one_file_has_the_cluster_its_controllers_and_every_node(
    cluster: ClusterUnderTest, eni: KubectlEni, tmp_path: Path
):
    done = eni("bundle", "--file", str(tmp_path / "all.tar.gz"))

    assert done.returncode == OK, done.stderr
    with tarfile.open(tmp_path / "all.tar.gz") as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    for node in names(cluster):
        assert {f"nodes/{node}/bundle.tar.gz", f"nodes/{node}/{agent_of(cluster, node)}.log"} <= found
    assert {"nodes.json", "cluster/claims.json", "cluster/events.json"} <= found
    assert any(name.startswith("controller/") for name in found)
