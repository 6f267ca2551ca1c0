"""`ipamctl preflight` against a simulated region and cluster and the real kernel; refusals are provoked."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from ipamd.core.preflight import machine, rights
from ipamd.ctl.__main__ import main
from ipamd.kube.resources import DAEMONSETS
from ipamd.net import trial
from simulator.cloud import (
    CloudRegion,
    CloudServer,
    Fault,
    FaultKind,
    InstanceOrder,
    RegionConfig,
    loopback_socket,
)
from simulator.cloud.config import Quotas
from simulator.kube import KubeServer, Store, listen
from simulator.metadata import MetadataServer
from tests.ctl.cluster_beside import ClusterBeside
from tests.docs.project import DOCS, ROOT

SCHEMA = json.loads((DOCS / "ipamctl-schema/preflight.json").read_text())
POD = {
    "metadata": {"labels": {"k8s-app": "tke-eni-agent"}},
    "spec": {"containers": [{"name": "agent", "image": "registry.example/agent:1"}]},
}
PLUGIN = ROOT / "build/cni/tke-route-eni"


class Node:
    """A node before the installation, with its region, its cluster and its directories."""

    def __init__(self, directory, region, flags, client):
        self.region = region
        self.client = client
        self.bin, self.conf = directory / "cni-bin", directory / "net.d"
        self.containerd = directory / "config.toml"
        self.bin.mkdir()
        self.conf.mkdir()
        self.containerd.write_text("version = 2\n")
        self.flags = [
            *flags,
            f"--bin-dir={self.bin}",
            f"--conf-dir={self.conf}",
            f"--containerd-config={self.containerd}",
        ]

    def preflight(self, capsys, *more):
        """Return exit code and what is said by code, worst first."""
        code = main(["preflight", "-o", "json", *self.flags, *more])
        answer = json.loads(capsys.readouterr().out)
        jsonschema.validate(answer, SCHEMA)
        said: dict[str, dict[str, str]] = {}
        for one in answer["results"]:
            said.setdefault(one["code"], one)
        return code, said


@pytest.fixture
def quotas():
    return Quotas()


@pytest.fixture
def node(tmp_path, monkeypatch, quotas):
    monkeypatch.delenv("TENCENTCLOUD_SECRET_ID", raising=False)
    monkeypatch.delenv("TENCENTCLOUD_SECRET_KEY", raising=False)
    with (
        CloudRegion(RegionConfig(quotas=quotas)) as region,
        CloudServer(region, [loopback_socket()]) as cloud,
        KubeServer(Store(), [listen()]) as kube,
    ):
        instance = region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
        assert region.wait_idle(60)
        with MetadataServer(region, [loopback_socket()], instance.instance_id) as metadata:
            beside = ClusterBeside(kube.url, tmp_path, tmp_path / "socket")
            flags = [
                f"--cloud-endpoint=http://{cloud.endpoint}",
                f"--metadata-url=http://{metadata.endpoint}",
                f"--kubeconfig={beside.kubeconfig}",
            ]
            yield Node(tmp_path, region, flags, beside.client)


def test_on_a_node_that_is_fit_nothing_is_in_the_way(node, capsys):
    code, said = node.preflight(capsys)

    assert {name: one["result"] for name, one in said.items()} == {
        "WriteRights": "unknown",
        **dict.fromkeys(
            [
                *("KernelRelease", "KernelFeatures", "PluginOwner", "ConfigurationOrder"),
                *("RuntimeDirectories", "Metadata", "Credential", "ReadRights", "Clock", "AccountType"),
                *("EipQuota", "InstanceLimits", "SubnetAddresses", "ApiServer", "KubernetesVersion"),
                "OtherInstallation",
            ],
            "ok",
        ),
    }
    assert code == 0
    assert node.region.audit.writes() == []
    asked = {action.name for action in rights.ACTIONS if action.trial is rights.Trial.ASKED}
    assert set(said["ReadRights"]["text"].removeprefix("the key may call ").split(", ")) == asked
    assert asked <= set(node.region.audit.calls())


def test_a_region_without_reservations_is_told_and_is_no_problem(node, capsys):
    node.region.faults.add(
        Fault(kind=FaultKind.ERROR, action="DescribeReserveIpAddresses", code="InvalidAction", count=None)
    )

    code, said = node.preflight(capsys)

    assert code == 0
    assert said["ReadRights"]["result"] == "warning"
    assert "the VPC does not keep fixed addresses here" in said["ReadRights"]["text"]


def test_people_get_a_line_for_each_and_a_verdict(node, capsys):
    assert main(["preflight", *node.flags]) == 0

    first, *_, verdict = capsys.readouterr().out.splitlines()
    assert first.startswith("UNKNOWN  WriteRights account/rights: not tried: AllocateAddresses, ")
    assert verdict.strip() == "nothing is in the way"


def test_a_right_that_is_missing_is_named(node, capsys):
    node.region.faults.add(
        Fault(
            kind=FaultKind.ERROR,
            action="DescribeAddressQuota",
            code="UnauthorizedOperation",
            message="you are not authorized to perform operation (cvm:DescribeAddressQuota)",
        )
    )

    code, said = node.preflight(capsys)

    assert code == 1
    assert said["ReadRights"]["result"] == "problem"
    assert said["ReadRights"]["text"] == "the key may not call DescribeAddressQuota"


def test_a_file_that_sorts_first_a_stranger_s_plugin_and_other_directories_are_problems(node, capsys):
    (node.conf / "05-cilium.conflist").write_text('{"plugins": [{"type": "cilium-cni"}]}')
    (node.bin / "tke-route-eni").write_bytes(b"\x7fELF somebody else's")
    node.containerd.write_text('[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/usr/lib/cni"\n')

    code, said = node.preflight(capsys)

    assert code == 1
    wrong = {name for name, one in said.items() if one["result"] == "problem"}
    assert wrong == {"ConfigurationOrder", "PluginOwner", "RuntimeDirectories"}
    assert said["ConfigurationOrder"]["object"].endswith("05-cilium.conflist")


def test_tke_s_own_agent_is_a_problem(node, capsys):
    labels = {"k8s-app": "tke-eni-agent"}
    node.client.create(
        DAEMONSETS,
        {
            "metadata": {"name": "tke-eni-agent", "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": labels}, "template": POD},
        },
    )

    code, said = node.preflight(capsys)

    assert code == 1
    assert said["OtherInstallation"]["object"] == "daemonset/kube-system/tke-eni-agent"
    assert "TKE's own" in said["OtherInstallation"]["text"]


class TestWithoutQuota:
    @pytest.fixture
    def quotas(self):
        return Quotas(total_eips=0, daily_eip_applications=0)

    def test_it_is_a_warning(self, node, capsys):
        code, said = node.preflight(capsys)

        assert code == 0
        assert said["EipQuota"]["result"] == "warning"
        assert said["EipQuota"]["text"] == "0 of 0 EIPs are left, 0 of 0 orders today"


def test_who_does_not_answer_is_named_and_the_rest_is_looked_at(node, capsys, tmp_path):
    beside = tmp_path / "nobody"
    beside.write_text(node_kubeconfig())

    code, said = node.preflight(capsys, "--metadata-url=http://127.0.0.1:9", f"--kubeconfig={beside}")

    assert code == 1
    assert said["Metadata"]["result"] == said["ApiServer"]["result"] == "problem"
    assert said["KernelFeatures"]["result"] == "ok"


def node_kubeconfig():
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}],
            "users": [{"name": "x", "user": {}}],
        }
    )


def test_our_own_plugin_is_known():
    assert machine.plugin("/opt/cni/bin/tke-route-eni", PLUGIN.read_bytes()).text == "it is ours"


def test_the_node_alone_needs_nobody(node, capsys):
    code, said = node.preflight(capsys, "--only-node", "--metadata-url=http://127.0.0.1:9")

    assert code == 0
    assert said.keys() == {
        *("KernelRelease", "KernelFeatures", "PluginOwner", "ConfigurationOrder", "RuntimeDirectories")
    }


@pytest.mark.netns
def test_the_trial_changes_nothing_of_the_node():
    def seen():
        commands = (["ip", "rule"], ["ip", "-o", "link"], ["ip", "route", "show", "table", "all"])
        return [subprocess.run(argv, capture_output=True, check=True).stdout for argv in commands]

    before = seen()
    trial.run(Path("/proc/sys"))

    assert seen() == before


def test_without_the_right_to_try_it_is_not_known(node):
    argv = [sys.executable, "-m", "ipamd.ctl", "preflight", "--only-node", "-o", "json", *node.flags]
    dropped = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", *argv]

    done = subprocess.run(dropped, capture_output=True, text=True, check=False)

    (found,) = [one for one in json.loads(done.stdout)["results"] if one["code"] == "KernelFeatures"]
    assert (found["result"], done.returncode) == ("unknown", 0)
    assert "no network namespace can be made" in found["text"]


def test_the_subnets_for_pods_are_looked_at_where_they_are_named(node, capsys):
    code, said = node.preflight(capsys, "--pod-subnets=subnet-demo0001")
    assert (code, said["SubnetAddresses"]["result"]) == (0, "ok")
    assert "subnet-demo0001" in said["SubnetAddresses"]["text"]

    code, said = node.preflight(capsys, "--pod-subnets=subnet-demo0001,subnet-nowhere1")
    assert code == 1
    assert "--pod-subnets names subnet-nowhere1" in said["SubnetAddresses"]["text"]
