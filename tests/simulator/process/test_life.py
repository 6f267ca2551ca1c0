"""Start and end of the process: what it says, what it leaves."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from simulator.fabric import netns
from tests.testkit.eventually import eventually

pytestmark = pytest.mark.netns


def _namespaces_of(pid):
    return [name for name in netns.names() if name.startswith(f"tkesim-{pid}-")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_nothing_left(start, tmp_path, number, request):
    # What this process ignores its children ignore too: under nohup that is SIGHUP.
    request.addfinalizer(partial(signal.signal, number, signal.signal(number, signal.default_int_handler)))
    simulator = start("--kubeconfig", str(tmp_path / "kubeconfig"))
    assert len(_namespaces_of(simulator.process.pid)) == 3

    simulator.process.send_signal(number)
    output, errors = simulator.process.communicate(timeout=30)

    assert simulator.process.returncode == 0
    assert errors == ""
    assert "stopping" in output
    assert _namespaces_of(simulator.process.pid) == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_printed_names_what_the_ready_file_holds(start):
    simulator = start("--instances", "S5.LARGE8,S5.2XLARGE16")
    simulator.process.send_signal(signal.SIGTERM)
    output, _ = simulator.process.communicate(timeout=30)

    document = simulator.document
    assert [i["instance_type"] for i in document["instances"]] == ["S5.LARGE8", "S5.2XLARGE16"]
    for instance in document["instances"]:
        for fact in ("instance_id", "node_name", "private_ip", "public_ip", "netns"):
            assert instance[fact] in output
    for endpoint in ("admin", "cloud", "kube"):
        assert document[endpoint] in output


def test_the_kubeconfig_leads_to_the_kubernetes_api_with_the_nodes_in_it(start, tmp_path):
    simulator = start("--no-fabric", "--kubeconfig", str(tmp_path / "kubeconfig"))
    config = json.loads((tmp_path / "kubeconfig").read_text())

    assert config["clusters"][0]["cluster"]["server"] == simulator.document["kube"]
    nodes = json.loads(_fetch(simulator.document["kube"] + "/api/v1/nodes"))
    assert [node["metadata"]["name"] for node in nodes["items"]] == [
        instance["node_name"] for instance in simulator.document["instances"]
    ]


def test_the_same_seed_gives_the_same_ids(start):
    first = start("--no-fabric", "--seed", "7").document
    second = start("--no-fabric", "--seed", "7").document

    assert first["instances"] == second["instances"]
    assert first["initial_eips"] == second["initial_eips"]


def test_it_ends_with_its_parent(tmp_path):
    ready = tmp_path / "ready.json"
    arguments = [sys.executable, "-m", "simulator", "--die-with-parent", "--ready-file", str(ready)]
    code = f"import subprocess, sys; subprocess.Popen({arguments!r}, stdout=-3); sys.stdin.read()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    with parent:
        eventually(ready.exists)
        pid = json.loads(ready.read_text())["pid"]
        parent.kill()

    eventually(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), "it ends with its parent")
    eventually(lambda: _namespaces_of(pid) == [])
    assert not ready.exists()


def test_a_killed_run_is_cleared_up_by_the_next(start):
    killed = start()
    killed.process.kill()
    killed.process.wait()
    assert len(_namespaces_of(killed.process.pid)) == 3
    killed.ready.unlink()

    start()

    assert _namespaces_of(killed.process.pid) == []


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (["--config", "/nowhere/region.json"], 2, "/nowhere/region.json"),
        (["--instances", "S9.GIANT"], 1, "S9.GIANT"),
        (["--cloud-port", "many"], 2, "--cloud-port"),
    ],
)
def test_wrong_arguments_are_named(start, arguments, status, named):
    simulator = start(*arguments)
    _, errors = simulator.process.communicate(timeout=30)

    assert simulator.process.returncode == status
    assert named in errors
    assert "Traceback" not in errors
    assert _namespaces_of(simulator.process.pid) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "line 1"),
        ('{"quotas": {"total_eip": 3}}', "total_eip"),
        ('{"vpc": {"cidr": 5}}', "region.vpc.cidr"),
    ],
)
def test_a_wrong_config_names_file_and_field(start, tmp_path, text, named):
    config = tmp_path / "region.json"
    config.write_text(text)

    _, errors = start("--config", str(config)).process.communicate(timeout=30)

    assert str(config) in errors
    assert named in errors


def test_a_config_replaces_the_built_in_world(start, tmp_path):
    config = tmp_path / "region.json"
    subnet = {"subnet_id": "subnet-other", "cidr": "10.9.3.0/24"}
    order = {"instance_type": "S5.LARGE8", "netns_name": "node-a"}
    vpc = {"cidr": "10.9.0.0/16", "subnets": [subnet]}
    config.write_text(json.dumps({"vpc": vpc, "instances": [order]}))

    simulator = start("--config", str(config))

    [instance] = simulator.document["instances"]
    assert instance["private_ip"] == "10.9.3.2"
    assert instance["netns"].endswith("-node-a")
    assert simulator.document["vpc_cidrs"] == ["10.9.0.0/16"]


def test_a_taken_port_is_an_error_that_leaves_nothing(start):
    first = start("--cloud-port", "0")
    port = first.document["cloud"].rpartition(":")[2]
    first.ready.unlink()

    second = start("--cloud-port", port)
    _, errors = second.process.communicate(timeout=30)

    assert second.process.returncode == 1
    assert "in use" in errors
    assert _namespaces_of(second.process.pid) == []


def _is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _fetch(url):
    import urllib.request

    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()
