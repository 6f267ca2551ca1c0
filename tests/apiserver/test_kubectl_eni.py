"""`kubectl eni` as a plugin of the real kubectl, beside a real API server that has no kubelet."""

import json
import os
import subprocess

import pytest

from ipamd.core.claim import eipclaim
from ipamd.core.kubernetes import node_condition
from ipamd.ctl.exit_codes import ExitCode
from testbed.kubernetes import locate
from tests.apiserver.conftest import CLAIMS
from tests.docs.project import ROOT

NODE = "node-eni"
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.fixture(scope="module")
def served(cluster):
    """A node with an agent that says how it does, and a claim."""
    cluster.server.create("/api/v1/nodes", {"metadata": {"name": NODE}})
    cluster.pod("tke-eni-agent-eni", node=NODE, namespace="kube-system", account="tke-eni-agent")
    labels = {"metadata": {"labels": {"app.kubernetes.io/name": "tke-eni-agent"}}}
    pod = "/api/v1/namespaces/kube-system/pods/tke-eni-agent-eni"
    assert cluster.server.call("PATCH", pod, labels, content=STRATEGIC)[0] == 200
    verdict = node_condition.NodeVerdict(status="False", reason="SubnetFull", message="subnet-1 is full")
    body = node_condition.patch({}, verdict, 1_700_000_000.0)
    assert cluster.server.call("PATCH", f"/api/v1/nodes/{NODE}/status", body, content=STRATEGIC)[0] == 200
    cluster.server.create(
        CLAIMS,
        {
            "apiVersion": eipclaim.API_VERSION,
            "kind": eipclaim.KIND,
            "metadata": {"name": "eni-0"},
            "spec": {"attributes": {}},
        },
    )
    return cluster


def eni(cluster, *arguments):
    kubectl = locate("kubectl")
    environ = {**os.environ, "PATH": f"{ROOT / '.venv/bin'}:{kubectl.parent}:/usr/bin:/bin"}
    argv = [str(kubectl), "eni", *arguments, f"--kubeconfig={cluster.server.kubeconfig}"]
    return subprocess.run(argv, capture_output=True, text=True, env=environ, timeout=60, check=False)


def test_kubectl_finds_it_and_it_shows_the_nodes(served):
    done = eni(served, "nodes", "-o", "json")

    assert done.returncode == 0, done.stderr
    rows = {row["node"]: row for row in json.loads(done.stdout)["nodes"]}
    assert rows[NODE]["problem"] == "SubnetFull: subnet-1 is full"
    assert rows[NODE]["agent"] == "tke-eni-agent-eni"


def test_it_shows_the_claims(served):
    assert "default/eni-0" in eni(served, "claims", "-o", "name").stdout.splitlines()


def test_probe_pods_are_taken_by_the_api_server_and_removed(served):
    """No kubelet runs them, so their absence is told; nothing of them is left."""
    done = eni(served, "connectivity", NODE, "--wait", "1")

    assert done.returncode == ExitCode.FAILED, done.stderr
    assert "probe Pods do not run after 1 s" in done.stderr
    left = served.kubectl("get", "pods", "-l", "app.kubernetes.io/name=tke-eni-probe", "-o", "name")
    assert left == ""


def test_an_agent_that_cannot_be_asked_is_told_in_kubectls_words(served):
    done = eni(served, "check", NODE)

    assert done.returncode != 0
    assert "tke-eni-agent-eni" in done.stderr
